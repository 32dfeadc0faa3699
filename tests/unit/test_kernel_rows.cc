// Norm, soft-max, gating, mixture, rotation and head: bit for bit as defined, and near the f64 value.
#include <cmath>
#include <limits>

#include "kernels/math64.h"
#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

// "16 strided partial sums" and the tree of kernels/contract.h over term(i), i < n; step(partial, i) adds one term.
template <class Step>
float strided(std::int64_t n, Step step) {
  float a[16] = {};
  for (std::int64_t i = 0; i < n; ++i) a[i % 16] = step(a[i % 16], static_cast<std::size_t>(i));
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a[i] += a[i + width];
  }
  return a[0];
}

std::vector<float> map(const Compute& c, Function f, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  apply(c, f, x.data(), static_cast<std::int64_t>(x.size()), y.data());
  return y;
}

const std::int64_t kWidths[] = {1, 2, 15, 16, 17, 64, 100, 1000, 7168};

TEST_CASE("kernels: rms norm is the defined one") {
  for (const std::int64_t n : kWidths) {
    for (const bool hard : {false, true}) {
      const auto size = static_cast<std::size_t>(3 * n);
      const auto x = hard ? linspace(size) : normals(size, 1), w = normals(static_cast<std::size_t>(n), 2);
      std::vector<float> expected(size);
      for (std::int64_t row = 0; row < 3; ++row) {
        const float* const p = x.data() + row * n;
        const float r =
            1.0f / std::sqrt(strided(n, [p](float a, std::size_t i) { return std::fma(p[i], p[i], a); }) /
                                 static_cast<float>(n) +
                             1e-6f);
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          expected[static_cast<std::size_t>(row * n + i)] = (p[i] * r) * w[static_cast<std::size_t>(i)];
          sum += double{p[i]} * double{p[i]};
        }
        const double exact = 1 / std::sqrt(sum / static_cast<double>(n) + 1e-6);
        CHECK(std::abs(double{r} / exact - 1) < (static_cast<double>(n) / 16 + 10) * 0x1p-24);
      }
      each_compute([&](const Compute& c) {
        std::vector<float> y(x);
        rms_norm(c, y.data(), w.data(), 3, n, 1e-6f, y.data());
        CHECK(same_bits(y, expected));
      });
    }
  }
}

TEST_CASE("kernels: strided rms norm touches only its part of a row") {
  const auto x = normals(4 * 50, 3), w = normals(20, 4);
  each_compute([&](const Compute& c) {
    std::vector<float> y(4 * 30, 5.0f), packed(4 * 20), expected(4 * 20);
    for (std::size_t i = 0; i < 4; ++i)
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(50 * i + 7), 20,
                  packed.begin() + static_cast<std::ptrdiff_t>(20 * i));
    rms_norm(c, packed.data(), w.data(), 4, 20, 1e-5f, expected.data());
    rms_norm_strided(c, x.data() + 7, 50, w.data(), 4, 20, 1e-5f, y.data(), 30);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(std::memcmp(&y[30 * i], &expected[20 * i], 20 * sizeof(float)) == 0);
      for (std::size_t j = 20; j < 30; ++j) CHECK(y[30 * i + j] == 5.0f);
    }
  });
}

TEST_CASE("kernels: row soft-max is the defined one") {
  for (const std::int64_t n : kWidths) {
    const auto x = normals(static_cast<std::size_t>(n), 5, 20);
    each_compute([&](const Compute& c) {
      const float m = *std::max_element(x.begin(), x.end());
      std::vector<float> shifted(x);
      for (float& v : shifted) v -= m;
      const auto e = map(c, Function::exp, shifted);
      const float sum = strided(n, [&](float a, std::size_t i) { return a + e[i]; });
      std::vector<float> expected(e), y(x);
      for (float& v : expected) v /= sum;
      softmax_rows(c, y.data(), 1, n, y.data());
      CHECK(same_bits(y, expected));
      double total = 0;
      for (const float v : y) total += double{v};
      CHECK(std::abs(total - 1) < (static_cast<double>(n) / 16 + 8) * 0x1p-23);
    });
  }
}

