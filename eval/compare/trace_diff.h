// Where two traces of the same prompts part: the first layer, point and token, the largest difference of every point,
// and the router decisions that differ.
//
// Two f32 traces, or two f64 traces, must have the same bits unless a tolerance is given. An f32 trace against the f64
// oracle's is compared through the numbers that --trace-tensors kept, within a bound that grows by the layer: three
// products stand one after the other on the residual path of a layer, each of chains of at most 512 terms, and a chain of
// n terms errs by at most lambda sqrt(n) u but with probability 2 exp(-lambda² / 2) (Higham and Mary, SIAM J. Sci. Comput.
// 41(5), 2019); lambda = 4. Differences are relative to the largest magnitude of the point over the prompt.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/model/trace_file.h"

namespace assay {

struct Parting {
  std::int64_t prompt = 0, token = 0;
};

struct PointDifference {
  PointKey key;
  bool compared = false;         // false: of different arithmetic and not kept in both
  bool has_values = false;       // max_abs and relative are known
  double max_abs = 0;            // over all prompts; NaN where one side has a NaN that the other has not
  double relative = 0;           // to the largest magnitude of the point in B over the prompt
  double tolerance = 0;          // 0: bits
  std::int64_t rows_beyond = 0;  // rows that differ by more than that
  std::optional<Parting> first;
};

struct RouterDifference {
  std::int64_t prompt = 0, moe_layer = 0, token = 0;
  std::vector<std::int32_t> a, b;
  double margin_a = 0, margin_b = 0;  // of the closest decision: a small one says that rounding decided
};

struct TraceDifference {
  std::string arithmetic_a, arithmetic_b;
  std::vector<PointDifference> points;  // that both traces have, in the order of computation
  std::vector<std::string> only_a, only_b;
  std::vector<RouterDifference> routers;
  std::int64_t decisions = 0;  // (layer, token) pairs compared

  const PointDifference* first() const;  // null: they do not part
  bool same() const { return first() == nullptr && routers.empty() && only_a.empty() && only_b.empty(); }
};

// The relative tolerance of a point between f32 and f64.
double f32_bound(const PointKey& key, std::int64_t n_layers);

// Refuses traces of other prompts or routers, and a comparison that needs numbers which neither file holds.
Result<TraceDifference> diff_traces(const std::string& a, const std::string& b,
                                    std::optional<double> tolerance);

Json to_json(const TraceDifference& difference);
std::string to_text(const TraceDifference& difference);

}  // namespace assay
