// Were two sets of weights initialised independently? The trace test on hidden units.
//
// The rows of an MLP's up-projection are its hidden units, and their order is an accident of the initialisation: training
// treats them alike (Independence Tests, 2502.12292, theorem 3). For one matrix, C holds the cosine of every row of A with
// every row of B and T is its trace. Over all orders of B's rows T has mean sum(C) / n and variance sum(D²) / (n - 1), D the
// doubly centred C, so z = (T - mean) / sd needs no sampling. z of one tensor a hidden layer are joined by Stouffer's rule.
// The p-value does not rest on that normal form: siblings drawn from other seeds, with B's scale, give the same statistic
// under independence, p = (1 + those at or above) / (1 + all).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/result.h"
#include "eval/compare/tensor_compare.h"

namespace assay {

inline constexpr int kDefaultSiblings = 199;       // smallest p: 1 / 200
inline constexpr std::int64_t kMaxTraceRows = 32;  // rows of a matrix, evenly spaced
inline constexpr std::size_t kMaxTraceTensors =
    16;  // hidden layers, evenly spaced: 384 rows see a cosine of 0.04

struct IndependenceTest {
  std::size_t n = 0;         // tensors used; 0: none of the same shape, everything else is void
  double statistic = 0;      // Stouffer z
  double effect = 0;         // mean cosine of corresponding rows, over the tensors
  double low = 0, high = 0;  // 95 % interval of it over the tensors (normal)
  double p = 1, p_min = 1;
  std::string panel;  // what the null was drawn from
};

// z of one pair of matrices (n, d), row-major, n >= 2; 0 where all rows are alike.
struct TraceResult {
  double z = 0, mean_cosine = 0;
};
TraceResult trace_test(const std::vector<float>& a, const std::vector<float>& b, std::size_t n,
                       std::size_t d);

// `siblings` >= 1 draws. Independent of the number of threads.
Result<IndependenceTest> test_independence(const RowSource& a, const RowSource& b, std::uint64_t seed,
                                           int siblings, ThreadPool& pool);

}  // namespace assay
