#include "eval/cost/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "base/progress.h"
#include "reference/model/gguf_config.h"
#include "reference/model/random_model.h"
#include "reference/weights/locate.h"
#include "suites/locate.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxOutputs =
    2048;  // measured of a large matrix with many tokens: the rate does not depend on more
constexpr std::int64_t kMaxOutputsCold =
    16384;  // with few tokens: up to 235 MB of weights, twice and more the usual last-level cache
constexpr std::int64_t kManyTokens = 96, kFewTokens = 1;
constexpr std::int64_t kMeasuredExperts = 8;

struct Place {
  const char* name;
  std::int64_t n_out, n_in;
};

std::vector<Place> attention_places(const ModelConfig& c) {
  const std::int64_t heads = c.num_attention_heads;
  if (c.attention == AttentionKind::grouped) {
    return {{"q", heads * c.head_dim, c.hidden_size},
            {"kv", 2 * c.num_key_value_heads * c.head_dim, c.hidden_size},
            {"o", c.hidden_size, heads * c.head_dim}};
  }
  std::vector<Place> out;
  if (c.q_lora_rank > 0) {
    out.push_back({"q_a", c.q_lora_rank, c.hidden_size});
    out.push_back({"q_b", heads * c.key_dim(), c.q_lora_rank});
  } else {
    out.push_back({"q", heads * c.key_dim(), c.hidden_size});
  }
  out.push_back({"kv_a", c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size});
  out.push_back({"kv_b", heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank});
  out.push_back({"o", c.hidden_size, heads * c.v_head_dim});
  return out;
}

std::vector<Place> plain_places(const ModelConfig& c) {
  std::vector<Place> out = attention_places(c);
  const bool has_dense =
      std::any_of(c.layers.begin(), c.layers.end(), [](const LayerChoice& layer) { return !layer.is_moe; });
  if (has_dense) {
    out.push_back({"mlp.gate_up", 2 * c.intermediate_size, c.hidden_size});
    out.push_back({"mlp.down", c.hidden_size, c.intermediate_size});
  }
  if (c.router.n_experts > 0) out.push_back({"router", c.router.n_experts, c.hidden_size});
  if (c.shared_intermediate_size > 0) {
    out.push_back({"shared.gate_up", 2 * c.shared_intermediate_size, c.hidden_size});
    out.push_back({"shared.down", c.hidden_size, c.shared_intermediate_size});
  }
  out.push_back({"head", c.vocab_size, c.hidden_size});
  return out;
}

ProductShape part_of(const Place& place, const std::string& what_for, std::int64_t tokens,
                     std::int64_t groups, std::int64_t max_outputs) {
  ProductShape s;
  s.what_for = what_for;
  s.name = place.name;
  s.n_out = std::min(place.n_out, max_outputs);
  s.full_n_out = place.n_out;
  s.n_in = place.n_in;
  s.n_tokens = tokens;
  s.groups = groups;
  return s;
}

struct BenchShapes {
  std::vector<ProductShape> products;
  std::vector<OperationShape> operations;
};

