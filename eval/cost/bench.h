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
  bool quick = false;  // under 4 s on two idle cores, for `demo`: fewer shapes, fewer repetitions
  bool quiet = false;  // no progress
};

// The distinct matrix products of one layer of each kind and of the head, at `token_counts` tokens. Experts are grouped as a batch of
// tokens meets them. Weights of more than `max_outputs` outputs are measured in part, and the shape says so.
std::vector<ProductShape> product_shapes(const ModelConfig& config, const std::string& what_for,
                                         const std::vector<std::int64_t>& token_counts,
                                         std::int64_t max_outputs);

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
