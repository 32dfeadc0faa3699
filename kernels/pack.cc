#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "kernels/contract.h"

namespace assay {
namespace {

std::int64_t panels_of(std::int64_t n_out) { return (n_out + kPanelOutputs - 1) / kPanelOutputs; }
constexpr std::int64_t kMxfp4Row = kPanelOutputs / 2, kMxfp4Group = kPanelOutputs + kMxfp4Inputs * kMxfp4Row;
constexpr std::int64_t kScaleBytes = kPanelOutputs * 4;  // of a group of inputs, before their codes
std::int64_t inputs_of_scale(WeightFormat format) {
  ASSAY_CHECK(format == WeightFormat::e4m3 || format == WeightFormat::e5m2 || format == WeightFormat::q8_0);
  return format == WeightFormat::q8_0 ? kQ8Inputs : kFp8Inputs;
}

std::int64_t group_bytes(WeightFormat format) {
  return kScaleBytes + inputs_of_scale(format) * kPanelOutputs;
}

// Where output j of a panel lies in its row of 32.
std::int64_t place(WeightFormat format, std::int64_t j) {
  return format == WeightFormat::f32 ? j : 2 * (j % 16) + j / 16;
}

// Small floats with `mantissa` bits and this exponent bias; all codes are finite here.
float small_float(unsigned magnitude, int mantissa, int bias) {
  const int exponent = static_cast<int>(magnitude >> mantissa);
  const unsigned fraction = magnitude & ((1U << mantissa) - 1);
  return exponent == 0
             ? std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa)
             : std::ldexp(static_cast<float>(fraction | (1U << mantissa)), exponent - bias - mantissa);
}

float byte_value(WeightFormat format, unsigned code) {
  if (format == WeightFormat::q8_0) return static_cast<float>(static_cast<std::int8_t>(code));
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  const unsigned magnitude = code & 0x7FU;
  float value = 0;
  if (format == WeightFormat::e4m3) {
    value = magnitude == 0x7F ? kNan : small_float(magnitude, 3, 7);
  } else {
    value = magnitude > 0x7C ? kNan : magnitude == 0x7C ? kInfinity : small_float(magnitude, 2, 15);
  }
  return (code & 0x80U) != 0 ? -value : value;
}

float coded_weight(const PackedMatrix& w, std::int64_t output, std::int64_t input) {
  const std::int64_t j = output % kPanelOutputs;
  const auto* const panel =
      static_cast<const std::uint8_t*>(w.panels) + output / kPanelOutputs * panel_bytes(w.format, w.n_in);
  if (w.format == WeightFormat::mxfp4) {
    const std::uint8_t* const group = panel + input / kMxfp4Inputs * kMxfp4Group;
    const unsigned both = group[kPanelOutputs + input % kMxfp4Inputs * kMxfp4Row + j % kMxfp4Row];
    const unsigned code = j < kMxfp4Row ? both & 15U : both >> 4;
    const float value = small_float(code & 7U, 1, 1) * ((code & 8U) != 0 ? -1.0f : 1.0f);
    return group[j] == 255 ? std::numeric_limits<float>::quiet_NaN()
                           : value * std::ldexp(1.0f, group[j] - 127);
  }
  if (w.format == WeightFormat::f16) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, panel + 2 * (input * kPanelOutputs + place(w.format, j)), sizeof bits);
    return f16_to_f32(bits);
  }
  const std::int64_t inputs = inputs_of_scale(w.format);
  const std::uint8_t* const group = panel + input / inputs * group_bytes(w.format);
  float scale = 0;
  std::memcpy(&scale, group + 4 * j, sizeof scale);
  return byte_value(w.format, group[kScaleBytes + input % inputs * kPanelOutputs + j]) * scale;
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

PackedMatrix pack_bytes(WeightFormat format, const std::uint8_t* codes, const float* scales,
                        std::int64_t n_out, std::int64_t n_in, void* panels) {
  const std::int64_t inputs = inputs_of_scale(format), n_groups = (n_in + inputs - 1) / inputs,
                     group = group_bytes(format), stride = panel_bytes(format, n_in);
  std::memset(panels, 0, packed_bytes(format, n_out, n_in));
  for (std::int64_t o = 0; o < n_out; ++o) {
    const std::int64_t j = o % kPanelOutputs;
    auto* const panel = static_cast<std::uint8_t*>(panels) + o / kPanelOutputs * stride;
    for (std::int64_t g = 0; g < n_groups; ++g)
      std::memcpy(panel + g * group + 4 * j, &scales[o * n_groups + g], sizeof(float));
    for (std::int64_t k = 0; k < n_in; ++k)
      panel[k / inputs * group + kScaleBytes + k % inputs * kPanelOutputs + j] = codes[o * n_in + k];
  }
  return {panels, format, n_out, n_in};
}

}  // namespace

