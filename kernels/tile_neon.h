// Register tile of the NEON kernels: 6 tokens x 16 outputs = 24 accumulators, 4 weights, 1 broadcast of 32 registers. A
// panel of 32 outputs is taken in two halves: outputs 0 .. 7 with 16 .. 23, which share their words in bf16, then 8 .. 15
// with 24 .. 31.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 6;
constexpr int kScoreGroups = 1;
constexpr int kPeakChains = 4;  // of four registers each: 16 chains, two 4-cycle units and some to spare
constexpr int kValueLanes = 1;
constexpr int kLatentTerms = 4;
constexpr std::int64_t kPrefetchAhead = 64;  // panel rows

struct Weights {
  float32x4_t quad[4];
};  // outputs `half` .. half + 7 of a panel row, then those sixteen further

inline Weights weights_at(const float* panel, std::int64_t k, int half) {
  const float* const low = panel + 32 * k + half;
  return {{vld1q_f32(low), vld1q_f32(low + 4), vld1q_f32(low + 16), vld1q_f32(low + 20)}};
}
inline Weights weights_at(const std::uint32_t* panel, std::int64_t k, int half) {
  const uint32x4_t a = vld1q_u32(panel + 16 * k + half), b = vld1q_u32(panel + 16 * k + half + 4);
  const uint32x4_t upper = vdupq_n_u32(0xffff0000u);
  return {{vreinterpretq_f32_u32(vshlq_n_u32(a, 16)), vreinterpretq_f32_u32(vshlq_n_u32(b, 16)),
           vreinterpretq_f32_u32(vandq_u32(a, upper)), vreinterpretq_f32_u32(vandq_u32(b, upper))}};
}
inline void store_half(float* out, int half, const float32x4_t (&acc)[4]) {
  vst1q_f32(out + half, acc[0]);
  vst1q_f32(out + half + 4, acc[1]);
  vst1q_f32(out + half + 16, acc[2]);
  vst1q_f32(out + half + 20, acc[3]);
}

// x(t, k): the address of one input of a token. Rows of `out` lie out_stride apart. kKeep: the weights are also left in `wide`,
// widened.
template <int T, bool kKeep, class Word, class X>
void half_panel(const Word* panel, std::int64_t n_k, int half, X x, float* out, std::int64_t out_stride,
                float* wide) {
  float32x4_t acc[T][4];
  for (int t = 0; t < T; ++t) {
    for (auto& quad : acc[t]) quad = vdupq_n_f32(0.0f);
  }
  for (std::int64_t k = 0; k < n_k; ++k) {
    __builtin_prefetch(reinterpret_cast<const char*>(panel) +
                       (k + kPrefetchAhead) * 32 * static_cast<std::int64_t>(sizeof(Word)));
    const Weights w = weights_at(panel, k, half);
    if constexpr (kKeep) store_half(wide + 32 * k, half, w.quad);
#pragma GCC unroll 6
    for (int t = 0; t < T; ++t) {
      const float32x4_t v = vld1q_dup_f32(x(t, k));
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) acc[t][q] = vfmaq_f32(acc[t][q], v, w.quad[q]);
    }
  }
  for (int t = 0; t < T; ++t) store_half(out + out_stride * t, half, acc[t]);
}

template <int T, bool kKeep, class Word>
void tile_any(const Word* panel, std::int64_t n_k, const float* tile, float* out, std::int64_t out_stride,
              float* wide) {
  const auto at = [tile](int t, std::int64_t k) { return tile + k * kTileTokens + t; };
  for (int half = 0; half < 16; half += 8) half_panel<T, kKeep>(panel, n_k, half, at, out, out_stride, wide);
}
template <int T, class Word>
void few_any(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  const auto at = [x](int t, std::int64_t k) { return x[t] + k; };
  for (int half = 0; half < 16; half += 8)
    half_panel<T, false>(panel, n_k, half, at, out, kPanelOutputs, nullptr);
}

inline void pack_tile(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile) {
  pack_plain<kTileTokens>(rows, n, k0, 0, n_k, tile);
}

template <int... T>
struct TileTable;
using Tiles = TileTable<1, 2, 3, 4, 5, 6>;

}  // namespace
}  // namespace assay
