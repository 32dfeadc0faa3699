// Rounding activations to FP8 as FP8 checkpoints are served: the arithmetic of the activation side of a recipe.
// The engine's recipes keep activations in f32; these functions say what a claim measured on quantised
// activations went through, and are what such a recipe is to be built from.
//
//   per token and block   s = max(amax, 1e-4) / 448 over 128 channels of one token, q = e4m3(x / s)
//                         (DeepSeek-V3 inference/kernel.py act_quant_kernel)
//   per tensor            s = max(amax, 1e-4) / 448 over the valid rows of a batch. Rows that only fill a batch
//                         up hold anything and must not count (SGLang PR 26133).
#pragma once
#include <cstdint>
#include <span>

namespace assay {

inline constexpr float kE4m3Max = 448.0F;
inline constexpr float kSmallestAmax = 1e-4F;  // act_quant_kernel's clamp

// Nearest even; beyond 448 the largest number, NaN stays NaN (0x7F).
std::uint8_t round_e4m3(float value);

// x (n_tokens, n) becomes what its codes mean: e4m3(x / s) * s. The last block of a row may be partial.
void round_activations_by_block(std::span<float> x, std::int64_t n_tokens, std::int64_t n,
                                std::int64_t block = 128);
// Likewise with one scale for x (n_rows, n), of which the first n_valid rows count. Gives the scale.
float round_activations_by_tensor(std::span<float> x, std::int64_t n_rows, std::int64_t n_valid,
                                  std::int64_t n);

}  // namespace assay