template <class T>
void add_all(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Everything of one model: products of many tokens, operations and, in more than a few seconds, products of one token and widening.
void add_model(const ModelConfig& config, const std::string& what_for, bool quick, BenchShapes& out) {
  const auto many = product_shapes(config, what_for, {kManyTokens}, kMaxOutputs),
             few = product_shapes(config, what_for, {kFewTokens}, kMaxOutputsCold);
  add_all(out.products, many);
  if (!quick) {
    add_all(out.products, few);
    add_all(out.products, widening_shapes(many));
    add_all(out.products, widening_shapes(few));
  }
  add_all(out.operations, operation_shapes(config, what_for, kMaxOutputsCold));
}

// Of DeepSeek-V3 what takes little time and memory.
void add_quick(const ModelConfig& v3, BenchShapes& out) {
  for (const auto& s : product_shapes(v3, "deepseek-v3", {kManyTokens}, kMaxOutputs / 2)) {
    if (s.name == "q_a" || s.name == "kv_b" || s.name == "experts.gate_up") out.products.push_back(s);
  }
  for (const auto& s : operation_shapes(v3, "deepseek-v3", kMaxOutputs / 2)) {
    const bool decodes = s.kind == BenchOperation::attention && s.n_tokens == 1 && s.n_keys < 1024;
    if (decodes || s.kind == BenchOperation::router || s.kind == BenchOperation::rms_norm)
      out.operations.push_back(s);
  }
}

// The default: the bundled model, then DeepSeek-V3.
Result<BenchShapes> default_shapes(bool quick) {
  ASSAY_TRY(const std::string path, data_path("demo/model/config.json"));
  ASSAY_TRY(const ModelConfig bundled, read_model_config(path));
  BenchShapes out;
  add_model(bundled, "bundled", true, out);
  quick ? add_quick(deepseek_v3_shapes(), out) : add_model(deepseek_v3_shapes(), "deepseek-v3", false, out);
  return out;
}

// As many outputs as fit `bytes` with the others of their call.
std::int64_t fitting_outputs(std::int64_t n_out, std::int64_t n_in, std::int64_t groups,
                             std::uint64_t bytes) {
  constexpr std::int64_t kBf16Bytes = 2;
  const std::int64_t fits = static_cast<std::int64_t>(bytes) / (kBf16Bytes * n_in * groups);
  return std::min(n_out, std::max(kPanelOutputs, fits / kPanelOutputs * kPanelOutputs));
}

void fit_memory(BenchShapes& shapes, std::uint64_t bytes) {
  for (ProductShape& s : shapes.products)
    s.n_out = fitting_outputs(s.n_out, s.n_in, s.groups, is_coded(s.format) ? bytes / 2 : bytes);
  for (OperationShape& s : shapes.operations) {
    if (s.kind == BenchOperation::head) s.n_out = fitting_outputs(s.n_out, s.width, 1, bytes);
  }
}

Result<BenchShapes> shapes_of(const BenchRequest& request) {
  if (request.model.empty()) return default_shapes(request.quick);
  ASSAY_TRY(const ModelConfig config, [&]() -> Result<ModelConfig> {
    if (const RandomShape* const shape = find_random_shape(request.model)) {
      ASSAY_TRY(const Json json, parse_json(shape->config, request.model));
      return parse_model_config(json, request.model);
    }
    if (request.model.ends_with(".json")) return read_model_config(request.model);
    ASSAY_TRY(const ModelLocation location, locate_model(request.model));
    return model_config_at(location.folder);
  }());
  const std::filesystem::path given(request.model);
  const std::string name =
      (request.model.ends_with(".json") ? given.parent_path() : given).filename().string();
  BenchShapes out;
  add_model(config, name.empty() ? config.model_type : name, request.quick, out);
  return out;
}

std::optional<double> known_clock(const BenchRow& row) {
  return row.clock_mhz > 0 ? std::optional<double>(row.clock_mhz) : std::nullopt;
}

std::string rate_text(const BenchRow& row) {
  if (row.tokens > 0) return fmt::format("{:.1f} tokens/s", row.tokens / row.seconds_p50);
  const bool moves = row.limit_name == "read bandwidth" || row.limit_name == "copy bandwidth";
  if (row.kernel == "int8-dot")
    return fmt::format("{:.1f} GOP/s", static_cast<double>(row.flops) / row.seconds_p50 * 1e-9);
  if (row.flops > 0 && !moves)
    return fmt::format("{:.1f} GFLOP/s", static_cast<double>(row.flops) / row.seconds_p50 * 1e-9);
  return fmt::format("{:.1f} GB/s", static_cast<double>(row.bytes) / row.seconds_p50 * 1e-9);
}

}  // namespace

std::vector<ProductShape> product_shapes(const ModelConfig& config, const std::string& what_for,
                                         const std::vector<std::int64_t>& token_counts,
                                         std::int64_t max_outputs) {
  ASSAY_CHECK(config.hidden_size >= 1 && config.vocab_size >= 1 && max_outputs >= 1);
  std::vector<ProductShape> out;
  for (const std::int64_t tokens : token_counts) {
    for (const Place& place : plain_places(config))
      out.push_back(part_of(place, what_for, tokens, 1, max_outputs));
    if (config.router.n_experts == 0) continue;
    // Of a large batch every expert gets about an equal share; a single token goes to n_chosen of them.
    const std::int64_t groups =
        tokens == 1 ? config.router.n_chosen : std::min(config.router.n_experts, kMeasuredExperts);
    const std::int64_t rows = tokens == 1 ? 1 : std::max<std::int64_t>(12, tokens / 8);
    const std::int64_t outputs = std::max<std::int64_t>(32, tokens == 1 ? max_outputs / 4 : max_outputs / 2);
    out.push_back(part_of({"experts.gate_up", 2 * config.moe_intermediate_size, config.hidden_size}, what_for,
                          rows, groups, outputs));
    out.push_back(part_of({"experts.down", config.hidden_size, config.moe_intermediate_size}, what_for, rows,
                          groups, outputs));
  }
  return out;
}

