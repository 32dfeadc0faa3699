#include "reference/model/families.h"

namespace assay {
namespace {

using enum AttentionKind;

// Sources: the modelling code that the authors published with each family (modeling_llama.py and so on in
// transformers for those whose authors published there; DeepSeek-V3 inference/model.py and
// modeling_deepseek.py for DeepSeek).
constexpr Family kFamilies[] = {
    {"llama", "LlamaForCausalLM", grouped, QkNorm::none, false, true, WindowRule::none, MoeStyle::dense, 1e4,
     "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"mistral", "MistralForCausalLM", grouped, QkNorm::none, false, false, WindowRule::all_layers,
     MoeStyle::dense, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"qwen2", "Qwen2ForCausalLM", grouped, QkNorm::none, true, false, WindowRule::upper_layers,
     MoeStyle::dense, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"qwen3", "Qwen3ForCausalLM", grouped, QkNorm::per_head, false, true, WindowRule::upper_layers,
     MoeStyle::dense, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"mixtral", "MixtralForCausalLM", grouped, QkNorm::none, false, false, WindowRule::all_layers,
     MoeStyle::mixtral, 1e6, "block_sparse_moe", "w1", "w3", "w2", ""},
    {"qwen2_moe", "Qwen2MoeForCausalLM", grouped, QkNorm::none, true, false, WindowRule::refused,
     MoeStyle::qwen, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", "shared_expert"},
    {"qwen3_moe", "Qwen3MoeForCausalLM", grouped, QkNorm::per_head, false, true, WindowRule::all_layers,
     MoeStyle::qwen, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"olmoe", "OlmoeForCausalLM", grouped, QkNorm::whole, false, true, WindowRule::none, MoeStyle::olmoe, 1e4,
     "mlp", "gate_proj", "up_proj", "down_proj", ""},
    {"deepseek_v2", "DeepseekV2ForCausalLM", latent, QkNorm::none, false, true, WindowRule::none,
     MoeStyle::deepseek, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", "shared_experts"},
    {"deepseek_v3", "DeepseekV3ForCausalLM", latent, QkNorm::none, false, true, WindowRule::none,
     MoeStyle::deepseek, 1e4, "mlp", "gate_proj", "up_proj", "down_proj", "shared_experts"},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  for (const Family& family : kFamilies) {
    if (family.model_type == model_type) return &family;
  }
  return nullptr;
}

}  // namespace assay
