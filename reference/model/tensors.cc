#include "reference/model/tensors.h"

#include <fmt/format.h>

#include <set>

#include "reference/model/families.h"
#include "reference/weights/mxfp4.h"

namespace assay {
namespace {

class SpecList {
 public:
  void matrix(const std::string& name, std::int64_t n_out, std::int64_t n_in, bool bias = false,
              TensorRole role = TensorRole::matrix, std::int64_t expert = -1) {
    add(name + ".weight", {n_out, n_in}, role, expert);
    if (bias) add(name + ".bias", {n_out}, TensorRole::bias, expert);
  }
  void norm(const std::string& name, std::int64_t n) { add(name + ".weight", {n}, TensorRole::norm, -1); }
  void add(const std::string& name, std::vector<std::int64_t> shape, TensorRole role, std::int64_t expert) {
    list.push_back({name, std::move(shape), role, layer, expert});
  }
  // The tensors of a part, each once: gate and up of an expert, and all experts, may share one.
  void part(const LinearRef& ref, TensorRole role, std::int64_t expert) {
    weight(ref.weight, role, expert);
    if (ref.has_bias()) weight(ref.bias, TensorRole::bias, expert);
  }
  void part(const MlpRef& ref, TensorRole role, std::int64_t expert) {
    for (const LinearRef* each : {&ref.gate, &ref.up, &ref.down}) part(*each, role, expert);
  }
  std::vector<TensorSpec> list;
  std::int64_t layer = -1;

 private:
  void weight(const WeightRef& ref, TensorRole role, std::int64_t expert) {
    if (!ref.whole() && !together_.insert(ref.name).second) return;
    const bool all = ref.n_experts > 0;
    TensorSpec spec{
        .name = ref.name, .role = role, .layer = layer, .expert = all ? -1 : expert, .all_experts = all};
    if (!ref.mxfp4) {
      spec.shape = stored_shape(ref);
      list.push_back(std::move(spec));
      return;
    }
    spec.name = mxfp4_blocks_name(ref.name);
    spec.shape = {ref.n_experts, ref.n_stored, ref.n_in / kMxfp4Block, kMxfp4Block / 2};
    spec.store = TensorStore::mxfp4_blocks;
    list.push_back(spec);
    spec.name = mxfp4_scales_name(ref.name);
    spec.shape.pop_back();
    spec.store = TensorStore::mxfp4_scales;
    list.push_back(std::move(spec));
  }

