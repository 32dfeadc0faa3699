// The matrix product on tensor cores: inputs and weights as bf16, f32 sums, k ascending in steps of 16 whatever the tile, so that a row's
// bits depend neither on its neighbours nor on how many they are. FP8 weights enter as their codes (exact in bf16) and each block of 128
// inputs is added under its scale. Included after cuda_block.h.
#pragma once
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_product.h"
#include "kernels/cuda_unpack.h"

namespace assay {
namespace {

// kM tokens by kN outputs a block, shared out over kWarpsM x kWarpsN warps.
template <int kM, int kN, int kWarpsM, int kWarpsN, bool kBlockScales>
struct MmaProductKernel {
  static constexpr int kThreads = kGpuWarp * kWarpsM * kWarpsN;
  static constexpr int kStep = 64, kStages = 3, kChunk = 8,
                       kChunks = kStep / kChunk;  // chunk: 16 bytes of a row
  static constexpr int kRowsM = kM / kWarpsM, kRowsN = kN / kWarpsN, kTilesM = kRowsM / 16,
                       kTilesN = kRowsN / 8;
  static constexpr int kStageNumbers = (kM + kN) * kStep;
  static constexpr std::size_t kSharedBytes = kStages * kStageNumbers * 2;
  static_assert(kRowsM % 16 == 0 && kRowsN % 16 == 0 && kFp8Inputs % kStep == 0);
  static_assert(kM * kChunks % kThreads == 0 && kN * kChunks % kThreads == 0);

  const std::uint16_t* x;  // bf16 (rows, x_stride), x_stride a multiple of 8, zeros after n_in
  std::int64_t x_stride;
  const float* x_scales;  // (rows, ceil(n_in / 128)) where the inputs were quantised, else nullptr
  const DeviceProduct* products;
  const ProductTile* tiles;
  std::int64_t n_tiles, n_columns;
  std::int64_t blocks() const { return n_tiles * n_columns; }

  struct Sums {
    float v[kTilesM][kTilesN][4];
  };
  struct Fragments {
    std::uint32_t x[kTilesM][4], w[kTilesN / 2][4];
  };

  // Where chunk c of a row lies: moved about so that eight rows' same chunk lies in eight different banks.
  static ASSAY_GPU int place(int row, int chunk) { return row * kStep + ((chunk ^ (row & 7)) * kChunk); }

  template <class Block>
  ASSAY_GPU void stage_inputs(Block& b, const DeviceProduct& p, std::int64_t t0, std::int64_t k0, int t,
                              std::uint16_t* to) const {
    for (int i = t; i < kM * kChunks; i += kThreads) {
      const int row = i / kChunks, chunk = i % kChunks;
      const std::int64_t token = t0 + row, k = k0 + chunk * kChunk;
      const bool inside = token < p.n_tokens && k < x_stride;
      std::int64_t from = 0;
      if (inside) from = (p.rows == nullptr ? p.first_row + token : p.rows[token]) * x_stride + k;
      b.copy_16(to + place(row, chunk), x + from, inside);
    }
  }

  template <class Block>
  static ASSAY_GPU void stage_weights(Block& b, const DeviceProduct& p, std::int64_t o0, std::int64_t k0,
                                      int t, std::uint16_t* to) {
    for (int i = t; i < kN * kChunks; i += kThreads) {
      const int row = i / kChunks, chunk = i % kChunks;
      const std::int64_t o = o0 + row, k = k0 + chunk * kChunk;
      const bool inside = o < p.w.n_out && k < p.w.stride;
      if (p.w.format == WeightFormat::bf16) {
        const auto* const codes = static_cast<const std::uint16_t*>(p.w.codes);
        b.copy_16(to + place(row, chunk), codes + (inside ? o * p.w.stride + k : 0), inside);
        continue;
      }
      for (int j = 0; j < kChunk; ++j) {
        float value = 0.0f;
        if (inside && k + j < p.w.n_in)
          value = kBlockScales ? code_at(p.w, o, k + j) : weight_at(p.w, o, k + j);
        to[place(row, chunk) + j] = rounded_bf16(value);
      }
    }
  }

  template <class Block>
  ASSAY_GPU void stage(Block& b, const DeviceProduct& p, std::int64_t t0, std::int64_t o0, int step,
                       std::uint16_t* shared) const {
    b.each([&](int t) {
      const std::int64_t k0 = std::int64_t{step} * kStep;
      std::uint16_t* const to = shared + step % kStages * kStageNumbers;
      if (k0 >= p.w.n_in) return;
      stage_inputs(b, p, t0, k0, t, to);
      stage_weights(b, p, o0, k0, t, to + kM * kStep);
    });
    b.end_copies();
  }

