#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/contract.h"

namespace assay {
namespace {

std::int64_t panels_of(std::int64_t n_out) { return (n_out + kPanelOutputs - 1) / kPanelOutputs; }
std::size_t size_of(WeightFormat format) { return format == WeightFormat::bf16 ? 2 : 4; }

// Where output j of a panel lies in its row of 32.
std::int64_t place(WeightFormat format, std::int64_t j) {
  return format == WeightFormat::f32 ? j : 2 * (j % 16) + j / 16;
}

template <class T>
void pack_panel(const T* rows, std::int64_t n, WeightFormat format, std::int64_t n_in, T* panel) {
  if (n < kPanelOutputs) std::memset(panel, 0, static_cast<std::size_t>(kPanelOutputs * n_in) * sizeof(T));
  constexpr std::int64_t kStep = 64;  // columns at a time: the 32 rows' lines stay in the first-level cache
  for (std::int64_t k0 = 0; k0 < n_in; k0 += kStep) {
    const std::int64_t end = std::min(k0 + kStep, n_in);
    for (std::int64_t j = 0; j < n; ++j) {
      T* const to = panel + place(format, j);
      for (std::int64_t k = k0; k < end; ++k) to[k * kPanelOutputs] = rows[j * n_in + k];
    }
  }
}

template <class T>
void pack_all(const void* rows, std::int64_t first, std::int64_t count, void* panels, WeightFormat format,
              std::int64_t n_in) {
  for (std::int64_t j = 0; j < count; j += kPanelOutputs) {
    pack_panel(static_cast<const T*>(rows) + j * n_in, std::min(kPanelOutputs, count - j), format, n_in,
               static_cast<T*>(panels) + (first + j) * n_in);
  }
}

}  // namespace

std::size_t packed_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(n_out >= 0 && n_in >= 0);
  ASSAY_CHECK(n_out <= (std::int64_t{1} << 31) && n_in <= (std::int64_t{1} << 28));
  return static_cast<std::size_t>(panels_of(n_out) * kPanelOutputs * n_in) * size_of(format);
}

void pack_rows(const void* rows, std::int64_t first, std::int64_t count, void* panels, WeightFormat format,
               std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(first >= 0 && count >= 0 && first + count <= n_out && n_in >= 0);
  ASSAY_CHECK(first % kPanelOutputs == 0 && (count % kPanelOutputs == 0 || first + count == n_out));
  if (format == WeightFormat::bf16) {
    pack_all<std::uint16_t>(rows, first, count, panels, format, n_in);
  } else {
    pack_all<float>(rows, first, count, panels, format, n_in);
  }
}

PackedMatrix pack(const void* rows, WeightFormat format, std::int64_t n_out, std::int64_t n_in,
                  void* panels) {
  pack_rows(rows, 0, n_out, panels, format, n_out, n_in);
  return {panels, format, n_out, n_in};
}

float packed_weight(const PackedMatrix& w, std::int64_t output, std::int64_t input) {
  ASSAY_CHECK(output >= 0 && output < w.n_out && input >= 0 && input < w.n_in);
  const std::int64_t at =
      (output / kPanelOutputs * w.n_in + input) * kPanelOutputs + place(w.format, output % kPanelOutputs);
  return w.format == WeightFormat::bf16 ? bf16_to_f32(static_cast<const std::uint16_t*>(w.panels)[at])
                                        : static_cast<const float*>(w.panels)[at];
}

float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace assay
