// Blocks of GGUF files to f32, with the arithmetic of ggml (dequantize_row_* in ggml/src/ggml-quants.c; the layouts are the
// block_* structures of ggml-common.h): f16 scales widened exactly, then f32 products and sums in ggml's order, each rounded
// once, nothing fused.
//
//   Q4_0 Q5_0 Q8_0   value = q d                  q signed
//   Q4_1 Q5_1        value = q d + m              q unsigned
//   Q2_K Q4_K Q5_K   value = q (d s) - (dmin n)   s, n: small integers of the 16 or 32 elements' group
//   Q3_K Q6_K        value = q (d s)              q and s signed
//   MXFP4            value = e2m1(q) 2^(e - 127)  exact; e = 255 is 2^128 / 2 times the doubled code, as in ggml, not NaN
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "reference/weights/format.h"

namespace assay {

// Elements [first, first + out.size()) of a run of blocks; `first` and the end may lie within a block.
void widen_gguf_blocks(Format format, const std::byte* blocks, std::int64_t first, std::span<float> out);

// The distance between neighbouring values at each of those elements: how far a quantiser that rounds can have moved it.
void gguf_block_steps(Format format, const std::byte* blocks, std::int64_t first, std::span<float> out);

}  // namespace assay
