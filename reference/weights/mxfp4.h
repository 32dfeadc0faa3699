// MXFP4 as gpt-oss is published (OCP Microscaling Formats 1.0; openai/gpt-oss torch/weights.py): a tensor X of
// (n_experts, n_out, n_in) numbers is stored as X_blocks, U8 (n_experts, n_out, n_in / 32, 16), two codes a byte with the
// earlier input in the low nibble, and X_scales, U8 (n_experts, n_out, n_in / 32), the exponent of a power of two with
// bias 127 (255 is NaN). A number is code value * 2^(scale - 127): exact in f32, and in bf16, whose exponents are the
// same, but for scales of 253 and 254, where the larger codes are infinite in both.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "reference/weights/checkpoint.h"

namespace assay {

inline constexpr std::int64_t kMxfp4Block = 32;  // inputs that share a scale

std::string mxfp4_blocks_name(std::string_view name);  // "X" -> "X_blocks"
std::string mxfp4_scales_name(std::string_view name);
// True for the codes, or the scales, of a tensor stored so: both must be there.
bool is_mxfp4_blocks(const Checkpoint& checkpoint, const TensorView& view);
bool is_mxfp4_scales(const Checkpoint& checkpoint, const TensorView& view);

float widen_e2m1(std::uint8_t code);  // the low four bits: sign, two of exponent, one of mantissa

struct Mxfp4Tensor {
  const TensorView *blocks = nullptr, *scales = nullptr;
  std::int64_t n_out = 0, n_in = 0;

  std::span<const std::byte> codes(std::int64_t expert, std::int64_t row) const;       // (n_in / 2)
  std::span<const std::byte> row_scales(std::int64_t expert, std::int64_t row) const;  // (n_in / 32)
  void widen(std::int64_t expert, std::int64_t row, std::span<float> out) const;       // (n_in)
};

// Missing tensors, other shapes and formats are refused. n_in is a multiple of 32.
Result<Mxfp4Tensor> find_mxfp4(const Checkpoint& checkpoint, std::string_view name, std::int64_t n_experts,
                               std::int64_t n_out, std::int64_t n_in);

}  // namespace assay
