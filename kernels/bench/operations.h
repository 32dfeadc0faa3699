// Operations of the benchmark on the processor: checked, and made ready to be called again and again. Private to kernels/bench/.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "kernels/bench/bench.h"
#include "kernels/bench/meter.h"

namespace assay {

// Refused: extents below 1 or that do not belong together (bad_shape), more memory than the options give (memory_limit).
Status check_operation(const OperationShape& shape, const BenchOptions& options);

// One call of the operation, with all that it works on: inputs and weights from `in` in turn, rows written to `out` in turn. What runs is
// what a forward pass runs (kernels/contract.h); nothing else is in the call.
std::function<void()> prepare_operation(const Compute& compute, const BenchNumbers& in,
                                        const BenchNumbers& out, const OperationShape& shape);

// The frequencies that rotary rows are made of, (n_pairs): theta 10000.
std::vector<double> bench_frequencies(std::int64_t n_pairs);
// Which row of the input each slot of the experts reads: (sum of loads), ascending within an expert, spread over the input.
std::vector<std::int32_t> gathered_rows(const OperationShape& shape);

}  // namespace assay