TEST_CASE("kernels: gating, halves, addition") {
  const std::int64_t n = 77;
  const auto gate = normals(static_cast<std::size_t>(3 * n), 6, 4),
             up = normals(static_cast<std::size_t>(3 * n), 7);
  each_compute([&](const Compute& c) {
    auto expected = map(c, Function::silu, gate);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= up[i];
    std::vector<float> y(gate.size()), halves;
    silu_mul(c, gate.data(), up.data(), 3, n, y.data());
    CHECK(same_bits(y, expected));
    for (std::int64_t row = 0; row < 3; ++row) {
      halves.insert(halves.end(), gate.begin() + row * n, gate.begin() + (row + 1) * n);
      halves.insert(halves.end(), up.begin() + row * n, up.begin() + (row + 1) * n);
    }
    silu_mul_halves(c, halves.data(), 3, n, y.data());
    CHECK(same_bits(y, expected));
    std::vector<float> sum(up), defined(up);
    for (std::size_t i = 0; i < defined.size(); ++i) defined[i] = up[i] + gate[i];
    add(c, gate.data(), 3, n, sum.data());
    CHECK(same_bits(sum, defined));
  });
}

TEST_CASE("kernels: the clamped gate is the defined one, and both clamps bite") {
  const std::int64_t n = 77;
  const float alpha = 1.702f, limit = 1.25f;
  auto in = normals(static_cast<std::size_t>(2 * 3 * n), 6, 3);
  in[5] = std::numeric_limits<float>::quiet_NaN();                                // a gate
  in[static_cast<std::size_t>(n) + 9] = std::numeric_limits<float>::quiet_NaN();  // an up
  in[7] = std::numeric_limits<float>::infinity();
  in[8] = -std::numeric_limits<float>::infinity();
  each_compute([&](const Compute& c) {
    std::vector<float> g, u, expected;
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t i = 0; i < 77; ++i) {
        const float gate = in[row * 154 + i], up = in[row * 154 + 77 + i];
        g.push_back(gate > limit ? limit : gate);
        u.push_back(up > limit ? limit : up < -limit ? -limit : up);
      }
    }
    std::vector<float> scaled(g);
    for (float& x : scaled) x *= alpha;
    const auto s = map(c, Function::sigmoid, scaled);
    double worst = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      expected.push_back((u[i] + 1.0f) * (g[i] * s[i]));
      const double exact = (double{u[i]} + 1) * double{g[i]} / (1 + std::exp(-double{alpha} * double{g[i]}));
      if (std::isfinite(exact) && exact != 0)
        worst = std::max(worst, std::abs(double{expected[i]} / exact - 1));
    }
    std::vector<float> y(expected.size());
    clamped_swiglu_halves(c, {alpha, limit}, in.data(), 3, n, y.data());
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK((std::isnan(expected[i]) ? std::isnan(y[i]) : y[i] == expected[i]));
    // sigmoid 3 ulp, its argument's rounding times |alpha g| <= 40, and four roundings
    CHECK(worst < (3 * 2 + 40 + 4) * 0x1p-24);
    CHECK(worst > 0x1p-26);
    CHECK(std::isnan(y[5]));
    CHECK(std::isnan(y[9]));
    CHECK(std::count(g.begin(), g.end(), limit) > 40);
    CHECK(std::count(u.begin(), u.end(), -limit) > 40);
  });
}

TEST_CASE("kernels: adding scaled by one is adding, bit for bit") {
  const auto x = linspace(300), start = normals(300, 11);
  each_compute([&](const Compute& c) {
    std::vector<float> a(start), b(start), third(start);
    add(c, x.data(), 3, 100, a.data());
    add_scaled(c, 1.0f, x.data(), 3, 100, b.data());
    CHECK(same_bits(a, b));
    add_scaled(c, 0.22f, x.data(), 3, 100, third.data());
    for (std::size_t i = 0; i < 300; ++i) CHECK(third[i] == std::fma(0.22f, x[i], start[i]));
  });
}

TEST_CASE("kernels: the mixture adds its experts in ascending order, weights after the product") {
  const std::int64_t n = 45, top_k = 3;
  const auto rows = linspace(static_cast<std::size_t>(8 * n));
  const std::vector<std::int32_t> slots = {0, 3, 7, 2, -1, 5};
  const std::vector<float> weights = {0.1f, 0.7f, 0.3f, 0.9f, 5.0f, 0.2f};
  std::vector<float> expected(static_cast<std::size_t>(2 * n));
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t k = 0; k < 3; ++k) {
      if (slots[3 * t + k] < 0) continue;
      for (std::size_t i = 0; i < 45; ++i) {
        float& y = expected[t * 45 + i];
        y = std::fma(weights[3 * t + k], rows[static_cast<std::size_t>(slots[3 * t + k]) * 45 + i], y);
      }
    }
  }
  each_compute([&](const Compute& c) {
    std::vector<float> y(expected.size(), 9.0f);
    combine_experts(c, rows.data(), slots.data(), weights.data(), 2, top_k, n, y.data());
    CHECK(same_bits(y, expected));
  });
}

