// `assay bench`: which shapes are measured for which model, and where the rows go.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "kernels/bench/bench.h"
#include "reference/model/config.h"
#include "reports/database.h"

namespace assay {

struct BenchRequest {
  std::string model;  // a MODEL or a config.json; empty: the bundled model and DeepSeek-V3's published shapes
  std::string filter;  // regular expression on "kernel shape"
  int threads = 1;
  bool quick = false;  // a few seconds, for `demo`: fewer shapes, fewer repetitions
  bool quiet = false;  // no progress
};

// The distinct matrix products of one layer of each kind and of the head, at `token_counts` tokens. Experts are grouped as a batch of
// tokens meets them. Weights of more than `max_outputs` outputs are measured in part, and the shape says so.
std::vector<ProductShape> product_shapes(const ModelConfig& config, const std::string& what_for,
                                         const std::vector<std::int64_t>& token_counts,
                                         std::int64_t max_outputs);

// What the engine runs beside products, for each layer kind: attention (512 tokens at once; one token over 512 and over 4096 keys; with each
// window that layers have), router, norm, rotation, SwiGLU, the experts' products evenly loaded and skewed, the head with log-probabilities
// (1 and 64 rows), packing. Where keys or weights are too many a part of the heads, experts or outputs is measured, and the shape says so.
std::vector<OperationShape> operation_shapes(const ModelConfig& config, const std::string& what_for,
                                             std::int64_t max_outputs);

// Rows of n_experts experts, each at least 1 and at most `most`, that sum to n_rows: the k-th gets about n_rows / (k * H(n_experts)).
std::vector<std::int64_t> skewed_loads(std::int64_t n_experts, std::int64_t n_rows, std::int64_t most);

// The products of place "o" with weights in each format that kernels widen as they multiply.
std::vector<ProductShape> widening_shapes(const std::vector<ProductShape>& products);

// DeepSeek-V3's configuration as published (deepseek-ai/DeepSeek-V3 config.json), for its shapes alone.
ModelConfig deepseek_v3_shapes();

// Measures; nothing is stored.
Result<BenchReport> bench(const BenchRequest& request);

// Stores device and rows in one transaction; an older measurement of the same kernel, shape and purpose on that device is replaced.
Status store_bench(Database& database, const BenchReport& report);

Json bench_json(const BenchReport& report);          // INTERFACE: machine{}, rows[]
std::string bench_table(const BenchReport& report);  // for people

// Row id of the device, inserted where it is not there yet.
Result<std::int64_t> store_device(Database& database, const DeviceInfo& device);

}  // namespace assay
