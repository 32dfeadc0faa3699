// Register tile of the plain C++ kernels. Two tokens: the 64 accumulators fit AVX2's registers where the
// compiler vectorises.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 2;
constexpr int kScoreGroups = 1;
constexpr int kFewPanels = 1;
constexpr int kPeakChains = 2;  // independent chains that keep every multiply-add unit busy
constexpr int kValueLanes = 1;

inline F16 widen_low(const std::uint32_t* words) {  // outputs 0 .. 15 of a bf16 panel row
  I16 w;
  __builtin_memcpy(&w, words, sizeof w);
  return from_bits(shift_left<16>(w));
}
inline F16 widen_high(const std::uint32_t* words) {  // outputs 16 .. 31
  I16 w;
  __builtin_memcpy(&w, words, sizeof w);
  return from_bits(and_i(w, splat_i(0xffff0000u)));
}

template <int T, bool kBf16, class Word, class X>
void tile_any(const Word* panel, std::int64_t n_k, X x, float* out) {
  F16 acc[T][2];
  for (int t = 0; t < T; ++t) acc[t][0] = acc[t][1] = splat(0.0f);
  for (std::int64_t k = 0; k < n_k; ++k) {
    F16 low, high;
    if constexpr (kBf16) {
      low = widen_low(panel + 16 * k);
      high = widen_high(panel + 16 * k);
    } else {
      low = load(panel + 32 * k);
      high = load(panel + 32 * k + 16);
    }
    for (int t = 0; t < T; ++t) {
      const F16 v = splat(x(t, k));
      acc[t][0] = fma(v, low, acc[t][0]);
      acc[t][1] = fma(v, high, acc[t][1]);
    }
  }
  for (int t = 0; t < T; ++t) {
    store(out + 32 * t, acc[t][0]);
    store(out + 32 * t + 16, acc[t][1]);
  }
}

template <int T>
void tile_f32(const float* panel, std::int64_t n_k, const float* tile, float* acc) {
  tile_any<T, false>(
      panel, n_k, [tile](int t, std::int64_t k) { return tile[k * kTileTokens + t]; }, acc);
}
template <int T>
void tile_bf16(const std::uint32_t* panel, std::int64_t n_k, const float* tile, float* acc) {
  tile_any<T, true>(
      panel, n_k, [tile](int t, std::int64_t k) { return tile[k * kTileTokens + t]; }, acc);
}
template <int T, int P, class Word>
void few_any(const Word* panel, std::int64_t panel_stride, std::int64_t n_k, const float* const* x,
             float* acc) {
  constexpr bool kBf16 = sizeof(Word) == 4 && !(Word(0.5) > Word(0));  // words of bf16 are integers
  for (int p = 0; p < P; ++p) {
    tile_any<T, kBf16>(
        panel + p * panel_stride, n_k, [x](int t, std::int64_t k) { return x[t][k]; },
        acc + p * T * kPanelOutputs);
  }
}
inline void widen_block(const std::uint32_t* panel, std::int64_t n_k, float* wide) {
  for (std::int64_t k = 0; k < n_k; ++k) {
    store(wide + 32 * k, widen_low(panel + 16 * k));
    store(wide + 32 * k + 16, widen_high(panel + 16 * k));
  }
}
template <int... T>
struct TileTable;
using Tiles = TileTable<1, 2>;

}  // namespace
}  // namespace assay
