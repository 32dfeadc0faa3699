// The matrix product around an instruction set's register tile. Included after body_pack.h and a file that defines, in the
// anonymous namespace,
//   kTileTokens                                      tokens of a tile
//   template <int T, bool kKeep, class Word>
//   void tile_any(const Word* panel, int64 n_k, const float* tile, float* out, int64 out_stride, float* wide)
//     out (T, 32) = sum over k of panel (n_k, 32) * tile (n_k, kTileTokens), one chain from +0 an element, k ascending;
//     Word float or uint32_t (bf16). With kKeep also wide (n_k, 32) = the panel in f32, in order
//   void pack_tile(const float* const* rows, int64 n, int64 k0, int64 n_k, float* tile)
//   template <int T, class Word> void few_any(const Word* panel, int64 n_k, const float* const* x, float* out)
//     out (T, 32) likewise, for T rows of x as they lie: where weights stream from memory and are used once
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

// From so many tiles on, the first of them leaves the panel widened for the others. Widening costs a tile two operations beside its
// 24 products where they share a port, and none where they do not; reading the wider panel costs cache.
constexpr std::int64_t kKeepTiles = 6;

using TileF32 = void (*)(const float*, std::int64_t, const float*, float*, std::int64_t, float*);
using TileBf16 = void (*)(const std::uint32_t*, std::int64_t, const float*, float*, std::int64_t, float*);

template <int... T>
struct TileTable {  // entry t - 1 computes t tokens
  static constexpr TileF32 kF32[] = {tile_any<T, false, float>...};
  static constexpr TileBf16 kBf16[] = {tile_any<T, false, std::uint32_t>...};
};

void body_matmul_block(const void* panel, WeightFormat format, std::int64_t n_k, const float* tiles,
                       std::int64_t tile_stride, std::int64_t n_tokens, float* y, std::int64_t y_stride,
                       std::int64_t n_out, bool first, float* scratch) {
  alignas(64) float acc[kTileTokens * kPanelOutputs];
  const bool straight = first && n_out == kPanelOutputs;  // what a tile gives is what y gets
  const bool keep = format == WeightFormat::bf16 && n_tokens >= kKeepTiles * kTileTokens;
  if (is_coded(format)) widen_coded(static_cast<const std::uint8_t*>(panel), format, n_k, scratch);
  for (std::int64_t t = 0; t < n_tokens;
       t += kTileTokens, tiles += tile_stride, y += kTileTokens * y_stride) {
    const std::int64_t n = n_tokens - t < kTileTokens ? n_tokens - t : kTileTokens;
    float* const out = straight ? y : acc;
    const std::int64_t stride = straight ? y_stride : kPanelOutputs;
    if (keep && t == 0) {
      tile_any<kTileTokens, true>(static_cast<const std::uint32_t*>(panel), n_k, tiles, out, stride, scratch);
    } else if (format == WeightFormat::bf16 && !keep) {
      Tiles::kBf16[n - 1](static_cast<const std::uint32_t*>(panel), n_k, tiles, out, stride, nullptr);
    } else {
      const bool wide = keep || is_coded(format);
      Tiles::kF32[n - 1](wide ? scratch : static_cast<const float*>(panel), n_k, tiles, out, stride, nullptr);
    }
    if (!straight) merge_tile(acc, n, n_out, first, y, y_stride);
  }
}

void body_pack_tokens(const float* const* rows, std::int64_t n, std::int64_t k0, std::int64_t n_k,
                      float* tile) {
  pack_tile(rows, n, k0, n_k, tile);
}

// One panel for T tokens over all inputs. A panel of codes is widened a block at a time (64 KiB, which the second-level cache
// keeps) and then read like f32.
template <int T>
void few_panel(const PackedMatrix& w, std::int64_t panel, const float* const* rows, float* y,
               std::int64_t y_stride) {
  alignas(64) float acc[T * kPanelOutputs];
  alignas(64) float wide[kBlockK * kPanelOutputs];
  const float* x[T];
  const auto* const bytes =
      static_cast<const std::uint8_t*>(w.panels) + panel * stored_bytes(w.format, w.n_in);
  const std::int64_t first = panel * kPanelOutputs,
                     n_out = w.n_out - first < kPanelOutputs ? w.n_out - first : kPanelOutputs;
  for (std::int64_t k0 = 0; k0 < w.n_in; k0 += kBlockK) {
    const std::int64_t n_k = w.n_in - k0 < kBlockK ? w.n_in - k0 : kBlockK;
    const auto* const at = bytes + stored_bytes(w.format, k0);
    for (int t = 0; t < T; ++t) x[t] = rows[t] + k0;
    if (w.format == WeightFormat::bf16) {
      few_any<T>(reinterpret_cast<const std::uint32_t*>(at), n_k, x, acc);
    } else if (w.format == WeightFormat::f32) {
      few_any<T>(reinterpret_cast<const float*>(at), n_k, x, acc);
    } else {
      widen_coded(at, w.format, n_k, wide);
      few_any<T>(wide, n_k, x, acc);
    }
    merge_tile(acc, T, n_out, k0 == 0, y + first, y_stride);
  }
}

template <int T>
void few_tokens(const PackedMatrix& w, std::int64_t first_panel, std::int64_t end_panel,
                const float* const* rows, float* y, std::int64_t y_stride) {
  for (std::int64_t p = first_panel; p < end_panel; ++p) few_panel<T>(w, p, rows, y, y_stride);
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
  return {isa,
          name,
          kTileTokens,
          body_pack_tokens,
          body_matmul_block,
          body_matmul_few,
          body_rms_norm,
          body_silu_mul,
          body_clamped_swiglu,
          body_add,
          body_add_scaled,
          body_softmax,
          body_apply,
          body_rotate,
          body_attend,
          body_attend_latent,
          body_maximum,
          body_sum_exp,
          body_burn_fma,
          body_read_all};
}

}  // namespace
}  // namespace assay
