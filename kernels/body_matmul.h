// The matrix product around an instruction set's register tile. Included after a file that defines, in the
// anonymous namespace,
//   kTileTokens                                      tokens of a tile
//   template <int T> void tile_f32(const float* panel, int64 n_k, const float* tile, float* acc)
//   template <int T> void tile_bf16(const uint32_t* panel, int64 n_k, const float* tile, float* acc)
//     acc (T, 32) = sum over k of panel (n_k, 32) * tile (n_k, kTileTokens), one chain from +0 an element, k
//     ascending
//   void widen_block(const uint32_t* panel, int64 n_k, float* wide)   bf16 panel to f32 in order
//   kFewPanels                                       panels that few tokens stream side by side
//   template <int T, int P, class Word> void few_any(const Word* panel, int64 panel_stride, int64 n_k, const float* const* x, float* acc)
//     acc (P, T, 32) likewise, for P panels and T rows of x; Word float or uint32_t (bf16)
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

inline void merge_tile(const float* acc, std::int64_t n_tokens, std::int64_t n_out, bool first, float* y,
                       std::int64_t y_stride) {
  for (std::int64_t t = 0; t < n_tokens; ++t, acc += kPanelOutputs, y += y_stride) {
    for (std::int64_t j = 0; j < n_out; j += 16) {
      const std::int64_t n = n_out - j < 16 ? n_out - j : 16;
      const F16 block = load(acc + j);
      store_n(y + j, first ? block : add(load_n(y + j, n), block), n);
    }
  }
}

using TileF32 = void (*)(const float*, std::int64_t, const float*, float*);
using TileBf16 = void (*)(const std::uint32_t*, std::int64_t, const float*, float*);

template <int... T>
struct TileTable {  // entry t - 1 computes t tokens
  static constexpr TileF32 kF32[] = {tile_f32<T>...};
  static constexpr TileBf16 kBf16[] = {tile_bf16<T>...};
};

void body_matmul_block(const void* panel, WeightFormat format, std::int64_t n_k, const float* tiles,
                       std::int64_t tile_stride, std::int64_t n_tokens, float* y, std::int64_t y_stride,
                       std::int64_t n_out, bool first, float* scratch) {
  alignas(64) float acc[kTileTokens * kPanelOutputs];
  const bool widen = is_scaled(format) || (format == WeightFormat::bf16 &&
                                           n_tokens > 3 * kTileTokens);  // pays from about three tiles on
  if (is_scaled(format)) {
    widen_scaled(static_cast<const std::uint8_t*>(panel), format, n_k, scratch);
  } else if (widen) {
    widen_block(static_cast<const std::uint32_t*>(panel), n_k, scratch);
  }
  for (std::int64_t t = 0; t < n_tokens; t += kTileTokens, tiles += tile_stride) {
    const std::int64_t n = n_tokens - t < kTileTokens ? n_tokens - t : kTileTokens;
    if (format == WeightFormat::bf16 && !widen) {
      Tiles::kBf16[n - 1](static_cast<const std::uint32_t*>(panel), n_k, tiles, acc);
    } else {
      Tiles::kF32[n - 1](widen ? scratch : static_cast<const float*>(panel), n_k, tiles, acc);
    }
    merge_tile(acc, n, n_out, first, y + t * y_stride, y_stride);
  }
}

void body_pack_tokens(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile) {
  for (std::int64_t t = 0; t < kTileTokens; ++t) {
    for (std::int64_t k = 0; k < n_k; ++k) tile[k * kTileTokens + t] = t < n ? rows[t][k0 + k] : 0.0f;
  }
}

// P panels, each from `panel` on, for T tokens over all inputs.
template <int T, int P>
void few_panels(const PackedMatrix& w, std::int64_t panel, const float* const* rows, float* y,
                std::int64_t y_stride) {
  alignas(64) float acc[P * T * kPanelOutputs];
  const float* x[T];
  const std::int64_t stride = w.n_in * kPanelOutputs;
  for (std::int64_t k0 = 0; k0 < w.n_in; k0 += kBlockK) {
    const std::int64_t n_k = w.n_in - k0 < kBlockK ? w.n_in - k0 : kBlockK;
    const std::int64_t at = panel * stride + k0 * kPanelOutputs;
    for (int t = 0; t < T; ++t) x[t] = rows[t] + k0;
    if (w.format == WeightFormat::bf16) {
      few_any<T, P>(static_cast<const std::uint32_t*>(w.panels) + at / 2, stride / 2, n_k, x, acc);
    } else {
      few_any<T, P>(static_cast<const float*>(w.panels) + at, stride, n_k, x, acc);
    }
    for (std::int64_t p = 0; p < P; ++p) {
      const std::int64_t first = (panel + p) * kPanelOutputs;
      const std::int64_t n_out = w.n_out - first < kPanelOutputs ? w.n_out - first : kPanelOutputs;
      merge_tile(acc + p * T * kPanelOutputs, T, n_out, k0 == 0, y + first, y_stride);
    }
  }
}