  std::set<std::string> together_;  // tensors that hold more than one part
};

void add_grouped(SpecList& out, const std::string& p, const ModelConfig& c) {
  const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  out.matrix(p + ".q_proj", q, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".k_proj", kv, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".v_proj", kv, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".o_proj", c.hidden_size, q, c.o_bias);
  if (c.attention_sinks) out.add(p + ".sinks", {c.num_attention_heads}, TensorRole::bias, -1);
  if (c.qk_norm == QkNorm::none) return;
  const bool whole = c.qk_norm == QkNorm::whole;
  out.norm(p + ".q_norm", whole ? q : c.head_dim);
  out.norm(p + ".k_norm", whole ? kv : c.head_dim);
}

void add_latent(SpecList& out, const std::string& p, const ModelConfig& c) {
  const std::int64_t heads = c.num_attention_heads;
  if (c.q_lora_rank > 0) {
    out.matrix(p + ".q_a_proj", c.q_lora_rank, c.hidden_size, c.qkv_bias);
    out.norm(p + ".q_a_layernorm", c.q_lora_rank);
    out.matrix(p + ".q_b_proj", heads * c.key_dim(), c.q_lora_rank);
  } else {
    out.matrix(p + ".q_proj", heads * c.key_dim(), c.hidden_size);
  }
  out.matrix(p + ".kv_a_proj_with_mqa", c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  out.norm(p + ".kv_a_layernorm", c.kv_lora_rank);
  out.matrix(p + ".kv_b_proj", heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank);
  out.matrix(p + ".o_proj", c.hidden_size, heads * c.v_head_dim, c.o_bias);
}

void add_experts(SpecList& out, const ModelConfig& c, const Family& family, std::int64_t layer) {
  const std::string block = fmt::format("{}.{}", layer_prefix(layer), family.moe_block);
  out.part(router_ref(c, layer), TensorRole::router, -1);
  if (c.router.correction_bias) {
    out.add(block + ".gate.e_score_correction_bias", {c.router.n_experts}, TensorRole::bias, -1);
  }
  const std::int64_t apart = c.expert_storage == ExpertStorage::per_expert ? c.router.n_experts : 1;
  for (std::int64_t e = 0; e < apart; ++e) out.part(expert_ref(c, layer, e), TensorRole::expert, e);
  if (c.shared_intermediate_size > 0) out.part(shared_ref(c, layer), TensorRole::matrix, -1);
  if (c.shared_gate) out.matrix(block + ".shared_expert_gate", 1, c.hidden_size);
}

MlpRef mlp_ref(const std::string& prefix, const Family& names, std::int64_t hidden, std::int64_t inner,
               bool bias) {
  const auto named = [&](std::string_view name) { return fmt::format("{}.{}", prefix, name); };
  return {linear_ref(named(names.gate_name), inner, hidden, bias),
          linear_ref(named(names.up_name), inner, hidden, bias),
          linear_ref(named(names.down_name), hidden, inner, bias)};
}

// Gate rows first, then as many of up, in one matrix (GraniteMoeMLP: chunk(2, dim=-1)).
MlpRef input_output_ref(const std::string& prefix, std::int64_t hidden, std::int64_t inner,
                        std::int64_t n_experts, std::int64_t expert) {
  WeightRef both = matrix_ref(prefix + ".input_linear.weight", inner, hidden);
  both.n_stored = 2 * inner;
  both.expert = expert;
  both.n_experts = n_experts;
  WeightRef up = both, down = matrix_ref(prefix + ".output_linear.weight", hidden, inner);
  up.first = inner;
  down.expert = expert;
  down.n_experts = n_experts;
  return {{both, {}}, {up, {}}, {down, {}}};
}

// openai/gpt-oss torch/model.py: gate in outputs 0, 2, 4, ..., up in 1, 3, 5, ...; transformers transposes all but MXFP4.
MlpRef interleaved_ref(const ModelConfig& c, const std::string& prefix, std::int64_t expert) {
  const bool mxfp4 = c.quant.method == "mxfp4";
  const std::int64_t inner = c.moe_intermediate_size;
  const auto place = [&](WeightRef ref, std::int64_t first, std::int64_t step) {
    ref.expert = expert;
    ref.n_experts = c.router.n_experts;
    ref.first = first;
    ref.step = step;
    ref.n_stored = ref.n_out * step;
    ref.mxfp4 = mxfp4 && ref.n_in > 0;
    ref.transposed = !mxfp4 && ref.n_in > 0;
    return ref;
  };
  const auto linear = [&](const std::string& name, std::int64_t n_out, std::int64_t n_in, std::int64_t first,
                          std::int64_t step) {
    LinearRef ref{.weight = place(matrix_ref(name, n_out, n_in), first, step), .bias = {}};
    if (c.expert_bias) ref.bias = place(vector_ref(name + "_bias", n_out), first, step);
    return ref;
  };
  return {linear(prefix + ".gate_up_proj", inner, c.hidden_size, 0, 2),
          linear(prefix + ".gate_up_proj", inner, c.hidden_size, 1, 2),
          linear(prefix + ".down_proj", c.hidden_size, inner, 0, 1)};
}

// Dense layers and shared experts are called so in every family.
constexpr Family kPlainNames{};

std::int64_t elements(const TensorSpec& spec) {
  std::int64_t n = 1;
  for (const std::int64_t extent : spec.shape) n *= extent;
  if (spec.store == TensorStore::mxfp4_scales) return 0;
  return spec.store == TensorStore::mxfp4_blocks ? 2 * n : n;
}

std::int64_t cached_elements_per_token(const ModelConfig& c) {
  if (c.attention == AttentionKind::latent) return c.kv_lora_rank + c.qk_rope_head_dim;
  return 2 * c.num_key_value_heads * c.head_dim;
}

}  // namespace

std::string layer_prefix(std::int64_t layer) { return fmt::format("model.layers.{}", layer); }

std::string expert_prefix(const ModelConfig& config, std::int64_t layer, std::int64_t expert) {
  return fmt::format("{}.{}.experts.{}", layer_prefix(layer), family_of(config).moe_block, expert);
}

LinearRef linear_ref(const std::string& name, std::int64_t n_out, std::int64_t n_in, bool bias) {
  return {.weight = matrix_ref(name + ".weight", n_out, n_in),
          .bias = bias ? vector_ref(name + ".bias", n_out) : WeightRef{}};
}

LinearRef router_ref(const ModelConfig& c, std::int64_t layer) {
  const Family& f = family_of(c);
  return linear_ref(fmt::format("{}.{}.{}", layer_prefix(layer), f.moe_block, f.router_name),
                    c.router.n_experts, c.hidden_size, c.router_bias);
}

MlpRef expert_ref(const ModelConfig& c, std::int64_t layer, std::int64_t expert) {
  const Family& f = family_of(c);
  ASSAY_CHECK(expert >= 0 && expert < c.router.n_experts);
  const std::string block = fmt::format("{}.{}", layer_prefix(layer), f.moe_block);
  switch (c.expert_storage) {
    case ExpertStorage::per_expert:
      return mlp_ref(expert_prefix(c, layer, expert), f, c.hidden_size, c.moe_intermediate_size,
                     c.expert_bias);
    case ExpertStorage::input_output:
      return input_output_ref(block, c.hidden_size, c.moe_intermediate_size, c.router.n_experts, expert);
    case ExpertStorage::interleaved:
      return interleaved_ref(c, block + ".experts", expert);
  }
  ASSAY_CHECK(false);
}

MlpRef shared_ref(const ModelConfig& c, std::int64_t layer) {
  const Family& f = family_of(c);
  ASSAY_CHECK(!f.shared_name.empty() && c.shared_intermediate_size > 0);
  const std::int64_t inner = c.shared_intermediate_size;
  if (c.expert_storage == ExpertStorage::input_output)  // beside the block, not in it
    return input_output_ref(fmt::format("{}.{}", layer_prefix(layer), f.shared_name), c.hidden_size, inner, 0,
                            0);
  return mlp_ref(fmt::format("{}.{}.{}", layer_prefix(layer), f.moe_block, f.shared_name), kPlainNames,
                 c.hidden_size, inner, false);
}

MlpRef dense_ref(const ModelConfig& c, std::int64_t layer) {
  return mlp_ref(layer_prefix(layer) + ".mlp", kPlainNames, c.hidden_size, c.intermediate_size, c.mlp_bias);
}

std::vector<TensorSpec> tensors_of(const ModelConfig& c, const StackNames& names) {
  const Family& family = family_of(c);
  ASSAY_CHECK(static_cast<std::int64_t>(c.layers.size()) == c.num_hidden_layers);
  SpecList out;
  out.matrix(names.embedding, c.vocab_size, c.hidden_size, false, TensorRole::embedding);
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::int64_t number = names.first_layer + i;
    const std::string p = layer_prefix(number);
    out.layer = number;
    out.norm(p + ".input_layernorm", c.hidden_size);
    (c.attention == AttentionKind::latent ? add_latent : add_grouped)(out, p + ".self_attn", c);
    out.norm(p + ".post_attention_layernorm", c.hidden_size);
    if (c.layers[static_cast<std::size_t>(i)].is_moe) {
      add_experts(out, c, family, number);
    } else {
      out.part(dense_ref(c, number), TensorRole::matrix, -1);
    }
  }
  out.layer = -1;
  out.norm(names.norm, c.hidden_size);
  if (!c.tie_word_embeddings) out.matrix(names.head, c.vocab_size, c.hidden_size, false, TensorRole::head);
  return out.list;
}

ModelCounts count_model(const ModelConfig& c) {
  ModelCounts out;
  for (const TensorSpec& spec : tensors_of(c)) {
    const std::int64_t n = elements(spec);
    std::int64_t active = spec.expert < c.router.n_chosen ? n : 0;  // any n_chosen of the experts
    if (spec.all_experts) active = n / c.router.n_experts * c.router.n_chosen;
    out.params_total += n;
    out.params_active += active;
    const bool multiplied = spec.role == TensorRole::matrix || spec.role == TensorRole::router ||
                            spec.role == TensorRole::expert || spec.role == TensorRole::head;
    out.forward_flops_per_token += multiplied ? 2 * active : 0;
  }
  if (c.tie_word_embeddings) out.forward_flops_per_token += 2 * c.vocab_size * c.hidden_size;
  const std::int64_t bytes = c.torch_dtype == "float32" ? 4 : 2;  // caches are kept in the model's own format
  out.kv_bytes_per_token = cached_elements_per_token(c) * c.num_hidden_layers * bytes;
  const std::int64_t key_and_value =
      c.absorbs() ? 2 * c.kv_lora_rank + c.qk_rope_head_dim : c.key_dim() + c.value_dim();
  out.attention_flops_per_key = 2 * c.num_attention_heads * key_and_value * c.num_hidden_layers;
  ASSAY_CHECK(out.params_active <= out.params_total);
  return out;
}

}  // namespace assay