TEST_CASE("kernels: rotation of pairs, both layouts") {
  for (const std::int64_t n_pairs : {1, 5, 16, 32, 33}) {
    std::vector<double> frequency(static_cast<std::size_t>(n_pairs));
    for (std::int64_t i = 0; i < n_pairs; ++i)
      frequency[static_cast<std::size_t>(i)] =
          pow64(1e4, -static_cast<double>(i) / static_cast<double>(n_pairs));
    std::vector<float> cosines(static_cast<std::size_t>(2 * n_pairs)), sines(cosines);
    rotary_row(7, frequency.data(), n_pairs, 1, cosines.data(), sines.data());
    rotary_row(123'456, frequency.data(), n_pairs, 1.25, cosines.data() + n_pairs, sines.data() + n_pairs);
    CHECK(cosines[static_cast<std::size_t>(n_pairs)] == static_cast<float>(1.25 * std::cos(123'456.0)));
    const std::int64_t head = 2 * n_pairs + 3;
    const auto x = normals(static_cast<std::size_t>(2 * 3 * head), 8);
    for (const auto pairs : {RotaryPairs::interleaved, RotaryPairs::half_split}) {
      std::vector<float> expected(x);
      for (std::int64_t th = 0; th < 6; ++th) {
        for (std::int64_t i = 0; i < n_pairs; ++i) {
          const bool split = pairs == RotaryPairs::half_split;
          float& x0 = expected[static_cast<std::size_t>(th * head + (split ? i : 2 * i))];
          float& x1 = expected[static_cast<std::size_t>(th * head + (split ? i + n_pairs : 2 * i + 1))];
          const auto at = static_cast<std::size_t>(th / 3 * n_pairs + i);
          const float a = x0, b = x1;
          x0 = std::fma(a, cosines[at], -(b * sines[at]));
          x1 = std::fma(b, cosines[at], a * sines[at]);
        }
      }
      each_compute([&](const Compute& c) {
        std::vector<float> y(x);
        rotary(c, y.data(), 2, 3 * head, 3, head, n_pairs, pairs, cosines.data(), sines.data());
        CHECK(same_bits(y, expected));
      });
    }
  }
}

TEST_CASE("kernels: log-probabilities of requested tokens") {
  for (const std::int64_t n : {1, 15, 512, 513, 2000}) {
    const auto x = normals(static_cast<std::size_t>(3 * n), 9, 6);
    const std::vector<std::int32_t> targets = {0, static_cast<std::int32_t>(n - 1),
                                               static_cast<std::int32_t>(n / 2)};
    std::vector<double> first;
    each_compute([&](const Compute& c) {
      std::vector<double> got(3);
      log_softmax_at(c, x.data(), n, 3, n, targets.data(), got.data());
      for (std::size_t row = 0; row < 3; ++row) {
        const float* const p = x.data() + static_cast<std::int64_t>(row) * n;
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += std::exp(double{p[i]});
        CHECK(std::abs(got[row] - (double{p[targets[row]]} - std::log(sum))) <
              40 * 0x1p-24);  // 32 adds, exp, shift
        CHECK(got[row] == double{p[targets[row]]} - log_sum_exp(c, p, n));
      }
      if (first.empty()) first = got;
      CHECK(got == first);
    });
  }
  const std::vector<float> broken = {1.0f, std::numeric_limits<float>::quiet_NaN(), 2.0f};
  each_compute([&](const Compute& c) { CHECK(std::isnan(log_sum_exp(c, broken.data(), 3))); });
}

TEST_CASE("kernels: arg-max takes the lower index of a tie and never a NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto best = [](std::vector<float> x) {
    return argmax(x.data(), static_cast<std::int64_t>(x.size()));
  };
  CHECK(best({1, 3, 3, 2}) == 1);
  CHECK(best({nan, -5, nan, -5}) == 1);
  CHECK(best({-0.0f, 0.0f}) == 0);
  CHECK(best({nan, nan}) == -1);
  CHECK(best({-std::numeric_limits<float>::infinity()}) == 0);
}

}  // namespace
}  // namespace assay::test
