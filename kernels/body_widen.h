// Panels whose weights are codes, widened to f32 in order (kernels/contract.h says how they lie). Included
// after a lanes_*.h. Integer operations, selections and at most two products a weight: every instruction set gives the same bits.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr std::int64_t kMxfp4GroupBytes = kPanelOutputs + kMxfp4Inputs * kPanelOutputs / 2;

// Bytes of the first n_in inputs of a panel, as panel_bytes() of the contract: not called, because objects of a newer
// machine keep to themselves.
inline std::int64_t stored_bytes(WeightFormat format, std::int64_t n_in) {
  if (format == WeightFormat::f32) return n_in * kPanelOutputs * 4;
  if (format == WeightFormat::bf16 || format == WeightFormat::f16) return n_in * kPanelOutputs * 2;
  if (format == WeightFormat::mxfp4) return n_in / kMxfp4Inputs * kMxfp4GroupBytes;
  const std::int64_t inputs = format == WeightFormat::q8_0 ? kQ8Inputs : kFp8Inputs;
  return (n_in + inputs - 1) / inputs * kPanelOutputs * 4 + n_in * kPanelOutputs;
}

// Small non-negative integers (below 2^23) as floats.
inline F16 float_of(I16 n) { return sub(from_bits(or_i(n, bits(splat(8388608.0f)))), splat(8388608.0f)); }

// A code's magnitude: exponent above kMantissa bits, of bias kBias; below one step of the exponent it is a fraction.
template <int kMantissa, int kBias>
F16 small_magnitude(I16 magnitude, F16 as_float) {
  constexpr float kStep = kMantissa == 1   ? 0x1p-1f
                          : kMantissa == 2 ? 0x1p-16f
                                           : 0x1p-9f;  // 2^(1 - kBias - kMantissa)
  const F16 normal = from_bits(add_i(shift_left<23 - kMantissa>(magnitude), splat_i((127u - kBias) << 23)));
  return select(less(as_float, splat(static_cast<float>(1 << kMantissa))), mul(as_float, splat(kStep)),
                normal);
}

inline F16 with_sign(F16 magnitude, I16 sign) { return from_bits(or_i(bits(magnitude), sign)); }

inline F16 e2m1_16(I16 codes) {
  const I16 magnitude = and_i(codes, splat_i(7));
  return with_sign(small_magnitude<1, 1>(magnitude, float_of(magnitude)),
                   shift_left<28>(and_i(codes, splat_i(8))));
}

inline F16 e4m3_16(I16 codes) {
  const I16 magnitude = and_i(codes, splat_i(0x7f));
  const F16 as_float = float_of(magnitude), value = small_magnitude<3, 7>(magnitude, as_float);
  const F16 finite = select(less(splat(126.5f), as_float), splat(__builtin_nanf("")), value);
  return with_sign(finite, shift_left<24>(and_i(codes, splat_i(0x80))));
}

inline F16 e5m2_16(I16 codes) {
  const I16 magnitude = and_i(codes, splat_i(0x7f));
  const F16 as_float = float_of(magnitude), value = small_magnitude<2, 15>(magnitude, as_float);
  const F16 top = select(less(splat(124.5f), as_float), splat(__builtin_nanf("")), splat(__builtin_inff()));
  return with_sign(select(less(as_float, splat(123.5f)), value, top),
                   shift_left<24>(and_i(codes, splat_i(0x80))));
}

inline F16 e8m0_16(I16 codes) {  // 2^(code - 127); 0 is the subnormal 2^-127, 255 NaN
  const F16 as_float = float_of(codes);
  const F16 power = select(less(as_float, splat(0.5f)), splat(0x1p-127f), from_bits(shift_left<23>(codes)));
  return select(less(splat(254.5f), as_float), splat(__builtin_nanf("")), power);
}