std::int64_t panel_bytes(WeightFormat format, std::int64_t n_in) {
  ASSAY_CHECK(n_in >= 0 && n_in <= (std::int64_t{1} << 28));
  switch (format) {
    case WeightFormat::f32:
      return n_in * kPanelOutputs * 4;
    case WeightFormat::bf16:
    case WeightFormat::f16:
      return n_in * kPanelOutputs * 2;
    case WeightFormat::mxfp4:
      ASSAY_CHECK(n_in % kMxfp4Inputs == 0);
      return n_in / kMxfp4Inputs * kMxfp4Group;
    case WeightFormat::e4m3:
    case WeightFormat::e5m2:
    case WeightFormat::q8_0:
      return (n_in + inputs_of_scale(format) - 1) / inputs_of_scale(format) * kScaleBytes +
             n_in * kPanelOutputs;
  }
  ASSAY_CHECK(false);
}

std::size_t packed_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(n_out >= 0 && n_in >= 0);
  ASSAY_CHECK(n_out <= (std::int64_t{1} << 31) && n_in <= (std::int64_t{1} << 28));
  return static_cast<std::size_t>(panels_of(n_out) * panel_bytes(format, n_in));
}

void pack_rows(const void* rows, std::int64_t first, std::int64_t count, void* panels, WeightFormat format,
               std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(first >= 0 && count >= 0 && first + count <= n_out && n_in >= 0);
  ASSAY_CHECK(!is_coded(format) || format == WeightFormat::f16);
  ASSAY_CHECK(first % kPanelOutputs == 0 && (count % kPanelOutputs == 0 || first + count == n_out));
  if (format != WeightFormat::f32) {
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

PackedMatrix pack_mxfp4(const std::uint8_t* codes, const std::uint8_t* scales, std::int64_t n_out,
                        std::int64_t n_in, void* panels) {
  const std::int64_t n_groups = n_in / kMxfp4Inputs, stride = panel_bytes(WeightFormat::mxfp4, n_in);
  std::memset(panels, 0, packed_bytes(WeightFormat::mxfp4, n_out, n_in));
  for (std::int64_t o = 0; o < n_out; ++o) {
    const std::int64_t j = o % kPanelOutputs;
    auto* const panel = static_cast<std::uint8_t*>(panels) + o / kPanelOutputs * stride;
    const int shift = j < kMxfp4Row ? 0 : 4;
    for (std::int64_t g = 0; g < n_groups; ++g) panel[g * kMxfp4Group + j] = scales[o * n_groups + g];
    for (std::int64_t k = 0; k < n_in; k += 2) {  // a byte of two inputs goes to two rows
      const unsigned both = codes[(o * n_in + k) / 2];
      std::uint8_t* const to = panel + k / kMxfp4Inputs * kMxfp4Group + kPanelOutputs +
                               k % kMxfp4Inputs * kMxfp4Row + j % kMxfp4Row;
      to[0] = static_cast<std::uint8_t>(to[0] | (both & 15U) << shift);
      to[kMxfp4Row] = static_cast<std::uint8_t>(to[kMxfp4Row] | (both >> 4) << shift);
    }
  }
  return {panels, WeightFormat::mxfp4, n_out, n_in};
}

PackedMatrix pack_fp8(WeightFormat format, const std::uint8_t* codes, const float* scales, std::int64_t n_out,
                      std::int64_t n_in, void* panels) {
  ASSAY_CHECK(format == WeightFormat::e4m3 || format == WeightFormat::e5m2);
  return pack_bytes(format, codes, scales, n_out, n_in, panels);
}

PackedMatrix pack_q8_0(const std::uint8_t* codes, const float* scales, std::int64_t n_out, std::int64_t n_in,
                       void* panels) {
  return pack_bytes(WeightFormat::q8_0, codes, scales, n_out, n_in, panels);
}

float packed_weight(const PackedMatrix& w, std::int64_t output, std::int64_t input) {
  ASSAY_CHECK(output >= 0 && output < w.n_out && input >= 0 && input < w.n_in);
  if (is_coded(w.format)) return coded_weight(w, output, input);
  const std::int64_t at =
      (output / kPanelOutputs * w.n_in + input) * kPanelOutputs + place(w.format, output % kPanelOutputs);
  return w.format == WeightFormat::bf16 ? bf16_to_f32(static_cast<const std::uint16_t*>(w.panels)[at])
                                        : static_cast<const float*>(w.panels)[at];
}

float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16, magnitude = bits & 0x7FFFU;
  if (magnitude >= 0x7C00U)
    return std::bit_cast<float>(sign | 0x7F800000U | magnitude << 13);   // infinities and NaNs
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;  // exact, subnormal numbers too
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace assay
