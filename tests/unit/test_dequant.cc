// Widening and block scales: every 8-bit code against the formats' definitions, matrices against the bundled
// fork and ../shared.
#include <bit>
#include <cmath>
#include <filesystem>

#include "reference/weights/dequant.h"
#include "tests/catch.h"

namespace {

using namespace assay;

// The value of a sign, exponent, mantissa code written from the definition (OCP OFP8), in double.
double ofp8(unsigned code, int exponent_bits, int mantissa_bits, int bias) {
  const unsigned exponent = (code & 0x7F) >> mantissa_bits;
  const unsigned mantissa = code & ((1U << mantissa_bits) - 1);
  REQUIRE(exponent < (1U << exponent_bits));
  const double fraction = mantissa / static_cast<double>(1U << mantissa_bits);
  const double value = exponent == 0 ? std::pow(2.0, 1 - bias) * fraction
                                     : std::pow(2.0, static_cast<int>(exponent) - bias) * (1 + fraction);
  return code & 0x80 ? -value : value;
}

TEST_CASE("dequant: all 256 codes of e4m3") {
  int finite = 0;
  for (unsigned code = 0; code < 256; ++code) {
    const float value = widen_e4m3(static_cast<std::uint8_t>(code));
    INFO("code " << code);
    if ((code & 0x7F) == 0x7F) {
      CHECK(std::isnan(value));
      continue;
    }
    ++finite;
    CHECK(static_cast<double>(value) == ofp8(code, 4, 3, 7));
    CHECK(std::signbit(value) == (code >= 0x80));
  }
  CHECK(finite == 254);
  CHECK(widen_e4m3(0x7E) == 448.0F);
  CHECK(widen_e4m3(0x01) == std::ldexp(1.0F, -9));
}

TEST_CASE("dequant: all 256 codes of e5m2") {
  for (unsigned code = 0; code < 256; ++code) {
    const float value = widen_e5m2(static_cast<std::uint8_t>(code));
    INFO("code " << code);
    const unsigned magnitude = code & 0x7F;
    if (magnitude > 0x7C) {
      CHECK(std::isnan(value));
    } else if (magnitude == 0x7C) {
      CHECK(std::isinf(value));
    } else {
      CHECK(static_cast<double>(value) == ofp8(code, 5, 2, 15));
    }
    if (!std::isnan(value)) CHECK(std::signbit(value) == (code >= 0x80));
  }
}

TEST_CASE("dequant: all 256 codes of e8m0") {
  for (unsigned code = 0; code < 255; ++code) {
    INFO("code " << code);
    CHECK(static_cast<double>(widen_e8m0(static_cast<std::uint8_t>(code))) ==
          std::pow(2.0, static_cast<int>(code) - 127));
  }
  CHECK(std::isnan(widen_e8m0(255)));
}

TEST_CASE("dequant: all codes of f16 and bf16") {
  for (unsigned code = 0; code < 65536; ++code) {
    const auto narrow = static_cast<std::uint16_t>(code);
    const unsigned exponent = code >> 10 & 31;
    const double fraction = (code & 1023) / 1024.0;
    const double magnitude = exponent == 0 ? std::pow(2.0, -14) * fraction
                                           : std::pow(2.0, static_cast<int>(exponent) - 15) * (1 + fraction);
    const float half = widen_f16(narrow);
    const bool half_ok = exponent == 31
                             ? (code & 1023 ? std::isnan(half) : std::isinf(half))
                             : static_cast<double>(half) == (code & 0x8000 ? -magnitude : magnitude);
    const float brain = widen_bf16(narrow);
    const bool brain_ok = std::bit_cast<std::uint32_t>(brain) == code << 16;
    const bool round_ok =
        std::isnan(brain) ? std::isnan(widen_bf16(round_bf16(brain))) : round_bf16(brain) == narrow;
    if (!half_ok || !brain_ok || !round_ok) FAIL("code " << code);
  }
  SUCCEED();
}

TEST_CASE("dequant: bf16 rounds to nearest even") {
  CHECK(round_bf16(std::bit_cast<float>(0x3F808000U)) == 0x3F80);  // a tie goes to the even code below
  CHECK(round_bf16(std::bit_cast<float>(0x3F818000U)) == 0x3F82);  // and to the even code above
  CHECK(round_bf16(std::bit_cast<float>(0x3F808001U)) == 0x3F81);
  CHECK(round_bf16(std::bit_cast<float>(0x7F7FFFFFU)) == 0x7F80);  // the largest float rounds to infinity
  CHECK(std::isnan(widen_bf16(round_bf16(std::bit_cast<float>(0x7F800001U)))));
}

}  // namespace