  // Sixteen inputs of the staged ones, from input 16 * part on.
  template <class Block>
  static ASSAY_GPU void multiply_part(Block& b, std::uint16_t* xs, int part,
                                      PerThread<Fragments, kThreads>& f, PerThread<Sums, kThreads>& acc) {
    std::uint16_t* const ws = xs + kM * kStep;
    ASSAY_UNROLL
    for (int i = 0; i < kTilesM; ++i) {
      b.load_matrices(
          [&](int t) {
            const int lane = t % kGpuWarp, warp_m = t / kGpuWarp / kWarpsN;
            return xs + place(warp_m * kRowsM + 16 * i + lane % 16, 2 * part + lane / 16);
          },
          [&](int t) { return f[t].x[i]; });
    }
    ASSAY_UNROLL
    for (int j = 0; j < kTilesN / 2; ++j) {
      b.load_matrices(
          [&](int t) {
            const int lane = t % kGpuWarp, warp_n = t / kGpuWarp % kWarpsN;
            return ws + place(warp_n * kRowsN + 16 * j + lane / 16 * 8 + lane % 8, 2 * part + lane / 8 % 2);
          },
          [&](int t) { return f[t].w[j]; });
    }
    ASSAY_UNROLL
    for (int i = 0; i < kTilesM; ++i) {
      ASSAY_UNROLL
      for (int j = 0; j < kTilesN; ++j) {
        b.multiply_bf16([&](int t) { return acc[t].v[i][j]; }, [&](int t) { return f[t].x[i]; },
                        [&](int t) { return f[t].w[j / 2] + j % 2 * 2; });
      }
    }
  }

  // Output of element e of fragment column j.
  static ASSAY_GPU std::int64_t output_of(std::int64_t o0, int t, int j, int e) {
    return o0 + t / kGpuWarp % kWarpsN * kRowsN + 8 * j + 2 * (t % 4) + e % 2;
  }

  ASSAY_GPU float input_scale(const DeviceProduct& p, std::int64_t token, std::int64_t k) const {
    if (x_scales == nullptr || token >= p.n_tokens) return 1.0f;
    const std::int64_t row = p.rows == nullptr ? p.first_row + token : p.rows[token];
    return x_scales[row * blocks_for(p.w.n_in, kFp8Inputs) + k / kFp8Inputs];
  }

  // A block of 128 inputs joins the sum under the weights' scale and, where there is one, the inputs'.
  ASSAY_GPU void promote(const DeviceProduct& p, std::int64_t t0, std::int64_t o0, std::int64_t k, int t,
                         Sums& acc, Sums& sum) const {
    const std::int64_t first = t0 + t / kGpuWarp / kWarpsN * kRowsM + t % kGpuWarp / 4;
    ASSAY_UNROLL
    for (int i = 0; i < kTilesM; ++i) {
      const float of_x[2] = {input_scale(p, first + 16 * i, k), input_scale(p, first + 16 * i + 8, k)};
      ASSAY_UNROLL
      for (int j = 0; j < kTilesN; ++j) {
        ASSAY_UNROLL
        for (int e = 0; e < 4; ++e) {
          const std::int64_t o = output_of(o0, t, j, e);
          const float of_w = o < p.w.n_out ? scale_at(p.w, o, k) : 0.0f;
          sum.v[i][j][e] = fused(acc.v[i][j][e], of_x[e / 2] * of_w, sum.v[i][j][e]);
          acc.v[i][j][e] = 0.0f;
        }
      }
    }
  }

  static ASSAY_GPU void finish(const DeviceProduct& p, std::int64_t t0, std::int64_t o0, int t,
                               const Sums& sum) {
    const int lane = t % kGpuWarp, warp_m = t / kGpuWarp / kWarpsN;
    ASSAY_UNROLL
    for (int i = 0; i < kTilesM; ++i) {
      ASSAY_UNROLL
      for (int j = 0; j < kTilesN; ++j) {
        ASSAY_UNROLL
        for (int e = 0; e < 4; ++e) {
          const std::int64_t token = t0 + warp_m * kRowsM + 16 * i + lane / 4 + e / 2 * 8,
                             o = output_of(o0, t, j, e);
          if (token < p.n_tokens && o < p.w.n_out)
            p.y[token * p.y_stride + o] = p.bias == nullptr ? sum.v[i][j][e] : sum.v[i][j][e] + p.bias[o];
        }
      }
    }
  }

  template <class Block>
  ASSAY_GPU void run(Block& b) const {
    auto* const shared = reinterpret_cast<std::uint16_t*>(b.shared);
    const ProductTile tile = tiles[b.index / n_columns];
    const DeviceProduct p = products[tile.product];
    const std::int64_t t0 = tile.first_token, o0 = b.index % n_columns * kN;
    if (o0 >= p.w.n_out) return;
    PerThread<Sums, kThreads> acc, sum;
    PerThread<Fragments, kThreads> fragments;
    b.each([&](int t) {
      acc[t] = Sums{};
      if constexpr (kBlockScales) sum[t] = Sums{};
    });
    const auto n_steps = static_cast<int>(blocks_for(p.w.n_in, kStep));
    for (int step = 0; step < kStages - 1; ++step) stage(b, p, t0, o0, step, shared);
    for (int step = 0; step < n_steps; ++step) {
      b.template wait_copies<kStages - 2>();
      stage(b, p, t0, o0, step + kStages - 1, shared);
      ASSAY_UNROLL
      for (int part = 0; part < kStep / 16; ++part)
        multiply_part(b, shared + step % kStages * kStageNumbers, part, fragments, acc);
      if constexpr (kBlockScales) {
        constexpr int kEvery = static_cast<int>(kFp8Inputs) / kStep;
        if (step % kEvery == kEvery - 1 || step + 1 == n_steps)
          b.each([&](int t) { promote(p, t0, o0, std::int64_t{step} * kStep, t, acc[t], sum[t]); });
      }
    }
    b.each([&](int t) {
      if constexpr (kBlockScales) {
        finish(p, t0, o0, t, sum[t]);
      } else {
        finish(p, t0, o0, t, acc[t]);
      }
    });
  }
};

}  // namespace
}  // namespace assay