ModelConfig deepseek_v3_shapes() {
  ModelConfig c;
  c.model_type = "deepseek_v3";
  c.vocab_size = 129280;
  c.hidden_size = 7168;
  c.num_hidden_layers = 61;
  c.intermediate_size = 18432;
  c.attention = AttentionKind::latent;
  c.num_attention_heads = c.num_key_value_heads = 128;
  c.q_lora_rank = 1536;
  c.kv_lora_rank = 512;
  c.qk_nope_head_dim = 128;
  c.qk_rope_head_dim = 64;
  c.v_head_dim = 128;
  c.router.n_experts = 256;
  c.router.n_chosen = 8;
  c.router.n_groups = 8;
  c.router.n_open_groups = 4;
  c.router.scoring = Scoring::sigmoid;
  c.router.group_score = GroupScore::top2_sum;
  c.router.correction_bias = true;
  c.router.topk_norm = TopkNorm::sum;
  c.router.epsilon = 1e-20;
  c.router.scaling_factor = 2.5;
  c.rope.layout = RopeLayout::pairs;
  c.moe_intermediate_size = 2048;
  c.shared_intermediate_size = 2048;
  c.layers.assign(61, LayerChoice{.is_moe = true});
  for (std::size_t i = 0; i < 3; ++i) c.layers[i].is_moe = false;  // first_k_dense_replace 3
  return c;
}

Result<BenchReport> bench(const BenchRequest& request) {
  ASSAY_TRY(BenchShapes shapes, shapes_of(request));
  BenchOptions options;
  options.threads = std::max(1, request.threads);
  options.filter = request.filter;
  options.seconds_per_row = request.quick ? 0.05 : 0.3;
  options.min_repetitions = request.quick ? 3 : 5;
  if (request.quick) {
    options.weight_bytes = std::uint64_t{192} << 20;
    options.library_extent = 1024;
    options.library_products = false;
  }
  fit_memory(shapes, options.weight_bytes);
  Progress progress("bench", shapes.products.size() + shapes.operations.size(), "rows", request.quiet);
  options.progress = [&](std::size_t, std::size_t) { progress.add(); };
  return run_bench(shapes.products, options, shapes.operations);
}

Result<std::int64_t> store_device(Database& database, const DeviceInfo& device) {
  ASSAY_TRY(auto find, database.prepare("SELECT id FROM device WHERE name = ?1 AND kind = ?2 AND cores = ?3 "
                                        "AND memory_bytes = ?4 AND isa = ?5"));
  find.with(device.name, device.kind, device.cores, static_cast<std::int64_t>(device.memory_bytes),
            device.isa);
  ASSAY_TRY(const auto found, database.find_integer(find));
  if (found) return *found;
  ASSAY_TRY(auto insert,
            database.prepare(
                "INSERT INTO device (name, kind, cores, memory_bytes, isa) VALUES (?1, ?2, ?3, ?4, ?5)"));
  insert.with(device.name, device.kind, device.cores, static_cast<std::int64_t>(device.memory_bytes),
              device.isa);
  ASSAY_OK(insert.run());
  return database.last_id();
}