inline void widen_mxfp4(const std::uint8_t* panel, std::int64_t n_k, float* wide) {
  for (std::int64_t k0 = 0; k0 < n_k; k0 += kMxfp4Inputs, panel += kMxfp4GroupBytes) {
    const F16 low = e8m0_16(load_bytes(panel)), high = e8m0_16(load_bytes(panel + 16));
    for (std::int64_t k = 0; k < kMxfp4Inputs; ++k, wide += kPanelOutputs) {
      const I16 both = load_bytes(panel + kPanelOutputs + 16 * k);
      store(wide, mul(e2m1_16(and_i(both, splat_i(15))), low));
      store(wide + 16, mul(e2m1_16(shift_right<4>(both)), high));
    }
  }
}

inline F16 int8_16(I16 codes) {  // two's complement: 128 is added and taken off again
  return sub(float_of(and_i(add_i(codes, splat_i(0x80)), splat_i(0xff))), splat(128.0f));
}

inline F16 f16_16(I16 codes) {
  const I16 magnitude = and_i(codes, splat_i(0x7fff)), wide = shift_left<13>(magnitude);
  const F16 finite = mul(from_bits(wide), splat(0x1p112f)), top = from_bits(or_i(wide, splat_i(0x7f800000u)));
  return with_sign(select(less(float_of(magnitude), splat(31743.5f)), finite, top),  // 0x7c00 is infinity
                   shift_left<16>(and_i(codes, splat_i(0x8000u))));
}

// Bytes under f32 scales, one for kInputs inputs.
template <std::int64_t kInputs, F16 (*kWiden)(I16)>
void widen_bytes(const std::uint8_t* panel, std::int64_t n_k, float* wide) {
  for (std::int64_t k0 = 0; k0 < n_k; k0 += kInputs, panel += kPanelOutputs * (4 + kInputs)) {
    float scales[kPanelOutputs];
    __builtin_memcpy(scales, panel, sizeof scales);
    const F16 low = load(scales), high = load(scales + 16);
    const std::int64_t n = n_k - k0 < kInputs ? n_k - k0 : kInputs;
    const std::uint8_t* codes = panel + kPanelOutputs * 4;
    for (std::int64_t k = 0; k < n; ++k, wide += kPanelOutputs, codes += kPanelOutputs) {
      store(wide, mul(kWiden(load_bytes(codes)), low));
      store(wide + 16, mul(kWiden(load_bytes(codes + 16)), high));
    }
  }
}

inline void widen_f16(const std::uint8_t* panel, std::int64_t n_k, float* wide) {
  for (std::int64_t k = 0; k < n_k; ++k, panel += 2 * kPanelOutputs, wide += kPanelOutputs) {
    float words[16];  // bits of two halves each, never used as a number
    __builtin_memcpy(words, panel, sizeof words);
    const I16 both = bits(load(words));
    store(wide, f16_16(and_i(both, splat_i(0xffff))));
    store(wide + 16, f16_16(and_i(shift_right<16>(both), splat_i(0xffff))));
  }
}

// n_k inputs of a panel from a multiple of kBlockK on to (n_k, 32) floats.
inline void widen_coded(const std::uint8_t* panel, WeightFormat format, std::int64_t n_k, float* wide) {
  switch (format) {
    case WeightFormat::mxfp4:
      return widen_mxfp4(panel, n_k, wide);
    case WeightFormat::e4m3:
      return widen_bytes<kFp8Inputs, e4m3_16>(panel, n_k, wide);
    case WeightFormat::e5m2:
      return widen_bytes<kFp8Inputs, e5m2_16>(panel, n_k, wide);
    case WeightFormat::q8_0:
      return widen_bytes<kQ8Inputs, int8_16>(panel, n_k, wide);
    case WeightFormat::f16:
      return widen_f16(panel, n_k, wide);
    case WeightFormat::f32:
    case WeightFormat::bf16:
      return;
  }
}

}  // namespace
}  // namespace assay
