// Number formats of stored tensors: safetensors names and widths (safetensors/src/tensor.rs, `Dtype`).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace assay {

enum class Format : std::uint8_t {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E4M3,
  F8_E5M2,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  I64,
  U64,
  F64,
  C64
};

std::span<const Format> all_formats();
std::string_view name_of(Format format);  // "F8_E4M3"
std::optional<Format> format_named(std::string_view name);
int bits_of(Format format);  // per element; F4 and F6 share bytes between elements

// The two formats that DeepSeek-V3 style checkpoints store matrices in, scaled by a second tensor.
inline bool is_fp8_matrix(Format format) { return format == Format::F8_E4M3 || format == Format::F8_E5M2; }

}  // namespace assay
