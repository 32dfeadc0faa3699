// exp, sigmoid and silu of one number, and small number formats widened: the operations of body_math.h and body_widen.h in the same order,
// so that the bits agree. Included after cuda_block.h.
#pragma once
#include "kernels/contract.h"
#include "kernels/cuda_block.h"

namespace assay {
namespace {

ASSAY_GPU float gpu_exp(float x) {
  constexpr float kMagic = 12582912.0f, kLog2E = 0x1.715476p+0f, kLn2High = 0x1.62e4p-1f,
                  kLn2Low = 0x1.7f7d1cp-20f;
  x = larger(-105.0f, smaller(89.0f, x));
  const float t = fused(x, kLog2E, kMagic), n = t - kMagic;
  const float r = fused(n, -kLn2Low, fused(n, -kLn2High, x));
  float p = 1.0f / 5040;
  p = fused(p, r, 1.0f / 720);
  p = fused(p, r, 1.0f / 120);
  p = fused(p, r, 1.0f / 24);
  p = fused(p, r, 1.0f / 6);
  p = fused(p, r, 0.5f);
  p = fused(r * r, p, r) + 1.0f;
  const std::int32_t exponent = static_cast<std::int32_t>(bits_of(t) - bits_of(kMagic)), half = exponent >> 1;
  const auto power = [](std::int32_t e) { return float_of_bits(static_cast<std::uint32_t>(e + 127) << 23); };
  return (p * power(half)) * power(exponent - half);
}

ASSAY_GPU float gpu_sigmoid(float x) {
  const float e = gpu_exp(0.0f - float_of_bits(bits_of(x) & 0x7fffffffu));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

ASSAY_GPU float gpu_silu(float x) { return x * gpu_sigmoid(x); }

ASSAY_GPU float gpu_clamped_swiglu(SwigluClamp clamp, float gate, float up) {
  const float g = smaller(clamp.limit, gate), u = larger(-clamp.limit, smaller(clamp.limit, up));
  return (u + 1.0f) * (g * gpu_sigmoid(clamp.alpha * g));
}

// The fixed tree over 16 strided partial sums.
ASSAY_GPU float gpu_tree(float* a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a[i] += a[i + width];
  }
  return a[0];
}

// The magnitude of a code with kMantissa fraction bits and this bias.
template <int kMantissa, int kBias>
ASSAY_GPU float small_code(std::uint32_t magnitude) {
  constexpr float kStep = kMantissa == 1 ? 0x1p-1f : kMantissa == 2 ? 0x1p-16f : 0x1p-9f;
  if (magnitude < (1u << kMantissa)) return static_cast<float>(magnitude) * kStep;
  return float_of_bits((magnitude << (23 - kMantissa)) + (static_cast<std::uint32_t>(127 - kBias) << 23));
}

ASSAY_GPU float signed_by(float magnitude, std::uint32_t sign) {
  return float_of_bits(bits_of(magnitude) | sign);
}

ASSAY_GPU float gpu_e2m1(std::uint32_t code) {
  return signed_by(small_code<1, 1>(code & 7u), (code & 8u) << 28);
}

ASSAY_GPU float gpu_e4m3(std::uint32_t code) {
  const std::uint32_t magnitude = code & 0x7fu;
  return signed_by(magnitude == 0x7fu ? nan_f32() : small_code<3, 7>(magnitude), (code & 0x80u) << 24);
}

// The nearest e4m3 code, ties to even; beyond 448 the largest number, NaN stays NaN.
ASSAY_GPU std::uint32_t rounded_e4m3(float x) {
  const std::uint32_t sign = bits_of(x) >> 24 & 0x80u, magnitude = bits_of(x) & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fu;
  if (magnitude >= 0x43e00000u) return sign | 0x7eu;  // 448
  if (magnitude < 0x3c800000u) {                      // below 2^-6 codes are multiples of 2^-9
    const float shifted = float_of_bits(magnitude) * 512.0f + 8388608.0f;  // rounds to an integer
    return sign | (bits_of(shifted) & 0xfu);
  }
  const std::uint32_t rounded = magnitude + 0x7ffffu + (magnitude >> 20 & 1u);
  return sign | ((rounded >> 20) - (120u << 3));
}

ASSAY_GPU float gpu_e5m2(std::uint32_t code) {
  const std::uint32_t magnitude = code & 0x7fu;
  const float value = magnitude > 0x7cu    ? nan_f32()
                      : magnitude == 0x7cu ? infinity_f32()
                                           : small_code<2, 15>(magnitude);
  return signed_by(value, (code & 0x80u) << 24);
}

ASSAY_GPU float gpu_e8m0(std::uint32_t code) {  // 2^(code - 127); 0 is the subnormal 2^-127, 255 NaN
  return code == 0 ? 0x1p-127f : code == 255 ? nan_f32() : float_of_bits(code << 23);
}

}  // namespace
}  // namespace assay
