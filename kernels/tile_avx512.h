// Register tile of the AVX-512 kernels: 12 tokens x 32 outputs = 24 accumulators, 2 weights, 1 broadcast of
// 32 registers.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 12;
constexpr int kScoreGroups = 4;
constexpr int kValueLanes = 8;
constexpr std::int64_t kPrefetchAhead =
    16;  // panel rows; hides the latency of weights that stream from memory

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

template <int T, class Word>
void few_any(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  __m512 low[T], high[T];
  for (int t = 0; t < T; ++t) low[t] = high[t] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < n_k; ++k) {
    __builtin_prefetch(reinterpret_cast<const char*>(panel) +
                       (k + kPrefetchAhead) * 32 * static_cast<std::int64_t>(sizeof(Word)));
    const Weights w = weights_at(panel, k);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m512 v = _mm512_set1_ps(x[t][k]);
      low[t] = _mm512_fmadd_ps(v, w.low, low[t]);
      high[t] = _mm512_fmadd_ps(v, w.high, high[t]);
    }
  }
  for (int t = 0; t < T; ++t) {
    _mm512_storeu_ps(out + 32 * t, low[t]);
    _mm512_storeu_ps(out + 32 * t + 16, high[t]);
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
template <int T>
void few_f32(const float* panel, std::int64_t n_k, const float* const* x, float* acc) {
  few_any<T>(panel, n_k, x, acc);
}
template <int T>
void few_bf16(const std::uint32_t* panel, std::int64_t n_k, const float* const* x, float* acc) {
  few_any<T>(panel, n_k, x, acc);
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
