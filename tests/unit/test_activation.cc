// Activations rounded to FP8: every code against a search for the nearest, scales by the published formula.
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "reference/weights/activation.h"
#include "reference/weights/dequant.h"
#include "tests/catch.h"

using namespace assay;

namespace {

// The nearest of the 127 magnitudes, the even code of two that are as near.
std::uint8_t nearest_e4m3(float value) {
  unsigned best = 0;
  double distance = 1e9;
  for (unsigned code = 0; code < 0x7F; ++code) {
    const double d = std::abs(std::abs(double{value}) - double{widen_e4m3(static_cast<std::uint8_t>(code))});
    if (d < distance || (d == distance && code % 2 == 0)) best = code, distance = d;
  }
  return static_cast<std::uint8_t>(best | (std::signbit(value) ? 0x80U : 0U));
}

}  // namespace

TEST_CASE("activations: e4m3 rounding is a search for the nearest, ties to even, saturating") {
  Stream random(3);
  for (int i = 0; i < 4000; ++i) {
    const float value =
        static_cast<float>(std::ldexp(random.uniform() * 2 - 1, static_cast<int>(random.below(24)) - 13));
    INFO(value);
    REQUIRE(round_e4m3(value) == nearest_e4m3(value));
  }
  for (unsigned code = 0; code < 0x7E; ++code) {  // every tie
    const float a = widen_e4m3(static_cast<std::uint8_t>(code)),
                b = widen_e4m3(static_cast<std::uint8_t>(code + 1));
    REQUIRE(round_e4m3((a + b) / 2) == code + code % 2);
  }
  CHECK(round_e4m3(1e6F) == 0x7E);
  CHECK(round_e4m3(-std::numeric_limits<float>::infinity()) == 0xFE);
  CHECK(round_e4m3(std::numeric_limits<float>::quiet_NaN()) == 0x7F);
  CHECK(round_e4m3(-0.0F) == 0x80);
}

TEST_CASE("activations: one scale a token and block, from the block's own largest value") {
  std::vector<float> x = {896, -1, 0, 2, 0.5F, 448, 3, 0, 0, 1e-6F};  // two tokens of 5, blocks of 3
  round_activations_by_block(x, 2, 5, 3);
  const float half = 2.0F / 448, tiny = kSmallestAmax / 448;
  CHECK(x[0] == 896);  // scale 2
  CHECK(x[1] == -1);   // -0.5
  CHECK(x[3] == 448 * half);
  CHECK(x[4] == widen_e4m3(nearest_e4m3(0.5F / half)) * half);
  CHECK(x[5] == 448);  // scale 1
  CHECK(x[6] == 3);
  CHECK(x[9] == widen_e4m3(nearest_e4m3(1e-6F / tiny)) * tiny);
}

TEST_CASE("activations: rows that only fill a batch up do not move the scale of a tensor") {
  const std::vector<float> valid = {1, -2, 0.125F, 4.48F};
  std::vector<float> alone = valid, padded = valid;
  padded.insert(padded.end(), {30000, -1e9F, std::numeric_limits<float>::quiet_NaN(), 7});
  CHECK(round_activations_by_tensor(alone, 2, 2, 2) == 4.48F / 448);
  CHECK(round_activations_by_tensor(padded, 4, 2, 2) == 4.48F / 448);
  for (std::size_t i = 0; i < valid.size(); ++i) CHECK(padded[i] == alone[i]);
  std::vector<float> none = {5, 5};
  CHECK(round_activations_by_tensor(none, 1, 0, 2) == kSmallestAmax / 448);
}
