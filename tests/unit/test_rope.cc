// Rotary frequencies, gains and soft-max scales against the papers' formulas written out for one configuration
// each: numbers below were worked out from the formulas, not by the functions under test.
#include <cmath>
#include <numbers>

#include "reference/model/rope.h"
#include "tests/catch.h"

using namespace assay;

namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;

void check_all(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("pair " << i);
    CHECK(std::abs(got[i] / expected[i] - 1) < 1e-14);
  }
}

}  // namespace

TEST_CASE("rope: plain and linear frequencies are theta^(-2i/d), and that over the factor") {
  RopeConfig r{.theta = 10000};
  check_all(rope_frequencies(r, 8), {1, 0.1, 0.01, 0.001});
  r.kind = RopeKind::linear;
  r.factor = 4;
  check_all(rope_frequencies(r, 8), {0.25, 0.025, 0.0025, 0.00025});
}

// 2309.00071 section 3.2 with d = 16, theta = 10^4, L = 256, beta 32 and 1: the pair that turns beta times is
// d ln(L / (2 pi beta)) / (2 ln theta), here 0.2098 and 3.2201.
TEST_CASE("rope: YaRN blends between its two bounds, rounded outward or not") {
  const double low = 8 * std::log(256 / (kTwoPi * 32)) / std::log(1e4),
               high = 8 * std::log(256 / kTwoPi) / std::log(1e4);
  REQUIRE(std::abs(low - 0.2098) < 1e-3);
  REQUIRE(std::abs(high - 3.2201) < 1e-3);
  RopeConfig r{.kind = RopeKind::yarn, .theta = 10000, .factor = 4, .original_length = 256};
  const auto expected = [](double from, double to) {
    std::vector<double> out;
    for (int i = 0; i < 8; ++i) {
      const double plain = std::pow(10.0, -i / 2.0),
                   share = std::min(1.0, std::max(0.0, (i - from) / (to - from)));
      out.push_back(plain / 4 * share + plain * (1 - share));
    }
    return out;
  };
  check_all(rope_frequencies(r, 16), expected(0, 4));
  r.truncate = false;
  check_all(rope_frequencies(r, 16), expected(low, high));
}

// L = 10^6: the slow bound is at pair 10.4 of 8. DeepSeek's find_correction_range clamps it to d - 1, not to the last pair.
TEST_CASE("rope: YaRN's upper bound is clamped to the dimension, not to the number of pairs") {
  const RopeConfig r{.kind = RopeKind::yarn, .theta = 10000, .factor = 4, .original_length = 1e6};
  const double low = std::floor(8 * std::log(1e6 / (kTwoPi * 32)) / std::log(1e4));
  const double high = std::ceil(8 * std::log(1e6 / kTwoPi) / std::log(1e4));
  REQUIRE(low == 7);
  REQUIRE(high == 11);
  const RopeConfig fast{
      .kind = RopeKind::yarn, .theta = 10000, .factor = 4, .original_length = 1e6, .beta_fast = 1e4};
  const double fast_low = std::floor(8 * std::log(1e6 / (kTwoPi * 1e4)) / std::log(1e4));
  REQUIRE(fast_low == 2);
  const auto f = rope_frequencies(fast, 16);
  for (std::size_t i = 3; i < 8; ++i) {
    const double plain = std::pow(10.0, -static_cast<double>(i) / 2),
                 share = (static_cast<double>(i) - 2) / (11 - 2);
    CHECK(std::abs(f[i] / (plain / 4 * share + plain * (1 - share)) - 1) < 1e-14);
  }
  CHECK(rope_frequencies(r, 16)[7] == Approx(std::pow(10.0, -3.5)).epsilon(1e-14));
}

// Meta's apply_scaling with factor 8, bands 1 and 4, L = 8192: waves shorter than 2048 are kept, longer than 8192
// divided, between them a blend with (8192 / wave - 1) / 3.
TEST_CASE("rope: llama3 keeps, blends and divides by wavelength") {
  const RopeConfig r{.kind = RopeKind::llama3,
                     .theta = 500000,
                     .factor = 8,
                     .original_length = 8192,
                     .low_freq_factor = 1,
                     .high_freq_factor = 4};
  std::vector<double> expected;
  int kept = 0, blended = 0, divided = 0;
  for (int i = 0; i < 64; ++i) {
    const double f = std::pow(500000.0, -i / 64.0), wave = kTwoPi / f, smooth = (8192 / wave - 1) / 3;
    kept += wave<2048, divided += wave> 8192, blended += wave >= 2048 && wave <= 8192;
    expected.push_back(wave < 2048 ? f : wave > 8192 ? f / 8 : (1 - smooth) * f / 8 + smooth * f);
  }
  CHECK((kept > 20 && blended > 3 && divided > 20));
  check_all(rope_frequencies(r, 128), expected);
}

TEST_CASE("rope: mscale is 0.1 m ln(factor) + 1, and 1 where nothing is stretched") {
  CHECK(yarn_mscale(40, 1) == Approx(0.1 * std::log(40.0) + 1).epsilon(1e-15));
  CHECK(yarn_mscale(40, 0.707) == Approx(0.0707 * std::log(40.0) + 1).epsilon(1e-15));
  CHECK(yarn_mscale(1, 1) == 1);
}

// DeepSeek-V2-Lite: factor 40, mscale = mscale_all_dim = 0.707, head 128 + 64. Its gain is 1 and its soft-max scale
// 192^-0.5 times 1.2608 squared, 1.5896 (modeling_deepseek.py; transformers before 5.6.2 left the factor out).
TEST_CASE("rope: DeepSeek-V2-Lite's soft-max scale has mscale squared, its gain is a ratio") {
  ModelConfig c;
  c.attention = AttentionKind::latent;
  c.qk_nope_head_dim = 128;
  c.qk_rope_head_dim = 64;
  c.v_head_dim = 128;
  c.softmax_scale = SoftmaxScale::mscale_squared;
  c.rope = {.kind = RopeKind::yarn,
            .factor = 40,
            .original_length = 4096,
            .has_mscale = true,
            .has_mscale_all_dim = true,
            .mscale = 0.707,
            .mscale_all_dim = 0.707};
  const double m = 0.1 * 0.707 * std::log(40.0) + 1;
  REQUIRE(std::abs(m * m - 1.5896) < 1e-4);
  CHECK(attention_scale(c) == Approx(m * m / std::sqrt(192.0)).epsilon(1e-15));
  CHECK(rope_gain(c.rope, c.attention) == 1);
  c.rope.mscale = 1;
  CHECK(rope_gain(c.rope, c.attention) == Approx((0.1 * std::log(40.0) + 1) / m).epsilon(1e-15));
}

TEST_CASE("rope: the oracle's table is cos and sin of position times frequency, with the gain on both") {
  ModelConfig c;
  c.head_dim = 8;
  c.rope = {.kind = RopeKind::yarn, .factor = 4, .original_length = 64};
  const double gain = 0.1 * std::log(4.0) + 1;
  const auto f = rope_frequencies(c.rope, 8);
  const RopeTable table = rope_table(c, 70);
  REQUIRE(table.n_pairs == 4);
  for (const std::size_t p : {std::size_t{0}, std::size_t{1}, std::size_t{69}}) {
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(table.cos[4 * p + i] == Approx(gain * std::cos(static_cast<double>(p) * f[i])).epsilon(1e-14));
      CHECK(table.sin[4 * p + i] ==
            Approx(gain * std::sin(static_cast<double>(p) * f[i])).margin(1e-15).epsilon(1e-14));
    }
  }
}
