// What `assay bench` measures and stores. No time is asserted: only that rows are whole and consistent.
#include "eval/cost/bench.h"
#include "eval/cost/bench_model.h"
#include "reference/model/random_model.h"
#include "tests/scratch.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/catch.h"

namespace assay {
namespace {

BenchOptions tiny() {
  BenchOptions options;
  options.threads = 2;
  options.seconds_per_row = 1e-4;
  options.min_repetitions = 3;
  options.weight_bytes = std::uint64_t{4} << 20;
  options.library_extent = 64;
  return options;
}

ProductShape shape(std::int64_t n_out, std::int64_t n_in, std::int64_t tokens) {
  ProductShape s;
  s.what_for = "test";
  s.name = "place";
  s.n_out = s.full_n_out = n_out;
  s.n_in = n_in;
  s.n_tokens = tokens;
  return s;
}

TEST_CASE("bench: rows carry work, limits and what they are for") {
  auto grouped = shape(64, 128, 3);
  grouped.groups = 4;
  grouped.full_n_out = 100;
  const auto report = run_bench({shape(100, 50, 2), grouped}, tiny());
  REQUIRE(report.ok());
  std::vector<BenchRow> rows;  // without what not every machine has
  for (const BenchRow& row : report->rows) {
    if (row.kernel != "int8-dot" && row.kernel != "gemm-library" && !row.on_gpu) rows.push_back(row);
  }
  REQUIRE(rows.size() == 6);  // two limits with one thread, two with both, two products
  CHECK(rows[0].kernel == "read");
  CHECK(rows[1].kernel == "fma");
  CHECK(rows[2].threads == 2);
  CHECK(rows[4].shape == "place 100x50 t=2");
  CHECK(rows[4].flops == 2 * 100 * 50 * 2);
  CHECK(rows[4].bytes == 128 * 50 * 2 + 4 * (2 * 50 + 2 * 100));
  CHECK(rows[5].shape == "place 4*64/100x128 t=3");
  CHECK(rows[5].flops == 2 * 4 * 64 * 128 * 3);
  for (const auto& row : report->rows) {
    INFO(row.kernel << " " << row.shape);
    CHECK(row.seconds_p50 > 0);
    CHECK(row.spread >= 0);
    CHECK(row.clock_mhz >= 0);
    CHECK(row.steal_fraction >= 0);
    CHECK(row.repetitions >= 3);
    CHECK(row.fraction_of_limit > 0);
    CHECK_FALSE(row.limit_name.empty());
  }
}

TEST_CASE("bench: a filter keeps what it matches, and a broken one is refused") {
  auto options = tiny();
  options.filter = "t=7$";
  const auto report = run_bench({shape(32, 32, 7), shape(32, 32, 8)}, options);
  REQUIRE(report.ok());
  REQUIRE(report->rows.size() == 1);
  CHECK(report->rows[0].shape == "place 32x32 t=7");
  options.filter = "(";
  const auto bad = run_bench({}, options);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == Code::usage);
}

TEST_CASE("bench: shapes that make no sense or do not fit are refused before anything runs") {
  const auto empty = run_bench({shape(0, 5, 1)}, tiny());
  REQUIRE_FALSE(empty.ok());
  CHECK(empty.error().code == Code::bad_shape);
  const auto large = run_bench({shape(4096, 4096, 1)}, tiny());
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().code == Code::memory_limit);
}

TEST_CASE("bench: DeepSeek-V3's shapes are the published ones") {
  const auto shapes = product_shapes(deepseek_v3_shapes(), "v3", {96}, 1 << 20);
  std::set<std::string> seen;
  for (const auto& s : shapes) {
    seen.insert(s.name + " " + std::to_string(s.n_out) + "x" + std::to_string(s.n_in));
    CHECK(s.what_for == "v3");
  }
  const std::set<std::string> expected = {"q_a 1536x7168",
                                          "q_b 24576x1536",
                                          "kv_a 576x7168",
                                          "kv_b 32768x512",
                                          "o 7168x16384",
                                          "mlp.gate_up 36864x7168",
                                          "mlp.down 7168x18432",
                                          "router 256x7168",
                                          "shared.gate_up 4096x7168",
                                          "shared.down 7168x2048",
                                          "experts.gate_up 4096x7168",
                                          "experts.down 7168x2048",
                                          "head 129280x7168"};
  CHECK(seen == expected);
  for (const auto& s : product_shapes(deepseek_v3_shapes(), "v3", {1}, 2048)) {
    CHECK(s.n_out <= 2048);
    CHECK(s.full_n_out >= s.n_out);
    CHECK(s.groups == (s.name.starts_with("experts") ? 8 : 1));
  }
}

