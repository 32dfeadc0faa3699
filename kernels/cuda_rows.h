// Norm, gating, mixture, rotation and other elementwise kernels, in the contract's order (kernels/contract.h, "rows"). Included after
// cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_math.h"

namespace assay {
namespace {

// One thread an element: Op has n, the number of elements, and at(i).
template <class Op>
struct EachElement {
  static constexpr int kThreads = 256;
  static constexpr std::size_t kSharedBytes = 0;
  Op op;
  std::int64_t blocks() const { return (op.n + kThreads - 1) / kThreads; }
  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    b.each([&](int t) {
      const std::int64_t i = b.index * kThreads + t;
      if (i < op.n) op.at(i);
    });
  }
};

struct GateOp {
  std::int64_t n, inner;
  const float* gate_up;
  SwigluClamp clamp;
  float* y;
  ASSAY_GPU void at(std::int64_t i) const {
    const float* const row = gate_up + i / inner * 2 * inner + i % inner;
    y[i] =
        clamp.limit == 0.0f ? gpu_silu(row[0]) * row[inner] : gpu_clamped_swiglu(clamp, row[0], row[inner]);
  }
};

struct AddScaledOp {
  std::int64_t n, width;
  float a;
  const float *factors, *x;
  float* y;
  ASSAY_GPU void at(std::int64_t i) const {
    y[i] = fused(factors == nullptr ? a : factors[i / width], x[i], y[i]);
  }
};

struct CombineOp {
  std::int64_t n, width, top_k;
  const float* expert_out;
  const std::int32_t* slots;
  const float* weights;
  float* y;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t row = i / width, column = i % width;
    float sum = 0.0f;
    for (std::int64_t k = row * top_k; k < (row + 1) * top_k; ++k) {
      if (slots[k] >= 0) sum = fused(weights[k], expert_out[slots[k] * width + column], sum);
    }
    y[i] = sum;
  }
};

struct RotaryOp {
  std::int64_t n, n_pairs;
  DeviceHeads x;
  RotaryPairs pairs;
  const float *cos_rows, *sin_rows;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t pair = i % n_pairs, head = i / n_pairs % x.n_heads, row = i / n_pairs / x.n_heads;
    float* const first = x.data + row * x.row_stride + head * x.head_stride +
                         (pairs == RotaryPairs::interleaved ? 2 * pair : pair);
    float* const second = first + (pairs == RotaryPairs::interleaved ? 1 : n_pairs);
    const float a = *first, b = *second, cos = cos_rows[row * n_pairs + pair],
                sin = sin_rows[row * n_pairs + pair];
    *first = fused(a, cos, -(b * sin));
    *second = fused(b, cos, a * sin);
  }
};

struct ClipOp {
  std::int64_t n, width, stride;
  float limit;
  float* x;
  ASSAY_GPU void at(std::int64_t i) const {
    float& value = x[i / width * stride + i % width];
    value = value < -limit ? -limit : limit < value ? limit : value;
  }
};

struct SigmoidOp {
  std::int64_t n;
  float* x;
  ASSAY_GPU void at(std::int64_t i) const { x[i] = gpu_sigmoid(x[i]); }
};

struct RoundBf16Op {
  std::int64_t n;
  const float* x;
  float* y;
  ASSAY_GPU void at(std::int64_t i) const { y[i] = widened_bf16(rounded_bf16(x[i])); }
};

struct DivideOp {
  std::int64_t n;
  float* x;
  float by;
  ASSAY_GPU void at(std::int64_t i) const { x[i] = x[i] / by; }
};

struct BiasOp {
  std::int64_t n, width;
  const float* bias;
  float* y;
  std::int64_t stride;
  ASSAY_GPU void at(std::int64_t i) const { y[i / width * stride + i % width] += bias[i % width]; }
};

struct GatherOp {
  std::int64_t n, width;
  const float* x;
  const std::int32_t* rows;
  float* y;
  ASSAY_GPU void at(std::int64_t i) const { y[i] = x[rows[i / width] * width + i % width]; }
};

