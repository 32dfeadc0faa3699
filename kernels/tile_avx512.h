// Register tile of the AVX-512 kernels: 12 tokens x 32 outputs = 24 accumulators, 2 weights, 1 broadcast of
// 32 registers.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 12;
constexpr int kScoreGroups = 4;
constexpr int kFewPanels = 4;
constexpr int kPeakChains = 20;  // independent chains that keep every multiply-add unit busy
constexpr int kValueLanes = 8;
constexpr std::int64_t kPrefetchAhead =
    16;  // panel rows; hides the latency of weights that stream from memory

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

template <int T, class Word>
void tile_any(const Word* panel, std::int64_t n_k, const float* tile, float* out) {
  __m512 low[T], high[T];
  for (int t = 0; t < T; ++t) low[t] = high[t] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < n_k; ++k) {
    const Weights w = weights_at(panel, k);
#pragma GCC unroll 12
    for (int t = 0; t < T; ++t) {
      const __m512 x = _mm512_set1_ps(tile[k * kTileTokens + t]);
      low[t] = _mm512_fmadd_ps(x, w.low, low[t]);
      high[t] = _mm512_fmadd_ps(x, w.high, high[t]);
    }
  }
  for (int t = 0; t < T; ++t) {
    _mm512_storeu_ps(out + 32 * t, low[t]);
    _mm512_storeu_ps(out + 32 * t + 16, high[t]);
  }
}

// P panels at a time, panel_stride words apart: that many streams from memory and that many more chains. out (P, T, 32).
template <int T, int P, class Word>
void few_any(const Word* panel, std::int64_t panel_stride, std::int64_t n_k, const float* const* x,
             float* out) {
  __m512 low[P][T], high[P][T];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) low[p][t] = high[p][t] = _mm512_setzero_ps();
  }
  for (std::int64_t k = 0; k < n_k; ++k) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const Word* const at = panel + p * panel_stride;
      __builtin_prefetch(reinterpret_cast<const char*>(at) + (k + kPrefetchAhead) * 32 * kWordBytes<Word>);
      const Weights w = weights_at(at, k);
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        const __m512 v = _mm512_set1_ps(x[t][k]);
        low[p][t] = _mm512_fmadd_ps(v, w.low, low[p][t]);
        high[p][t] = _mm512_fmadd_ps(v, w.high, high[p][t]);
      }
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      _mm512_storeu_ps(out + 32 * (p * T + t), low[p][t]);
      _mm512_storeu_ps(out + 32 * (p * T + t) + 16, high[p][t]);
    }
  }
}

template <int T>
void tile_f32(const float* panel, std::int64_t n_k, const float* tile, float* acc) {
  tile_any<T>(panel, n_k, tile, acc);
}
template <int T>
void tile_bf16(const std::uint32_t* panel, std::int64_t n_k, const float* tile, float* acc) {
  tile_any<T>(panel, n_k, tile, acc);
}

inline void widen_block(const std::uint32_t* panel, std::int64_t n_k, float* wide) {
  for (std::int64_t k = 0; k < n_k; ++k) {
    const Weights w = weights_at(panel, k);
    _mm512_storeu_ps(wide + 32 * k, w.low);
    _mm512_storeu_ps(wide + 32 * k + 16, w.high);
  }
}
template <int... T>
struct TileTable;
using Tiles = TileTable<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;

}  // namespace
}  // namespace assay
