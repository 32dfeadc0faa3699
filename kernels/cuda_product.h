// The matrix product in the contract's own order (k in blocks of 512, one fma chain an element, blocks added ascending): the bits of the CPU.
// Fixed tiles, no atomics, no split of k. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_unpack.h"

namespace assay {
namespace {

// One tile of tokens of one product. All products of a call lie in one array on the device, and so do their tiles.
struct ProductTile {
  std::int32_t product, first_token;
};

struct CanonicalProductKernel {
  static constexpr int kThreads = 256, kTile = 64, kStep = 16, kSide = 16, kEach = kTile / kSide;
  static constexpr std::size_t kSharedBytes = 2 * kStep * kTile * sizeof(float);
  static_assert(kBlockK % kStep == 0);
  DeviceInput input;
  const DeviceProduct* products;
  const ProductTile* tiles;
  std::int64_t n_tiles, n_columns;  // tiles of outputs of the widest product
  std::int64_t blocks() const { return n_tiles * n_columns; }

  struct Sums {
    float v[kEach][kEach];
  };

  // Inputs [k0, k0 + kStep) of the tile's tokens and outputs; zero outside the matrix, where nothing is stored.
  ASSAY_GPU void stage(const DeviceProduct& p, std::int64_t t0, std::int64_t o0, std::int64_t k0, int t,
                       float* xs, float* ws) const {
    for (int i = t; i < kStep * kTile; i += kThreads) {
      const int k = i % kStep, row = i / kStep;
      const bool inside = k0 + k < p.w.n_in;
      float x = 0.0f, w = 0.0f;
      if (inside && t0 + row < p.n_tokens) {
        const std::int64_t from = p.rows == nullptr ? p.first_row + t0 + row : p.rows[t0 + row];
        x = input.x[from * input.stride + k0 + k];
      }
      if (inside && o0 + row < p.w.n_out) w = weight_at(p.w, o0 + row, k0 + k);
      xs[k * kTile + row] = x;
      ws[k * kTile + row] = w;
    }
  }

  static ASSAY_GPU void step(const float* xs, const float* ws, int n_k, int t, Sums& acc) {
    for (int k = 0; k < n_k; ++k) {
      ASSAY_UNROLL
      for (int i = 0; i < kEach; ++i) {
        ASSAY_UNROLL
        for (int j = 0; j < kEach; ++j)
          acc.v[i][j] = fused(xs[k * kTile + t / kSide + i * kSide], ws[k * kTile + t % kSide + j * kSide],
                              acc.v[i][j]);
      }
    }
  }

  static ASSAY_GPU void finish(const DeviceProduct& p, std::int64_t t0, std::int64_t o0, int t,
                               const Sums& sum) {
    ASSAY_UNROLL
    for (int i = 0; i < kEach; ++i) {
      ASSAY_UNROLL
      for (int j = 0; j < kEach; ++j) {
        const std::int64_t token = t0 + t / kSide + i * kSide, o = o0 + t % kSide + j * kSide;
        if (token < p.n_tokens && o < p.w.n_out)
          p.y[token * p.y_stride + o] = p.bias == nullptr ? sum.v[i][j] : sum.v[i][j] + p.bias[o];
      }
    }
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const xs = reinterpret_cast<float*>(b.shared);
    float* const ws = xs + kStep * kTile;
    const ProductTile tile = tiles[b.index / n_columns];
    const DeviceProduct p = products[tile.product];
    const std::int64_t t0 = tile.first_token, o0 = b.index % n_columns * kTile;
    if (o0 >= p.w.n_out) return;
    PerThread<Sums, kThreads> sum, acc;
    for (std::int64_t block = 0; block < p.w.n_in; block += kBlockK) {
      b.each([&](int t) { acc[t] = Sums{}; });
      const std::int64_t end = lesser(block + kBlockK, p.w.n_in);
      for (std::int64_t k0 = block; k0 < end; k0 += kStep) {
        b.phase([&](int t) { stage(p, t0, o0, k0, t, xs, ws); });
        b.phase([&](int t) { step(xs, ws, static_cast<int>(lesser(kStep, end - k0)), t, acc[t]); });
      }
      b.each([&](int t) {
        ASSAY_UNROLL
        for (int i = 0; i < kEach; ++i) {
          ASSAY_UNROLL
          for (int j = 0; j < kEach; ++j)
            sum[t].v[i][j] = block == 0 ? acc[t].v[i][j] : sum[t].v[i][j] + acc[t].v[i][j];
        }
      });
    }
    b.each([&](int t) { finish(p, t0, o0, t, sum[t]); });
  }
};

}  // namespace
}  // namespace assay