// Rows as bf16 with zeros up to the stride: inputs of the tensor cores. rows may name which.
struct ToBf16Op {
  std::int64_t n, width, stride;  // n = rows * stride
  const float* x;
  std::int64_t x_stride;
  const std::int32_t* rows;
  std::uint16_t* y;
  ASSAY_GPU void at(std::int64_t i) const {
    const std::int64_t row = i / stride, column = i % stride;
    const std::int64_t from = rows == nullptr ? row : rows[row];
    y[i] = column < width ? rounded_bf16(x[from * x_stride + column]) : std::uint16_t{0};
  }
};

// Rows quantised to e4m3 by blocks of 128: their codes as bf16 numbers (exact), and optionally as bytes for cuBLASLt, with the scales
// (n_rows, n_blocks), or (n_blocks, scale_stride) where scale_stride is given. One block of threads for each block of a row.
struct QuantiseKernel {
  static constexpr int kThreads = 128;
  static constexpr std::size_t kSharedBytes = kThreads * sizeof(float);
  const float* x;
  std::int64_t n_rows, n, x_stride, n_blocks;
  std::uint16_t* codes;  // (n_rows, stride) or nullptr
  std::uint8_t* bytes;   // (n_rows, byte_stride) or nullptr
  std::int64_t stride, byte_stride;
  float* scales;
  std::int64_t scale_stride;
  std::int64_t blocks() const { return n_rows * n_blocks; }
  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const largest = reinterpret_cast<float*>(b.shared);
    const std::int64_t row = b.index / n_blocks, block = b.index % n_blocks;
    b.phase([&](int t) {
      const std::int64_t k = block * kFp8Inputs + t;
      largest[t] = k < n ? float_of_bits(bits_of(x[row * x_stride + k]) & 0x7fffffffu) : 0.0f;
    });
    for (int step = kThreads / 2; step > 0; step /= 2) {
      b.phase([&](int t) {
        if (t < step) largest[t] = larger(largest[t + step], largest[t]);
      });
    }
    b.each([&](int t) {
      const std::int64_t k = block * kFp8Inputs + t;
      const float scale = larger(largest[0], 1e-4f) / 448.0f;
      if (t == 0) scales[scale_stride > 0 ? block * scale_stride + row : row * n_blocks + block] = scale;
      const std::uint32_t code = k < n ? rounded_e4m3(x[row * x_stride + k] / scale) : 0u;
      if (codes != nullptr && k < stride) codes[row * stride + k] = rounded_bf16(gpu_e4m3(code));
      if (bytes != nullptr && k < byte_stride) bytes[row * byte_stride + k] = static_cast<std::uint8_t>(code);
    });
  }
};

// y = (x * r) * weight. One block a head: thread j < 16 has partial sum j, thread 0 the tree.
struct RmsNormKernel {
  static constexpr int kThreads = 128;
  static constexpr std::size_t kSharedBytes = 17 * sizeof(float);
  const float* x;
  std::int64_t n_rows, row_stride, n_heads, head_stride;
  const float* weight;
  std::int64_t n;
  float eps;
  float* y;
  std::int64_t y_row_stride, y_head_stride;
  std::int64_t blocks() const { return n_rows * n_heads; }
  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const sums = reinterpret_cast<float*>(b.shared);
    const std::int64_t row = b.index / n_heads, head = b.index % n_heads;
    const float* const from = x + row * row_stride + head * head_stride;
    float* const to = y + row * y_row_stride + head * y_head_stride;
    b.phase([&](int t) {
      if (t >= 16) return;
      float partial = 0.0f;
      for (std::int64_t i = t; i < n; i += 16) partial = fused(from[i], from[i], partial);
      sums[t] = partial;
    });
    b.phase([&](int t) {
      if (t == 0) sums[16] = 1.0f / square_root(gpu_tree(sums) / static_cast<float>(n) + eps);
    });
    b.each([&](int t) {
      for (std::int64_t i = t; i < n; i += kThreads) to[i] = (from[i] * sums[16]) * weight[i];
    });
  }
};

}  // namespace
}  // namespace assay
