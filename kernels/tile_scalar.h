// Register tile of the plain C++ kernels. Two tokens: the 64 accumulators fit AVX2's registers where the
// compiler vectorises.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 2;
constexpr int kScoreGroups = 1;
constexpr int kPeakChains = 2;  // independent chains that keep every multiply-add unit busy
constexpr int kValueLanes = 1;
constexpr int kLatentTerms = 2;

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

template <class Word>
constexpr bool kIsBf16 = false;  // of one f32 weight
template <>
constexpr bool kIsBf16<std::uint32_t> = true;  // a word is two bf16 weights

// Rows of `out` lie out_stride apart. kKeep: the weights are also left in `wide`, widened. x(t, k): one input of a token.
template <int T, bool kKeep, class Word, class X>
void plain_tile(const Word* panel, std::int64_t n_k, X x, float* out, std::int64_t out_stride, float* wide) {
  F16 acc[T][2];
  for (int t = 0; t < T; ++t) acc[t][0] = acc[t][1] = splat(0.0f);
  for (std::int64_t k = 0; k < n_k; ++k) {
    F16 low, high;
    if constexpr (kIsBf16<Word>) {
      low = widen_low(panel + 16 * k);
      high = widen_high(panel + 16 * k);
    } else {
      low = load(panel + 32 * k);
      high = load(panel + 32 * k + 16);
    }
    if constexpr (kKeep) {
      store(wide + 32 * k, low);
      store(wide + 32 * k + 16, high);
    }
    for (int t = 0; t < T; ++t) {
      const F16 v = splat(x(t, k));
      acc[t][0] = fma(v, low, acc[t][0]);
      acc[t][1] = fma(v, high, acc[t][1]);
    }
  }
  for (int t = 0; t < T; ++t) {
    store(out + out_stride * t, acc[t][0]);
    store(out + out_stride * t + 16, acc[t][1]);
  }
}

template <int T, bool kKeep, class Word>
void tile_any(const Word* panel, std::int64_t n_k, const float* tile, float* out, std::int64_t out_stride,
              float* wide) {
  plain_tile<T, kKeep>(
      panel, n_k, [tile](int t, std::int64_t k) { return tile[k * kTileTokens + t]; }, out, out_stride, wide);
}
template <int T, class Word>
void few_any(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  plain_tile<T, false>(
      panel, n_k, [x](int t, std::int64_t k) { return x[t][k]; }, out, kPanelOutputs, nullptr);
}

inline void pack_tile(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile) {
  pack_plain<kTileTokens>(rows, n, k0, 0, n_k, tile);
}

template <int... T>
struct TileTable;
using Tiles = TileTable<1, 2>;

}  // namespace
}  // namespace assay
