#include "reference/model/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/stats/normal.h"
#include "kernels/contract.h"
#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "reference/weights/writer.h"

namespace assay {
namespace {

// Small models with the proportions of known ones: routing over many experts, latent or grouped attention, a large vocabulary.
constexpr RandomShape kShapes[] = {
    {"dsv2-s", "DeepSeek-V2's parts, 460 M parameters: 64 experts of 384, latent attention",
     R"({"model_type": "deepseek_v2", "architectures": ["DeepseekV2ForCausalLM"], "vocab_size": 16384, "hidden_size": 1024,
    "num_hidden_layers": 6, "first_k_dense_replace": 1, "intermediate_size": 4096, "num_attention_heads": 8, "q_lora_rank": 512,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64,
    "moe_intermediate_size": 384, "num_experts_per_tok": 6, "n_shared_experts": 2, "topk_method": "greedy", "n_group": 1,
    "topk_group": 1, "scoring_func": "softmax", "norm_topk_prob": false, "routed_scaling_factor": 1.0, "rope_theta": 10000,
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": false})"},
    {"dsv2l-x3", "three layers of DeepSeek-V2-Lite's widths with a low-rank query, 1.67 G parameters",
     R"({"model_type": "deepseek_v2", "architectures": ["DeepseekV2ForCausalLM"], "vocab_size": 102400, "hidden_size": 2048,
    "num_hidden_layers": 3, "first_k_dense_replace": 1, "intermediate_size": 10944, "num_attention_heads": 16, "q_lora_rank": 1536,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64,
    "moe_intermediate_size": 1408, "num_experts_per_tok": 6, "n_shared_experts": 2, "topk_method": "greedy", "n_group": 1,
    "topk_group": 1, "scoring_func": "softmax", "norm_topk_prob": false, "routed_scaling_factor": 1.0, "rope_theta": 10000,
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": false})"},
    {"mixtral-s", "Mixtral's parts, 487 M parameters: 8 experts of 3584",
     R"({"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "vocab_size": 16384, "hidden_size": 1024,
    "num_hidden_layers": 5, "intermediate_size": 3584, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64,
    "num_local_experts": 8, "num_experts_per_tok": 2, "rope_theta": 1000000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
    "hidden_act": "silu", "sliding_window": null, "tie_word_embeddings": false})"},
    {"qwen3moe-s", "Qwen3-MoE's parts, 458 M parameters: 128 experts of 256, normed heads",
     R"({"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "vocab_size": 16384, "hidden_size": 1024,
    "num_hidden_layers": 4, "intermediate_size": 256, "moe_intermediate_size": 256, "num_attention_heads": 16,
    "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": true,
    "decoder_sparse_step": 1, "mlp_only_layers": [], "rope_theta": 1000000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
    "hidden_act": "silu", "use_sliding_window": false, "attention_bias": false, "tie_word_embeddings": false})"},
    {"dense-s", "a dense Llama of 155 M parameters",
     R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 16384, "hidden_size": 1024,
    "num_hidden_layers": 8, "intermediate_size": 4096, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 64,
    "rope_theta": 10000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
    "mlp_bias": false, "tie_word_embeddings": false})"}};

// The normal distribution cut into 65536 pieces of the same probability, each by its median: one look-up a number.
constexpr std::size_t kNormalPieces = std::size_t{1} << 16;
std::vector<float> unit_normals() {
  std::vector<float> out(kNormalPieces);
  for (std::size_t i = 0; i < kNormalPieces / 2; ++i) {
    const long double tail = (static_cast<long double>(i) + 0.5L) / kNormalPieces;
    out[i] = static_cast<float>(stats::normal_critical_value(tail));
    out[kNormalPieces - 1 - i] = -out[i];
  }
  return out;
}

std::vector<std::uint16_t> scaled_to_bf16(const std::vector<float>& unit, double deviation) {
  std::vector<std::uint16_t> out(unit.size());
  for (std::size_t i = 0; i < unit.size(); ++i)
    out[i] = f32_to_bf16(static_cast<float>(deviation * double{unit[i]}));
  return out;
}

void draw_normals(const std::vector<std::uint16_t>& table, Stream random, std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    const std::uint32_t r = random.u32();
    const std::uint16_t two[] = {table[r & 0xffffU], table[r >> 16]};
    std::memcpy(bytes.data() + at, two, std::min<std::size_t>(4, bytes.size() - at));
  }
}

void fill_with_code(std::uint16_t code, std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 2) std::memcpy(bytes.data() + at, &code, 2);
}

void fill_tensor(const std::vector<float>& unit, const TensorSpec& spec, Stream random,
                 std::span<std::byte> bytes) {
  if (spec.role == TensorRole::norm) return fill_with_code(f32_to_bf16(1.0f), bytes);
  if (spec.shape.size() < 2) return fill_with_code(0, bytes);
  draw_normals(scaled_to_bf16(unit, 1 / std::sqrt(static_cast<double>(spec.shape.back()))), random, bytes);
}

}  // namespace

std::span<const RandomShape> random_shapes() { return kShapes; }

const RandomShape* find_random_shape(std::string_view name) {
  const auto found = std::find_if(std::begin(kShapes), std::end(kShapes),
                                  [&](const RandomShape& s) { return s.name == name; });
  return found == std::end(kShapes) ? nullptr : found;
}

Status write_random_model(std::string_view config_json, const std::string& folder, std::uint64_t seed) {
  ASSAY_TRY(const Json json, parse_json(config_json, folder + "/config.json"));
  ASSAY_TRY(const ModelConfig config, parse_model_config(json, folder + "/config.json"));
  const std::vector<TensorSpec> specs = tensors_of(config);
  std::vector<TensorOut> tensors;
  for (const TensorSpec& spec : specs) {
    if (spec.store != TensorStore::numbers) {
      return Error{.code = Code::unsupported,
                   .message = "random weights are made of plain numbers only",
                   .field = spec.name,
                   .expected = "a model without MXFP4 experts"};
    }
    tensors.push_back({.name = spec.name, .format = Format::BF16, .shape = spec.shape, .bytes = {}});
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return Error{.code = Code::io, .message = "cannot make the folder: " + error.message(), .file = folder};
  ASSAY_OK(write_file_atomic(folder + "/config.json", std::string(config_json) + "\n"));
  const std::vector<float> unit = unit_normals();
  return write_safetensors_made(folder + "/model.safetensors", tensors,
                                [&](std::size_t i, std::span<std::byte> bytes) {
                                  fill_tensor(unit, specs[i], Stream(seed, i), bytes);
                                  return Status();
                                });
}

}  // namespace assay
