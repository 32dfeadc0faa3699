#include "reference/model/tensors.h"

#include <fmt/format.h>

#include "reference/model/families.h"

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
  std::vector<TensorSpec> list;
  std::int64_t layer = -1;
};

void add_grouped(SpecList& out, const std::string& p, const ModelConfig& c) {
  const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  out.matrix(p + ".q_proj", q, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".k_proj", kv, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".v_proj", kv, c.hidden_size, c.qkv_bias);
  out.matrix(p + ".o_proj", c.hidden_size, q, c.o_bias);
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

void add_mlp(SpecList& out, const std::string& p, const ModelConfig& c, std::int64_t inner, bool bias) {
  out.matrix(p + ".gate_proj", inner, c.hidden_size, bias);
  out.matrix(p + ".up_proj", inner, c.hidden_size, bias);
  out.matrix(p + ".down_proj", c.hidden_size, inner, bias);
}

void add_experts(SpecList& out, const ModelConfig& c, const Family& family, std::int64_t layer) {
  const std::string block = fmt::format("{}.{}", layer_prefix(layer), family.moe_block);
  out.matrix(block + ".gate", c.router.n_experts, c.hidden_size, false, TensorRole::router);
  if (c.router.correction_bias) {
    out.add(block + ".gate.e_score_correction_bias", {c.router.n_experts}, TensorRole::bias, -1);
  }
  for (std::int64_t e = 0; e < c.router.n_experts; ++e) {
    const std::string p = expert_prefix(c, layer, e) + ".";
    out.matrix(p + std::string(family.gate_name), c.moe_intermediate_size, c.hidden_size, false,
               TensorRole::expert, e);
    out.matrix(p + std::string(family.up_name), c.moe_intermediate_size, c.hidden_size, false,
               TensorRole::expert, e);
    out.matrix(p + std::string(family.down_name), c.hidden_size, c.moe_intermediate_size, false,
               TensorRole::expert, e);
  }
  if (c.shared_intermediate_size > 0) {
    add_mlp(out, fmt::format("{}.{}", block, family.shared_name), c, c.shared_intermediate_size, false);
  }
  if (c.shared_gate) out.matrix(block + ".shared_expert_gate", 1, c.hidden_size);
}

std::int64_t elements(const TensorSpec& spec) {
  std::int64_t n = 1;
  for (const std::int64_t extent : spec.shape) n *= extent;
  return n;
}

std::int64_t cached_elements_per_token(const ModelConfig& c) {
  if (c.attention == AttentionKind::latent) return c.kv_lora_rank + c.qk_rope_head_dim;
  return 2 * c.num_key_value_heads * c.head_dim;
}

}  // namespace

std::string layer_prefix(std::int64_t layer) { return fmt::format("model.layers.{}", layer); }

std::string expert_prefix(const ModelConfig& config, std::int64_t layer, std::int64_t expert) {
  const Family* family = find_family(config.model_type);
  ASSAY_CHECK(family);
  return fmt::format("{}.{}.experts.{}", layer_prefix(layer), family->moe_block, expert);
}

std::vector<TensorSpec> tensors_of(const ModelConfig& c) {
  const Family* family = find_family(c.model_type);
  ASSAY_CHECK(family);
  ASSAY_CHECK(static_cast<std::int64_t>(c.layers.size()) == c.num_hidden_layers);
  SpecList out;
  out.matrix("model.embed_tokens", c.vocab_size, c.hidden_size, false, TensorRole::embedding);
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string p = layer_prefix(i);
    out.layer = i;
    out.norm(p + ".input_layernorm", c.hidden_size);
    (c.attention == AttentionKind::latent ? add_latent : add_grouped)(out, p + ".self_attn", c);
    out.norm(p + ".post_attention_layernorm", c.hidden_size);
    if (c.layers[static_cast<std::size_t>(i)].is_moe) {
      add_experts(out, c, *family, i);
    } else {
      add_mlp(out, p + ".mlp", c, c.intermediate_size, c.mlp_bias);
    }
  }
  out.layer = -1;
  out.norm("model.norm", c.hidden_size);
  if (!c.tie_word_embeddings) out.matrix("lm_head", c.vocab_size, c.hidden_size, false, TensorRole::head);
  return out.list;
}

ModelCounts count_model(const ModelConfig& c) {
  ModelCounts out;
  for (const TensorSpec& spec : tensors_of(c)) {
    const std::int64_t n = elements(spec);
    const bool active =
        spec.role != TensorRole::expert || spec.expert < c.router.n_chosen;  // any n_chosen of them
    out.params_total += n;
    out.params_active += active ? n : 0;
    const bool multiplied = spec.shape.size() == 2 && spec.role != TensorRole::embedding;
    out.forward_flops_per_token += active && multiplied ? 2 * n : 0;
  }
  if (c.tie_word_embeddings) out.forward_flops_per_token += 2 * c.vocab_size * c.hidden_size;
  const std::int64_t bytes = c.torch_dtype == "float32" ? 4 : 2;  // caches are kept in the model's own format
  out.kv_bytes_per_token = cached_elements_per_token(c) * c.num_hidden_layers * bytes;
  out.attention_flops_per_key =
      2 * c.num_attention_heads * (c.key_dim() + c.value_dim()) * c.num_hidden_layers;
  ASSAY_CHECK(out.params_active <= out.params_total);
  return out;
}

}  // namespace assay
