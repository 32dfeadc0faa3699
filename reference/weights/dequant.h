// Stored numbers to f32 and f64. Widening is exact; block scales follow a named recipe (DESIGN, "Canonical
// arithmetic"). MXFP4 is in mxfp4.h.
//
// FP8 matrices X (rows, cols) carry a second tensor X_scale_inv, possibly in another shard, that multiplies in spite of
// its name (DeepSeek-V3 README_WEIGHTS.md, inference/kernel.py `weight_dequant_kernel`); where there is none, X_scale
// (what vLLM and its compressor write), which multiplies too. Its shape says what it scales: (cdiv(rows, 128),
// cdiv(cols, 128)) blocks, those at the edges partial; () or (1) the whole tensor. F32, F8_E8M0, BF16 or F16. A matrix
// without its scale is refused, never passed through.
//
//   dequant-f32    value = float(code) * float(scale), rounded once to f32
//   dequant-bf16   the same, then rounded to bf16 (nearest even), as DeepSeek's fp8_cast_bf16.py stores it
//
// and what others have been seen to do, so that their numbers can be reproduced:
//   dequant-bf16-scale    the scale is rounded to bf16 first
//   dequant-divided       float(code) / float(scale), as the name `_inv` suggests
//   dequant-first-scale   the first scale for the whole matrix, as if it had one scale a tensor
//   dequant-floor-stride  rows of scales taken to be floor(cols / block) long instead of cdiv, as the docstring of
//                         `weight_dequant` says: another block's scale wherever a partial block hangs over
//   dequant-unscaled      the codes alone, as fp8_cast_bf16.py passes them on where it does not find the scale
//   mxfp4-high-first      MXFP4 with the earlier of two inputs in the high nibble
//
// Blocks of GGUF files have one reading, that of ggml (gguf_blocks.h), under every recipe.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/weights/checkpoint.h"

namespace assay {

enum class Recipe : std::uint8_t {
  dequant_f32,
  dequant_bf16,
  dequant_bf16_scale,
  dequant_divided,
  dequant_first_scale,
  dequant_floor_stride,
  dequant_unscaled,
  mxfp4_high_first
};
std::string_view name_of(Recipe recipe);  // "dequant-f32"

struct BlockSize {  // quantization_config.weight_block_size; DeepSeek's is 128 x 128
  std::int64_t rows = 128, cols = 128;
  bool stated = true;  // false: no configuration says so, and a scale (1, 1) is one of the whole tensor
};

// Exact widening of one code. NaN codes give a quiet NaN.
float widen_bf16(std::uint16_t code);
float widen_f16(std::uint16_t code);
float widen_e4m3(std::uint8_t code);    // OCP "fn": no infinities, 0x7F and 0xFF are NaN, largest 448
float widen_e5m2(std::uint8_t code);    // IEEE-like: 0x7C infinite
float widen_e8m0(std::uint8_t code);    // 2^(code - 127), 0xFF is NaN; code 0 is the subnormal 2^-127
std::uint16_t round_bf16(float value);  // nearest even, NaN stays NaN

void round_to_bf16(std::span<float> values);  // each, and widened again

// True where load_f32 can read the format by itself or with a scale.
bool is_number_format(Format format);

// "X.weight" -> "X.weight_scale_inv", or "X.weight_scale" where that is what is stored.
std::string scale_name(const Checkpoint& checkpoint, std::string_view name);
// True for the scales of another tensor (FP8, MXFP4): not parameters, and no weight by themselves.
bool is_block_scale(const Checkpoint& checkpoint, const TensorView& view);
// Numbers that the tensor stands for: 0 for scales, two a byte for MXFP4, its elements otherwise.
std::int64_t numbers_of(const Checkpoint& checkpoint, const TensorView& view);

// The scales of an FP8 matrix.
struct BlockScales {
  BlockSize block;          // at least the matrix where one scale serves all of it
  std::int64_t n_cols = 1;  // blocks side by side
  std::vector<float> values;
  float at(std::int64_t row, std::int64_t col) const {
    return values[static_cast<std::size_t>(row / block.rows * n_cols + col / block.cols)];
  }
};
Result<BlockScales> load_scales(const Checkpoint& checkpoint, const TensorView& view, BlockSize block = {});

// The tensor `name`, of exactly `shape`, as row-major numbers. Formats: F64 (rounded to f32), F32, BF16, F16,
// FP8 with scales, blocks of GGUF.
Result<std::vector<float>> load_f32(const Checkpoint& checkpoint, std::string_view name,
                                    std::span<const std::int64_t> shape, Recipe recipe = Recipe::dequant_f32,
                                    BlockSize block = {});
// For the oracle path: the same values, exact, except that F64 is kept. The recipes are defined in f32, so
// FP8 values are those of load_f32.
Result<std::vector<double>> load_f64(const Checkpoint& checkpoint, std::string_view name,
                                     std::span<const std::int64_t> shape, Recipe recipe = Recipe::dequant_f32,
                                     BlockSize block = {});
// Rows [first, first + n) of a tensor of rank >= 1, without checking its shape: for work in slices. `out`
// holds n * the product of the other extents.
Status load_rows_f32(const Checkpoint& checkpoint, const TensorView& view, std::int64_t first, std::int64_t n,
                     std::span<float> out, Recipe recipe = Recipe::dequant_f32, BlockSize block = {});

// The scale that multiplies each of those elements: 1 where the format has none; in blocks of GGUF the step between neighbours.
Status load_row_scales(const Checkpoint& checkpoint, const TensorView& view, std::int64_t first,
                       std::int64_t n, std::span<float> out, BlockSize block = {});

// Half the distance between neighbouring numbers of `format` times `scale` around `value`: what rounding to nearest can
// have moved it by. 0 for F64; the whole step in blocks of GGUF.
double half_step(Format format, double scale, double value);

}  // namespace assay
