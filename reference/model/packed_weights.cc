#include "reference/model/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "reference/model/families.h"
#include "reference/model/tensors.h"

namespace assay {
namespace {

struct Part {  // a matrix to be packed with others: name without ".weight", outputs
  std::string name;
  std::int64_t n_out;
  bool bias = false;
};

class Packer {
 public:
  Packer(const ModelFiles& files, Recipe recipe)
      : files_(files), recipe_(recipe), block_(block_size_of(files.config)) {}

  Status norm(const std::string& name, std::int64_t n, std::vector<float>& out) {
    return vector(name + ".weight", n, out);
  }

  Status vector(const std::string& name, std::int64_t n, std::vector<float>& out) {
    const std::int64_t shape[] = {n};
    ASSAY_TRY(out, load_f32(files_.checkpoint, name, shape, recipe_, block_));
    return {};
  }

  Status linear(const std::vector<Part>& parts, std::int64_t n_in, PackedLinear& out) {
    std::int64_t n_out = 0;
    bool all_bf16 = true;
    for (const Part& part : parts) {
      const std::int64_t shape[] = {part.n_out, n_in};
      ASSAY_TRY(const TensorView* view, files_.checkpoint.need(part.name + ".weight", shape));
      all_bf16 = all_bf16 && view->format == Format::BF16;
      n_out += part.n_out;
    }
    const WeightFormat format = all_bf16 ? WeightFormat::bf16 : WeightFormat::f32;
    const std::size_t bytes = (packed_bytes(format, n_out, n_in) + 63) / 64 * 64;
    out.memory.reset(std::aligned_alloc(64, bytes));
    if (!out.memory) {
      return Error{.code = Code::memory_limit,
                   .message = "there is not enough memory for the weights",
                   .field = parts[0].name,
                   .expected = fmt::format("{} bytes", bytes)};
    }
    bytes_ += bytes;
    ASSAY_OK(all_bf16 ? pack_bf16(parts, n_out, n_in, out) : pack_f32(parts, n_out, n_in, out));
    ASSAY_CHECK(out.matrix.n_out == n_out && out.matrix.n_in == n_in);
    return biases(parts, out);
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  Status pack_bf16(const std::vector<Part>& parts, std::int64_t n_out, std::int64_t n_in, PackedLinear& out) {
    std::vector<std::uint16_t> rows;
    rows.reserve(static_cast<std::size_t>(n_out * n_in));
    for (const Part& part : parts) {
      const TensorView* view = files_.checkpoint.find(part.name + ".weight");
      const std::size_t at = rows.size();
      rows.resize(at + view->bytes.size() / 2);
      std::memcpy(rows.data() + at, view->bytes.data(), view->bytes.size());
      files_.checkpoint.release(*view);
    }
    out.matrix = pack(rows.data(), WeightFormat::bf16, n_out, n_in, out.memory.get());
    return {};
  }

  Status pack_f32(const std::vector<Part>& parts, std::int64_t n_out, std::int64_t n_in, PackedLinear& out) {
    std::vector<float> rows;
    rows.reserve(static_cast<std::size_t>(n_out * n_in));
    for (const Part& part : parts) {
      const std::int64_t shape[] = {part.n_out, n_in};
      ASSAY_TRY(const std::vector<float> one,
                load_f32(files_.checkpoint, part.name + ".weight", shape, recipe_, block_));
      rows.insert(rows.end(), one.begin(), one.end());
      files_.checkpoint.release(*files_.checkpoint.find(part.name + ".weight"));
    }
    out.matrix = pack(rows.data(), WeightFormat::f32, n_out, n_in, out.memory.get());
    return {};
  }

  Status biases(const std::vector<Part>& parts, PackedLinear& out) {
    const bool any = std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.bias; });
    if (!any) return {};
    for (const Part& part : parts) {
      std::vector<float> one(static_cast<std::size_t>(part.n_out), -0.0f);  // x + -0 is x
      if (part.bias) ASSAY_OK(vector(part.name + ".bias", part.n_out, one));
      out.bias.insert(out.bias.end(), one.begin(), one.end());
    }
    return {};
  }

  const ModelFiles& files_;
  Recipe recipe_;
  BlockSize block_;
  std::uint64_t bytes_ = 0;
};

Status pack_latent(Packer& from, const ModelConfig& c, const std::string& p, PackedLayer& l) {
  const std::int64_t q = c.num_attention_heads * c.key_dim(), kv = c.kv_lora_rank + c.qk_rope_head_dim;
  const bool low_rank = c.q_lora_rank > 0;
  const Part first = low_rank ? Part{p + ".q_a_proj", c.q_lora_rank, c.qkv_bias} : Part{p + ".q_proj", q};
  ASSAY_OK(from.linear({first, {p + ".kv_a_proj_with_mqa", kv, c.qkv_bias}}, c.hidden_size, l.inputs));
  if (low_rank) {
    ASSAY_OK(from.norm(p + ".q_a_layernorm", c.q_lora_rank, l.q_a_norm));
    ASSAY_OK(from.linear({{p + ".q_b_proj", q}}, c.q_lora_rank, l.q_b));
  }
  ASSAY_OK(from.norm(p + ".kv_a_layernorm", c.kv_lora_rank, l.kv_a_norm));
  return from.linear({{p + ".kv_b_proj", c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim)}},
                     c.kv_lora_rank, l.kv_b);
}

