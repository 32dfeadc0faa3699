// Recipes of arithmetic: ways to compute the same formulas that round elsewhere. A run has one for all its tokens, and its row names it.
#pragma once
#include <string>
#include <string_view>

#include "reference/model/config.h"

namespace assay {

// MLA in its absorbed form (DeepSeek-V3 inference/model.py, attn_impl "absorb"; DeepSeek-V2 2405.04434 section 2.1): of kv_b, dequantised
// to f32, the keys' half leads each query into the latent space, where all heads read one key per token, its normed latent and its
// rotated part; the latent is also the value, and the values' half of kv_b leads what was read back. Besides matmul() and
// latent_attention() (kernels/contract.h) nothing rounds. Keys and values of a token take kv_lora_rank + qk_rope_head_dim numbers.
inline constexpr std::string_view kMlaAbsorbed = "mla-absorbed";

// Chooses a recipe by name; "" leaves the configuration as it is. Code::usage for another name, and for a model that has no such part.
Status set_recipe(ModelConfig& config, std::string_view name);

// How weights are widened, and what set_recipe chose: "dequant-f32", "dequant-f32, mla-absorbed".
std::string recipe_of(const ModelConfig& config);

}  // namespace assay
