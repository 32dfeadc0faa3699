#include "reference/weights/activation.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "reference/weights/dequant.h"

namespace assay {
namespace {

constexpr int kMantissaBits = 3;
constexpr int kSmallestExponent = -6;  // of a normal number; subnormals have its steps, 2^-9

// A NaN does not take part: it stays NaN by itself and would hide every other value.
float scale_of(std::span<const float> x) {
  float amax = kSmallestAmax;
  for (const float v : x) amax = std::fabs(v) > amax ? std::fabs(v) : amax;
  return amax / kE4m3Max;
}

void round_with(std::span<float> x, float scale) {
  for (float& v : x) v = widen_e4m3(round_e4m3(v / scale)) * scale;
}

}  // namespace

std::uint8_t round_e4m3(float value) {
  if (std::isnan(value)) return 0x7F;
  const auto sign = static_cast<std::uint8_t>(std::signbit(value) ? 0x80 : 0);
  const float magnitude = std::min(std::fabs(value), kE4m3Max);
  const int exponent = magnitude > 0 ? std::max(std::ilogb(magnitude), kSmallestExponent) : kSmallestExponent;
  const float steps =
      std::nearbyint(std::ldexp(magnitude, kMantissaBits - exponent));  // ties to even; exact below 16
  // Codes ascend with the magnitude: 8 for each binade, and a carry into the next one is the next code.
  const int code = (exponent - kSmallestExponent) * (1 << kMantissaBits) + static_cast<int>(steps);
  ASSAY_CHECK(code >= 0 && code < 0x7F);
  return static_cast<std::uint8_t>(sign | code);
}

void round_activations_by_block(std::span<float> x, std::int64_t n_tokens, std::int64_t n,
                                std::int64_t block) {
  ASSAY_CHECK(n_tokens >= 0 && n >= 1 && block >= 1);
  ASSAY_CHECK(x.size() == static_cast<std::size_t>(n_tokens * n));
  for (std::int64_t token = 0; token < n_tokens; ++token) {
    for (std::int64_t at = 0; at < n; at += block) {
      const auto part = x.subspan(static_cast<std::size_t>(token * n + at),
                                  static_cast<std::size_t>(std::min(block, n - at)));
      round_with(part, scale_of(part));
    }
  }
}

float round_activations_by_tensor(std::span<float> x, std::int64_t n_rows, std::int64_t n_valid,
                                  std::int64_t n) {
  ASSAY_CHECK(n >= 1 && n_valid >= 0 && n_valid <= n_rows);
  ASSAY_CHECK(x.size() == static_cast<std::size_t>(n_rows * n));
  const float scale = scale_of(x.first(static_cast<std::size_t>(n_valid * n)));
  round_with(x, scale);
  return scale;
}

}  // namespace assay
