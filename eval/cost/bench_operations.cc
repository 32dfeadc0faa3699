// The operations of a model's layers that are no plain products, at its shapes.
#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "eval/cost/bench.h"
#include "reference/model/forward.h"
#include "reference/model/rope.h"

namespace assay {
namespace {

constexpr std::int64_t kPrefillTokens = 512;
constexpr std::int64_t kDecodeKeys[] = {512, 4096};
constexpr std::int64_t kKeyBytes =
    std::int64_t{128} << 20;  // of keys and values of one call: a part of the heads where they are more
constexpr std::int64_t kExpertBytes = std::int64_t{192}
                                      << 20;  // of weights of one call: a part of the experts
constexpr std::int64_t kHeadRows[] = {1, 64};
constexpr std::int64_t kHeadNumbers = 4
                                      << 20;  // logits that are made at a time, as Forward::head_rows has it
constexpr std::int64_t kWidenedNumbers = std::int64_t{32} << 20;  // of a matrix of coded weights
constexpr std::int64_t kMaxGateFloats = std::int64_t{16} << 20;   // outputs of one SwiGLU

OperationShape operation(BenchOperation kind, const std::string& what_for, const char* name,
                         std::int64_t tokens) {
  OperationShape s;
  s.kind = kind;
  s.what_for = what_for;
  s.name = name;
  s.n_tokens = tokens;
  return s;
}

// The largest part of n that divides it and of which each `bytes` fit.
std::int64_t fitting_part(std::int64_t n, std::int64_t bytes, std::int64_t limit) {
  std::int64_t part = n;
  while (part > 1 && (n % part != 0 || part * bytes > limit)) --part;
  return part;
}

OperationShape attention_shape(const ModelConfig& c, const std::string& what_for, std::int64_t queries,
                               std::int64_t keys, std::int64_t window) {
  OperationShape s = operation(BenchOperation::attention, what_for,
                               c.attention == AttentionKind::latent ? "mla" : "grouped", queries);
  const std::int64_t kv_heads = c.num_key_value_heads, of_kv_head = c.num_attention_heads / kv_heads,
                     head_bytes = 4 * keys * (c.key_dim() + c.value_dim());
  const std::int64_t part = fitting_part(kv_heads, head_bytes, kKeyBytes);
  s.attention = {.n_heads = part * of_kv_head,
                 .n_kv_heads = part,
                 .qk_dim = c.key_dim(),
                 .v_dim = c.value_dim(),
                 .scale = static_cast<float>(attention_scale(c))};
  s.full_n_heads = c.num_attention_heads;
  s.n_keys = keys;
  s.window = window;
  return s;
}

void add_attention(const ModelConfig& c, const std::string& what_for, std::vector<OperationShape>& out) {
  std::vector<std::int64_t> windows;  // distinct, of layers that have keys of their own: 0 where all are seen
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    const std::int64_t window = c.window_of(i);
    if (std::find(windows.begin(), windows.end(), window) == windows.end()) windows.push_back(window);
  }
  for (const std::int64_t window : windows) {
    out.push_back(attention_shape(c, what_for, kPrefillTokens, kPrefillTokens, window));
    for (const std::int64_t keys : kDecodeKeys) out.push_back(attention_shape(c, what_for, 1, keys, window));
  }
}

void add_rotary(const ModelConfig& c, const std::string& what_for, std::vector<OperationShape>& out) {
  OperationShape s = operation(BenchOperation::rotary, what_for, "rotary", kPrefillTokens);
  const bool latent = c.attention == AttentionKind::latent;  // there the queries' part; keys share one head
  s.n_heads = c.num_attention_heads + (latent ? 0 : c.num_key_value_heads);
  s.head_stride = c.key_dim();
  s.n_pairs = c.rope_dim() / 2;
  s.pairs = c.rope.layout == RopeLayout::pairs ? RotaryPairs::interleaved : RotaryPairs::half_split;
  out.push_back(s);
}

void add_swiglu(const ModelConfig& c, const std::string& what_for, std::vector<OperationShape>& out) {
  const auto add = [&](const char* name, std::int64_t rows, std::int64_t inner) {
    OperationShape s =
        operation(BenchOperation::swiglu, what_for, name, std::min(rows, kMaxGateFloats / inner));
    s.width = inner;
    if (c.activation == Activation::clamped_swiglu)
      s.clamp = {static_cast<float>(c.gate_alpha()), static_cast<float>(c.gate_limit())};
    out.push_back(s);
  };
  const bool has_dense =
      std::any_of(c.layers.begin(), c.layers.end(), [](const LayerChoice& layer) { return !layer.is_moe; });
  if (has_dense) add("mlp.swiglu", kPrefillTokens, c.intermediate_size);
  if (c.router.n_experts > 0)
    add("experts.swiglu", kPrefillTokens * c.router.n_chosen, c.moe_intermediate_size);
}

void add_router(const ModelConfig& c, const std::string& what_for, std::vector<OperationShape>& out) {
  if (c.router.n_experts == 0) return;
  OperationShape s = operation(BenchOperation::router, what_for, "router", kPrefillTokens);
  s.router = router_spec(c.router, {});
  s.router_bias = c.router.correction_bias;
  out.push_back(s);
}

// As a batch of kPrefillTokens loads `n` experts of the model: evenly, or the k-th most chosen in proportion to 1 / k.
void add_experts(const ModelConfig& c, const std::string& what_for, std::int64_t max_outputs,
                 std::vector<OperationShape>& out) {
  if (c.router.n_experts == 0) return;
  OperationShape s = operation(BenchOperation::experts, what_for, "experts.even", kPrefillTokens);
  s.width = c.hidden_size;
  s.full_n_out = 2 * c.moe_intermediate_size;
  s.n_out = std::min(s.full_n_out, max_outputs);
  const auto bytes = static_cast<std::int64_t>(packed_bytes(s.format, s.n_out, s.width));
  const std::int64_t n = std::clamp<std::int64_t>(kExpertBytes / bytes, 1, c.router.n_experts),
                     share =
                         std::max<std::int64_t>(1, kPrefillTokens * c.router.n_chosen / c.router.n_experts);
  s.loads.assign(static_cast<std::size_t>(n), share);
  out.push_back(s);
  s.name = "experts.skewed";
  s.loads = skewed_loads(n, share * n, kPrefillTokens);
  out.push_back(s);
}

void add_head(const ModelConfig& c, const std::string& what_for, std::int64_t max_outputs,
              std::vector<OperationShape>& out) {
  for (const std::int64_t rows : kHeadRows) {
    OperationShape s = operation(BenchOperation::head, what_for, "head", rows);
    s.width = c.hidden_size;
    s.full_n_out = c.vocab_size;
    s.n_out = std::min(c.vocab_size, max_outputs);
    s.rows_at_once = std::max<std::int64_t>(1, kHeadNumbers / c.vocab_size);
    out.push_back(s);
  }
}

}  // namespace

