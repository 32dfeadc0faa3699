// Register tile of the AVX2 kernels: 6 tokens x 16 outputs = 12 accumulators, 2 weights, 1 broadcast of 16
// registers. A panel of 32 outputs is taken in two halves: outputs 0 .. 7 with 16 .. 23, which share their
// words in bf16, then 8 .. 15 with 24 .. 31.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kTileTokens = 6;
constexpr int kScoreGroups = 1;
constexpr int kPeakChains = 6;  // independent chains that keep every multiply-add unit busy
constexpr int kValueLanes = 1;
constexpr int kLatentTerms = 4;
constexpr std::int64_t kPrefetchAhead =
    64;  // panel rows: a page of bf16, which is where the machine's own prefetching stops

struct Weights {
  __m256 low, high;
};  // eight outputs from `half`, and those sixteen further

inline Weights weights_at(const float* panel, std::int64_t k, int half) {
  return {_mm256_loadu_ps(panel + 32 * k + half), _mm256_loadu_ps(panel + 32 * k + 16 + half)};
}
inline Weights weights_at(const std::uint32_t* panel, std::int64_t k, int half) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + 16 * k + half));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(words, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000u))))};
}

// Rows of `out` lie out_stride apart. kKeep: the weights are also left in `wide`, widened, for the tiles that follow.
template <int T, bool kKeep, class Word>
void tile_any(const Word* panel, std::int64_t n_k, const float* tile, float* out, std::int64_t out_stride,
              float* wide) {
  for (int half = 0; half < 16; half += 8) {
    __m256 low[T], high[T];
#pragma GCC unroll 6
    for (int t = 0; t < T; ++t) low[t] = high[t] = _mm256_setzero_ps();
    for (std::int64_t k = 0; k < n_k; ++k) {
      const Weights w = weights_at(panel, k, half);
      if constexpr (kKeep) {
        _mm256_storeu_ps(wide + 32 * k + half, w.low);
        _mm256_storeu_ps(wide + 32 * k + 16 + half, w.high);
      }
#pragma GCC unroll 6
      for (int t = 0; t < T; ++t) {
        const __m256 x = _mm256_broadcast_ss(tile + k * kTileTokens + t);
        low[t] = _mm256_fmadd_ps(x, w.low, low[t]);
        high[t] = _mm256_fmadd_ps(x, w.high, high[t]);
      }
    }
#pragma GCC unroll 6
    for (int t = 0; t < T; ++t) {
      _mm256_storeu_ps(out + out_stride * t + half, low[t]);
      _mm256_storeu_ps(out + out_stride * t + 16 + half, high[t]);
    }
  }
}

// Both halves at once: a few tokens read each weight from memory only once. T <= 2 fits the registers.
template <int T, class Word>
void few_two(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  __m256 low[T][2], high[T][2];
  for (int t = 0; t < T; ++t) low[t][0] = low[t][1] = high[t][0] = high[t][1] = _mm256_setzero_ps();
  for (std::int64_t k = 0; k < n_k; ++k) {
    __builtin_prefetch(reinterpret_cast<const char*>(panel) +
                       (k + kPrefetchAhead) * 32 * static_cast<std::int64_t>(sizeof(Word)));
    const Weights w0 = weights_at(panel, k, 0), w1 = weights_at(panel, k, 8);
#pragma GCC unroll 2
    for (int t = 0; t < T; ++t) {
      const __m256 v = _mm256_broadcast_ss(x[t] + k);
      low[t][0] = _mm256_fmadd_ps(v, w0.low, low[t][0]);
      high[t][0] = _mm256_fmadd_ps(v, w0.high, high[t][0]);
      low[t][1] = _mm256_fmadd_ps(v, w1.low, low[t][1]);
      high[t][1] = _mm256_fmadd_ps(v, w1.high, high[t][1]);
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int h = 0; h < 2; ++h) {
      _mm256_storeu_ps(out + 32 * t + 8 * h, low[t][h]);
      _mm256_storeu_ps(out + 32 * t + 16 + 8 * h, high[t][h]);
    }
  }
}

template <int T, class Word>
void few_any(const Word* panel, std::int64_t n_k, const float* const* x, float* out) {
  if constexpr (T <= 2) {
    few_two<T>(panel, n_k, x, out);
  } else {
    few_two<2>(panel, n_k, x, out);
    few_two<T - 2>(panel, n_k, x + 2, out + 2 * kPanelOutputs);
  }
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
