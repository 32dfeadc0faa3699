#include "reference/model/families.h"

namespace assay {
namespace {

// Sources: the modelling code that the authors published with each family (modeling_llama.py and so on in
// transformers for those whose authors published there; DeepSeek-V3 inference/model.py and
// modeling_deepseek.py for DeepSeek; torch/model.py of openai/gpt-oss).
constexpr Family kFamilies[] = {
    {.model_type = "llama", .architecture = "LlamaForCausalLM", .reads_attention_bias = true},
    {.model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .states_kv_heads = true,
     .states_window = true,
     .window = WindowRule::all_layers},
    {.model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .qkv_bias_always = true,
     .states_kv_heads = true,
     .window = WindowRule::upper_layers},
    {.model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .qk_norm = QkNorm::per_head,
     .reads_attention_bias = true,
     .states_kv_heads = true,
     .states_head_dim = true,
     .window = WindowRule::upper_layers},
    {.model_type = "mixtral",
     .architecture = "MixtralForCausalLM",
     .states_kv_heads = true,
     .window = WindowRule::all_layers,
     .moe = MoeStyle::mixtral,
     .default_rope_theta = 1e6,
     .moe_block = "block_sparse_moe",
     .gate_name = "w1",
     .up_name = "w3",
     .down_name = "w2"},
    {.model_type = "qwen2_moe",
     .architecture = "Qwen2MoeForCausalLM",
     .qkv_bias_always = true,
     .states_kv_heads = true,
     .window = WindowRule::refused,
     .moe = MoeStyle::qwen,
     .shared_name = "shared_expert"},
    {.model_type = "qwen3_moe",
     .architecture = "Qwen3MoeForCausalLM",
     .qk_norm = QkNorm::per_head,
     .reads_attention_bias = true,
     .states_kv_heads = true,
     .window = WindowRule::all_layers,
     .moe = MoeStyle::qwen},
    {.model_type = "olmoe",
     .architecture = "OlmoeForCausalLM",
     .qk_norm = QkNorm::whole,
     .reads_attention_bias = true,
     .moe = MoeStyle::olmoe},
    {.model_type = "deepseek_v2",
     .architecture = "DeepseekV2ForCausalLM",
     .attention = AttentionKind::latent,
     .reads_attention_bias = true,
     .moe = MoeStyle::deepseek,
     .shared_name = "shared_experts"},
    {.model_type = "deepseek_v3",
     .architecture = "DeepseekV3ForCausalLM",
     .attention = AttentionKind::latent,
     .reads_attention_bias = true,
     .moe = MoeStyle::deepseek,
     .shared_name = "shared_experts"},
    {.model_type = "granitemoe",
     .architecture = "GraniteMoeForCausalLM",
     .reads_attention_bias = true,
     .moe = MoeStyle::granite,
     .multipliers = true,
     .expert_storage = ExpertStorage::input_output,
     .moe_block = "block_sparse_moe",
     .router_name = "router.layer"},
    {.model_type = "granitemoeshared",
     .architecture = "GraniteMoeSharedForCausalLM",
     .reads_attention_bias = true,
     .moe = MoeStyle::granite,
     .multipliers = true,
     .expert_storage = ExpertStorage::input_output,
     .moe_block = "block_sparse_moe",
     .router_name = "router.layer",
     .shared_name = "shared_mlp"},
    {.model_type = "gpt_oss",
     .architecture = "GptOssForCausalLM",
     .reads_attention_bias = true,
     .attention_bias_default = true,
     .attention_sinks = true,
     .states_kv_heads = true,
     .states_head_dim = true,
     .states_window = true,
     .window = WindowRule::listed,
     .moe = MoeStyle::gpt_oss,
     .default_rope_theta = 150000,
     .expert_storage = ExpertStorage::interleaved,
     .router_name = "router"},
};

struct FamilyToCome {
  std::string_view model_type, name;
};
constexpr FamilyToCome kToCome[] = {
    {"deepseek_v32", "DeepSeek-V3.2"}, {"deepseek_v4", "DeepSeek-V4"}, {"kimi_k2", "Kimi-K2"},
    {"glm4_moe", "GLM-4.5"},           {"llama4", "Llama 4"},          {"llama4_text", "Llama 4"},
    {"qwen3_next", "Qwen3-Next"},      {"kimi_linear", "Kimi Linear"}, {"granitemoehybrid", "Granite 4"},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return &family;
  }
  return nullptr;
}

const Family& family_of(const ModelConfig& config) {
  const Family* family = find_family(config.model_type);
  ASSAY_CHECK(family);
  return *family;
}

std::string_view family_to_come(std::string_view model_type) {
  for (const FamilyToCome& family : kToCome) {
    if (family.model_type == model_type) return family.name;
  }
  return "";
}

}  // namespace assay
