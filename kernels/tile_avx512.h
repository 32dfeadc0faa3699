// Register tile of the AVX-512 kernels: 12 tokens x 32 outputs = 24 accumulators, 2 weights, 1 broadcast of
// 32 registers.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 12;
constexpr int kScoreGroups = 4;
constexpr int kPeakChains = 20;  // independent chains that keep every multiply-add unit busy
constexpr int kValueLanes = 4;
constexpr int kLatentTerms = 16;
constexpr std::int64_t kPrefetchAhead =
    64;  // panel rows: a page of bf16, which is where the machine's own prefetching stops

template <class Word>
constexpr std::int64_t kWordBytes = 4;  // of one f32 weight
template <>
constexpr std::int64_t kWordBytes<std::uint32_t> = 2;  // a word is two bf16 weights

struct Weights {
  __m512 low, high;
};  // outputs 0 .. 15 and 16 .. 31 of a panel row

inline Weights weights_at(const float* panel, std::int64_t k) {
  return {_mm512_loadu_ps(panel + 32 * k), _mm512_loadu_ps(panel + 32 * k + 16)};
}
inline Weights weights_at(const std::uint32_t* panel, std::int64_t k) {
  const __m512i words = _mm512_loadu_si512(panel + 16 * k);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(words, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}

// Rows of `out` lie out_stride apart. kKeep: the weights are also left in `wide`, widened, for the tiles that follow.
template <int T, bool kKeep, class Word>
void tile_any(const Word* panel, std::int64_t n_k, const float* tile, float* out, std::int64_t out_stride,
              float* wide) {
  __m512 low[T], high[T];
#pragma GCC unroll 12
  for (int t = 0; t < T; ++t) low[t] = high[t] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < n_k; ++k) {
    const Weights w = weights_at(panel, k);
    if constexpr (kKeep) {
      _mm512_storeu_ps(wide + 32 * k, w.low);
      _mm512_storeu_ps(wide + 32 * k + 16, w.high);
    }
#pragma GCC unroll 12
    for (int t = 0; t < T; ++t) {
      const __m512 x = _mm512_set1_ps(tile[k * kTileTokens + t]);
      low[t] = _mm512_fmadd_ps(x, w.low, low[t]);
      high[t] = _mm512_fmadd_ps(x, w.high, high[t]);
    }
  }
#pragma GCC unroll 12
  for (int t = 0; t < T; ++t) {
    _mm512_storeu_ps(out + out_stride * t, low[t]);
    _mm512_storeu_ps(out + out_stride * t + 16, high[t]);
  }
}

template <int T, class Word>
void few_any(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  __m512 low[T], high[T];
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) low[t] = high[t] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < n_k; ++k) {
    __builtin_prefetch(reinterpret_cast<const char*>(panel) + (k + kPrefetchAhead) * 32 * kWordBytes<Word>);
    const Weights w = weights_at(panel, k);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m512 v = _mm512_set1_ps(x[t][k]);
      low[t] = _mm512_fmadd_ps(v, w.low, low[t]);
      high[t] = _mm512_fmadd_ps(v, w.high, high[t]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    _mm512_storeu_ps(out + 32 * t, low[t]);
    _mm512_storeu_ps(out + 32 * t + 16, high[t]);
  }
}

// Four rows of sixteen inputs, turned: lane l of vector j has input 4 l + j of the rows. To tile + (input) * kTileTokens.
inline void pack_four(const float* const* rows, std::int64_t k, float* tile) {
  const __m512 a = _mm512_loadu_ps(rows[0] + k), b = _mm512_loadu_ps(rows[1] + k),
               c = _mm512_loadu_ps(rows[2] + k), d = _mm512_loadu_ps(rows[3] + k);
  const __m512d ab0 = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
                ab1 = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
                cd0 = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
                cd1 = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
  const __m512 turned[4] = {
      _mm512_castpd_ps(_mm512_unpacklo_pd(ab0, cd0)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab0, cd0)),
      _mm512_castpd_ps(_mm512_unpacklo_pd(ab1, cd1)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab1, cd1))};
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    _mm_storeu_ps(tile + j * kTileTokens, _mm512_castps512_ps128(turned[j]));
    _mm_storeu_ps(tile + (4 + j) * kTileTokens, _mm512_extractf32x4_ps(turned[j], 1));
    _mm_storeu_ps(tile + (8 + j) * kTileTokens, _mm512_extractf32x4_ps(turned[j], 2));
    _mm_storeu_ps(tile + (12 + j) * kTileTokens, _mm512_extractf32x4_ps(turned[j], 3));
  }
}

inline void pack_tile(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile) {
  if (n < kTileTokens) return pack_plain<kTileTokens>(rows, n, k0, 0, n_k, tile);
  std::int64_t k = 0;
  for (; k + 16 <= n_k; k += 16) {
    for (std::int64_t t = 0; t < kTileTokens; t += 4) pack_four(rows + t, k0 + k, tile + k * kTileTokens + t);
  }
  pack_plain<kTileTokens>(rows, n, k0, k, n_k, tile);
}

template <int... T>
struct TileTable;
using Tiles = TileTable<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;

}  // namespace
}  // namespace assay