Status store_bench(Database& database, const BenchReport& report) {
  ASSAY_TRY(auto transaction, Transaction::begin(database));
  ASSAY_TRY(const std::int64_t machine, store_device(database, report.machine));
  std::int64_t gpu = machine;
  if (report.gpu) {
    ASSAY_TRY(gpu, store_device(database, *report.gpu));
  }
  ASSAY_TRY(auto insert,
            database.prepare(
                "INSERT INTO kernel_measurement (device_id, kernel, shape, isa, what_for, "
                "threads, seconds_p50, spread, repetitions, "
                "flops, bytes, fraction_of_limit, limit_name, measured_at_utc, clock_mhz, steal_fraction) "
                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"));
  ASSAY_TRY(
      auto remove,
      database.prepare(
          "DELETE FROM kernel_measurement WHERE device_id = ?1 AND kernel = ?2 AND shape = ?3 AND isa = ?4 "
          "AND what_for = ?5 AND threads = ?6"));
  const std::string now = now_utc();
  for (const BenchRow& row : report.rows) {
    ASSAY_OK(
        remove.with(row.on_gpu ? gpu : machine, row.kernel, row.shape, row.isa, row.what_for, row.threads)
            .run());
    insert.with(row.on_gpu ? gpu : machine, row.kernel, row.shape, row.isa, row.what_for, row.threads,
                row.seconds_p50, row.spread, row.repetitions, row.flops, row.bytes, row.fraction_of_limit,
                row.limit_name, now, known_clock(row), row.steal_fraction);
    ASSAY_OK(insert.run());
  }
  return transaction.commit();
}

Json bench_json(const BenchReport& report) {
  const DeviceInfo& m = report.machine;
  Json document = {
      {"machine",
       {{"name", m.name},
        {"kind", m.kind},
        {"cores", m.cores},
        {"memory_bytes", m.memory_bytes},
        {"isa", m.isa},
        {"last_level_cache_bytes", report.cache_bytes == 0 ? Json(nullptr) : Json(report.cache_bytes)},
        {"steal_fraction", finite_or_null(report.steal_fraction)},
        {"clock_source", report.clock_source.empty() ? Json(nullptr) : Json(report.clock_source)}}},
      {"notes", report.notes},
      {"rows", Json::array()}};
  for (const BenchRow& row : report.rows) {
    document["rows"].push_back({{"kernel", row.kernel},
                                {"shape", row.shape},
                                {"isa", row.isa},
                                {"what_for", row.what_for},
                                {"threads", row.threads},
                                {"seconds_p50", finite_or_null(row.seconds_p50)},
                                {"spread", finite_or_null(row.spread)},
                                {"repetitions", row.repetitions},
                                {"flops", row.flops},
                                {"bytes", row.bytes},
                                {"fraction_of_limit", finite_or_null(row.fraction_of_limit)},
                                {"limit_name", row.limit_name},
                                {"on_gpu", row.on_gpu},
                                {"clock_mhz", row.clock_mhz > 0 ? Json(row.clock_mhz) : Json(nullptr)},
                                {"steal_fraction", finite_or_null(row.steal_fraction)}});
    if (row.tokens > 0)
      document["rows"].back()["tokens_per_s"] = finite_or_null(row.tokens / row.seconds_p50);
  }
  return document;
}

std::string bench_table(const BenchReport& report) {
  std::string text =
      fmt::format("{}, {} cores, kernels {}, {:.0f} % of processor time stolen meanwhile\n\n",
                  report.machine.name, report.machine.cores, report.machine.isa, 100 * report.steal_fraction);
  text +=
      fmt::format("{:<12} {:<12} {:<50} {:>7} {:>11} {:>7} {:>15} {:>6} {:>6} {:>6}  {}\n", "for", "kernel",
                  "shape", "threads", "seconds p50", "spread", "rate", "MHz", "stolen", "limit", "of");
  for (const BenchRow& row : report.rows) {
    const std::string clock = row.clock_mhz > 0 ? fmt::format("{:.0f}", row.clock_mhz) : "-",
                      fraction = std::isfinite(row.fraction_of_limit)
                                     ? fmt::format("{:.0f}%", 100 * row.fraction_of_limit)
                                     : "-";
    text += fmt::format("{:<12} {:<12} {:<50} {:>7} {:>11.3e} {:>6.0f}% {:>15} {:>6} {:>5.0f}% {:>6}  {}\n",
                        row.what_for, row.kernel, row.shape, row.threads, row.seconds_p50, 100 * row.spread,
                        rate_text(row), clock, 100 * row.steal_fraction, fraction, row.limit_name);
  }
  for (const std::string& note : report.notes) text += note + "\n";
  text.pop_back();
  return text;
}

}  // namespace assay