std::vector<std::int64_t> skewed_loads(std::int64_t n_experts, std::int64_t n_rows, std::int64_t most) {
  ASSAY_CHECK(n_experts >= 1 && n_rows >= n_experts && n_rows <= n_experts * most);
  double harmonic = 0;
  for (std::int64_t k = 1; k <= n_experts; ++k) harmonic += 1 / static_cast<double>(k);
  std::vector<std::int64_t> loads;
  for (std::int64_t k = 1; k <= n_experts; ++k) {
    const double share = static_cast<double>(n_rows) / harmonic / static_cast<double>(k) + 1e-9;
    loads.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(share), 1, most));
  }
  // What rounding and bounds left over or took too much, one row each, the most loaded first.
  std::int64_t left = n_rows - std::accumulate(loads.begin(), loads.end(), std::int64_t{0});
  while (left != 0) {
    for (std::int64_t& load : loads) {
      if (left > 0 && load < most) {
        ++load;
        --left;
      } else if (left < 0 && load > 1) {
        --load;
        ++left;
      }
    }
  }
  return loads;
}

std::vector<OperationShape> operation_shapes(const ModelConfig& c, const std::string& what_for,
                                             std::int64_t max_outputs) {
  ASSAY_CHECK(c.hidden_size >= 1 && c.vocab_size >= 1 && c.num_key_value_heads >= 1 && max_outputs >= 1);
  std::vector<OperationShape> out;
  add_attention(c, what_for, out);
  add_router(c, what_for, out);
  OperationShape norm = operation(BenchOperation::rms_norm, what_for, "norm", kPrefillTokens);
  norm.width = c.hidden_size;
  out.push_back(norm);
  add_rotary(c, what_for, out);
  add_swiglu(c, what_for, out);
  add_experts(c, what_for, std::max<std::int64_t>(kPanelOutputs, max_outputs / 16), out);
  add_head(c, what_for, max_outputs, out);
  OperationShape packed = operation(BenchOperation::pack, what_for, "o", 1);
  packed.full_n_out = c.hidden_size;
  packed.n_out = std::min<std::int64_t>(c.hidden_size, 2048);
  packed.width = c.num_attention_heads * c.value_dim();
  out.push_back(packed);
  return out;
}

std::vector<ProductShape> widening_shapes(const std::vector<ProductShape>& products) {
  std::vector<ProductShape> out;
  for (const ProductShape& s : products) {
    if (s.name != "o") continue;
    for (const WeightFormat format :
         {WeightFormat::e4m3, WeightFormat::mxfp4, WeightFormat::q8_0, WeightFormat::f16}) {
      if (format == WeightFormat::mxfp4 && s.n_in % kMxfp4Inputs != 0) continue;
      out.push_back(s);
      out.back().format = format;
      out.back().n_out = std::min(s.n_out, std::max(kPanelOutputs, kWidenedNumbers / s.n_in));
    }
  }
  return out;
}

}  // namespace assay