// One panel with scales: a block of it is widened (64 KiB, which the second-level cache keeps) and then read like f32.
template <int T>
void few_scaled(const PackedMatrix& w, std::int64_t panel, std::int64_t stride, const float* const* rows,
                float* y, std::int64_t y_stride) {
  alignas(64) float wide[kBlockK * kPanelOutputs];
  alignas(64) float acc[T * kPanelOutputs];
  const float* x[T];
  const auto* const bytes = static_cast<const std::uint8_t*>(w.panels) + panel * stride;
  const std::int64_t first = panel * kPanelOutputs,
                     n_out = w.n_out - first < kPanelOutputs ? w.n_out - first : kPanelOutputs;
  for (std::int64_t k0 = 0; k0 < w.n_in; k0 += kBlockK) {
    const std::int64_t n_k = w.n_in - k0 < kBlockK ? w.n_in - k0 : kBlockK;
    for (int t = 0; t < T; ++t) x[t] = rows[t] + k0;
    widen_scaled(bytes + scaled_bytes(w.format, k0), w.format, n_k, wide);
    few_any<T, 1>(wide, 0, n_k, x, acc);
    merge_tile(acc, T, n_out, k0 == 0, y + first, y_stride);
  }
}

template <int T>
void few_tokens(const PackedMatrix& w, std::int64_t first_panel, std::int64_t end_panel,
                const float* const* rows, float* y, std::int64_t y_stride) {
  if (is_scaled(w.format)) {
    for (std::int64_t p = first_panel; p < end_panel; ++p)
      few_scaled<T>(w, p, scaled_bytes(w.format, w.n_in), rows, y, y_stride);
    return;
  }
  constexpr int kPanels = kFewPanels / T > 1 ? kFewPanels / T : 1;
  std::int64_t p = first_panel;
  for (; p + kPanels <= end_panel; p += kPanels) few_panels<T, kPanels>(w, p, rows, y, y_stride);
  for (; p < end_panel; ++p) few_panels<T, 1>(w, p, rows, y, y_stride);
}

void body_matmul_few(const PackedMatrix& w, std::int64_t first_panel, std::int64_t end_panel,
                     const float* const* rows, std::int64_t n_tokens, float* y, std::int64_t y_stride) {
  switch (n_tokens) {
    case 1:
      return few_tokens<1>(w, first_panel, end_panel, rows, y, y_stride);
    case 2:
      return few_tokens<2>(w, first_panel, end_panel, rows, y, y_stride);
    case 3:
      return few_tokens<3>(w, first_panel, end_panel, rows, y, y_stride);
    default:
      return few_tokens<4>(w, first_panel, end_panel, rows, y, y_stride);
  }
}

std::int64_t body_burn_fma(std::int64_t steps, float* sink) {
  F16 chain[kPeakChains];
#pragma GCC unroll 32
  for (int j = 0; j < kPeakChains; ++j) chain[j] = splat(static_cast<float>(j));
  const F16 a = splat(0.5f), b = splat(1.0f);  // converges to 2: neither overflow nor subnormal numbers
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 32
    for (int j = 0; j < kPeakChains; ++j) {
      chain[j] = fma(chain[j], a, b);
      keep(chain[j]);
    }
  }
  F16 sum = splat(0.0f);
#pragma GCC unroll 32
  for (int j = 0; j < kPeakChains; ++j) sum = add(sum, chain[j]);
  float lane[16];
  store(lane, sum);
  *sink = lane[0];
  return steps * kPeakChains * 16 * 2;
}

float body_read_all(const float* x, std::int64_t n) {
  const std::int64_t quarter = n / 64 * 16;
  I16 seen[4] = {splat_i(0), splat_i(0), splat_i(0), splat_i(0)};
  for (std::int64_t i = 0; i < quarter; i += 16) {
    for (int s = 0; s < 4; ++s) seen[s] = or_i(seen[s], bits(load(x + s * quarter + i)));
  }
  float lane[16];
  store(lane, from_bits(or_i(or_i(seen[0], seen[1]), or_i(seen[2], seen[3]))));
  return lane[0];
}

constexpr Kernels make_table(Isa isa, const char* name) {
  return {
      isa,           name,          kTileTokens,         body_pack_tokens, body_matmul_block, body_matmul_few,
      body_rms_norm, body_silu_mul, body_clamped_swiglu, body_add,         body_add_scaled,   body_softmax,
      body_apply,    body_rotate,   body_attend,         body_maximum,     body_sum_exp,      body_burn_fma,
      body_read_all};
}

}  // namespace
}  // namespace assay
