// Number formats of stored tensors: safetensors names and widths (safetensors/src/tensor.rs, `Dtype`), and the blocks of
// GGUF files (ggml/src/ggml-common.h), in which neighbours along a row share scales.
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
  C64,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  MXFP4
};

std::span<const Format> all_formats();                      // of safetensors
std::string_view name_of(Format format);                    // "F8_E4M3"
std::optional<Format> format_named(std::string_view name);  // of safetensors
int bits_of(Format format);  // of safetensors, per element; F4 and F6 share bytes between elements

// Elements that are stored together, and the bytes they take: {1, 4} for F32, {256, 144} for Q4_K.
struct BlockShape {
  int elements, bytes;
};
BlockShape block_shape(Format format);

// True for the block formats of GGUF, which reference/weights/gguf_blocks.h reads.
inline bool is_gguf_block(Format format) { return format >= Format::Q4_0; }

// The two formats that DeepSeek-V3 style checkpoints store matrices in, scaled by a second tensor.
inline bool is_fp8_matrix(Format format) { return format == Format::F8_E4M3 || format == Format::F8_E5M2; }

}  // namespace assay