TEST_CASE("bench: a device is stored once, a newer measurement replaces the older one") {
  const auto path =
      std::filesystem::temp_directory_path() / ("assay-bench-" + std::to_string(::getpid()) + ".db");
  std::filesystem::remove(path);
  const auto report = run_bench({shape(32, 32, 7)}, tiny());
  REQUIRE(report.ok());
  {
    auto database = Database::create(path.string());
    REQUIRE(database.ok());
    REQUIRE(store_bench(*database, *report).ok());
    REQUIRE(store_bench(*database, *report).ok());
    auto rows = database->prepare("SELECT count(*) FROM kernel_measurement");
    auto devices = database->prepare("SELECT count(*) FROM device");
    CHECK(database->find_integer(*rows).value() == static_cast<std::int64_t>(report->rows.size()));
    CHECK(database->find_integer(*devices).value() == 1);
    auto noted = database->prepare(
        "SELECT count(*) FROM kernel_measurement WHERE steal_fraction >= 0 AND (clock_mhz IS NULL OR "
        "clock_mhz > 0)");
    CHECK(database->find_integer(*noted).value() == static_cast<std::int64_t>(report->rows.size()));
  }
  std::filesystem::remove(path);
}

TEST_CASE("bench: JSON and table name every row") {
  const auto report = run_bench({shape(32, 32, 7)}, tiny());
  REQUIRE(report.ok());
  const Json document = bench_json(*report);
  CHECK(document["rows"].size() == report->rows.size());
  for (const char* key : {"kernel", "shape", "isa", "seconds_p50", "spread", "flops", "bytes",
                          "fraction_of_limit", "clock_mhz", "steal_fraction"})
    CHECK(document["rows"][0].contains(key));
  CHECK(document["notes"].is_array());
  CHECK(document["machine"].contains("clock_source"));
  CHECK(document["machine"]["cores"].get<int>() >= 1);
  CHECK(bench_table(*report).find("place 32x32 t=7") != std::string::npos);
}

TEST_CASE("bench: a model that is not there is refused") {
  BenchRequest request;
  request.model = "/nowhere/config.json";
  const auto report = bench(request);
  REQUIRE_FALSE(report.ok());
}

// A model of a few thousand weights.
constexpr const char* kTinyModel =
    R"({"model_type": "mixtral", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "sliding_window": null})";

WholeRequest whole_request(const Scratch& folder) {
  REQUIRE(write_random_model(kTinyModel, folder.path(), 3).ok());
  WholeRequest request;
  request.model = folder.path();
  request.engine.threads = 2;
  request.prompt_tokens = 20;
  request.generated_tokens = 5;
  request.repetitions = 3;
  request.quiet = true;
  return request;
}

TEST_CASE("bench: a whole model's rows count its weights") {
  const Scratch folder;
  WholeRequest request = whole_request(folder);
  request.scaling = true;
  const auto report = bench_whole(request);
  if (!report.ok()) FAIL(report.error().text());
  const auto& rows = report->rows;
  REQUIRE(rows.size() == 4);
  const std::int64_t attention = 32 * 32 * 2 + 32 * 16 * 2,
                     layer = attention + 4 * 32 + 2 * 3 * 32 * 48;  // two of four experts
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(i);
    CHECK(rows[i].kernel == (i % 2 == 0 ? "prefill" : "decode"));
    CHECK(rows[i].threads == (i < 2 ? 2 : 1));
    CHECK(rows[i].repetitions == 3);
    CHECK(rows[i].seconds_p50 > 0);
    CHECK(rows[i].fraction_of_limit > 0);
    CHECK(rows[i].what_for.starts_with("whole "));
  }
  CHECK(rows[0].flops == 20 * 2 * 2 * layer);
  CHECK(rows[0].tokens == 20);
  CHECK(rows[1].bytes == 2 * (2 * layer + 64 * 32 + 5 * 32));  // bf16; the head and five norms
}

TEST_CASE("bench: another program is run in turn and its own rate is taken") {
  const Scratch folder;
  WholeRequest request = whole_request(folder);
  request.against = "echo 'pp512: 40.0 t/s'";
  request.against_rate = ": ([0-9.]+) t/s";
  const auto report = bench_whole(request);
  if (!report.ok()) FAIL(report.error().text());
  REQUIRE(report->rows.size() == 3);
  CHECK(report->rows[2].kernel == "other");
  CHECK(report->rows[2].seconds_p50 == Approx(0.5));  // 20 tokens
  CHECK(report->rows[2].fraction_of_limit > 0);
  for (const char* bad : {"false", "echo none", "echo ': 0 t/s'"}) {
    INFO(bad);
    request.against = bad;
    const auto refused = bench_whole(request);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Code::unsupported);
    CHECK(refused.error().field == "--against");
  }
}

}  // namespace
}  // namespace assay