Status pack_grouped(Packer& from, const ModelConfig& c, const std::string& p, PackedLayer& l) {
  const std::int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  ASSAY_OK(from.linear(
      {{p + ".q_proj", q, c.qkv_bias}, {p + ".k_proj", kv, c.qkv_bias}, {p + ".v_proj", kv, c.qkv_bias}},
      c.hidden_size, l.inputs));
  if (c.qk_norm == QkNorm::none) return {};
  const bool whole = c.qk_norm == QkNorm::whole;
  ASSAY_OK(from.norm(p + ".q_norm", whole ? q : c.head_dim, l.q_norm));
  return from.norm(p + ".k_norm", whole ? kv : c.head_dim, l.k_norm);
}

Status pack_mlp(Packer& from, const std::string& gate, const std::string& up, const std::string& down,
                std::int64_t hidden, std::int64_t inner, bool bias, PackedMlp& out) {
  ASSAY_OK(from.linear({{gate, inner, bias}, {up, inner, bias}}, hidden, out.gate_up));
  return from.linear({{down, hidden, bias}}, inner, out.down);
}

Status pack_experts(Packer& from, const ModelConfig& c, const Family& f, std::int64_t layer, PackedLayer& l) {
  const std::string p = fmt::format("{}.{}", layer_prefix(layer), f.moe_block);
  ASSAY_OK(from.linear({{p + ".gate", c.router.n_experts}}, c.hidden_size, l.router));
  if (c.router.correction_bias)
    ASSAY_OK(from.vector(p + ".gate.e_score_correction_bias", c.router.n_experts, l.correction));
  l.experts.resize(static_cast<std::size_t>(c.router.n_experts));
  for (std::size_t e = 0; e < l.experts.size(); ++e) {
    const std::string expert = expert_prefix(c, layer, static_cast<std::int64_t>(e));
    ASSAY_OK(pack_mlp(from, fmt::format("{}.{}", expert, f.gate_name),
                      fmt::format("{}.{}", expert, f.up_name), fmt::format("{}.{}", expert, f.down_name),
                      c.hidden_size, c.moe_intermediate_size, false, l.experts[e]));
  }
  if (c.shared_gate) ASSAY_OK(from.linear({{p + ".shared_expert_gate", 1}}, c.hidden_size, l.shared_gate));
  if (c.shared_intermediate_size == 0) return {};
  const std::string shared = fmt::format("{}.{}", p, f.shared_name);
  return pack_mlp(from, shared + ".gate_proj", shared + ".up_proj", shared + ".down_proj", c.hidden_size,
                  c.shared_intermediate_size, false, l.shared);
}

Status pack_layer(Packer& from, const ModelConfig& c, const Family& family, std::int64_t i, PackedLayer& l) {
  const std::string p = layer_prefix(i), attention = p + ".self_attn", mlp = p + ".mlp";
  ASSAY_OK(from.norm(p + ".input_layernorm", c.hidden_size, l.input_norm));
  ASSAY_OK(from.norm(p + ".post_attention_layernorm", c.hidden_size, l.post_norm));
  ASSAY_OK(c.attention == AttentionKind::latent ? pack_latent(from, c, attention, l)
                                                : pack_grouped(from, c, attention, l));
  ASSAY_OK(from.linear({{attention + ".o_proj", c.hidden_size, c.o_bias}},
                       c.num_attention_heads * c.value_dim(), l.o));
  if (c.layers[static_cast<std::size_t>(i)].is_moe) return pack_experts(from, c, family, i, l);
  return pack_mlp(from, mlp + ".gate_proj", mlp + ".up_proj", mlp + ".down_proj", c.hidden_size,
                  c.intermediate_size, c.mlp_bias, l.dense);
}

}  // namespace

Result<PackedModel> pack_model(const ModelFiles& files, Recipe recipe) {
  const ModelConfig& c = files.config;
  const Family* family = find_family(c.model_type);
  ASSAY_CHECK(family);
  Packer packer(files, recipe);
  PackedModel out;
  out.layers.resize(static_cast<std::size_t>(c.num_hidden_layers));
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    ASSAY_OK(pack_layer(packer, c, *family, i, out.layers[static_cast<std::size_t>(i)]));
  }
  ASSAY_OK(packer.norm("model.norm", c.hidden_size, out.norm));
  ASSAY_OK(packer.linear({{c.tie_word_embeddings ? "model.embed_tokens" : "lm_head", c.vocab_size}},
                         c.hidden_size, out.head));
  out.bytes = packer.bytes();
  return out;
}

}  // namespace assay
