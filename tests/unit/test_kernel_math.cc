// The elementwise functions: same bits from every implementation, error in ulp as kernels/contract.h states; f64 functions likewise.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/math64.h"
#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Distance of y from the exact value in units of the last place of the f32 nearest to it.
double ulp_error(float y, double exact) {
  const double unit = std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
  if (exact == 0) return y == 0 ? 0 : 1e9;
  return std::abs(exact - double{y}) / unit;
}

double exact_of(Function f, double x) {
  switch (f) {
    case Function::exp:
      return std::exp(x);
    case Function::log:
      return std::log(x);
    case Function::sigmoid:
      return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
    case Function::silu:
      return x >= 0 ? x / (1 + std::exp(-x)) : x * std::exp(x) / (1 + std::exp(x));
    case Function::tanh:
      return std::tanh(x);
  }
  return 0;
}

struct MathCase {
  Function f;
  const char* name;
  double max_ulp;
  double from, to;
};
const MathCase kMathCases[] = {{Function::exp, "exp", 1.1, -104, 88.72},
                       {Function::log, "log", 2, 1e-45, 3.4e38},
                       {Function::sigmoid, "sigmoid", 3, -87, 120},
                       {Function::silu, "silu", 4, -80, 1e30},
                       {Function::tanh, "tanh", 3, -1e30, 1e30}};

// Every 1021st float between the limits, both signs: a few million arguments over all exponents.
std::vector<float> arguments(const MathCase& c) {
  std::vector<float> out;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 1021) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (x >= c.from && x <= c.to) out.push_back(x);
  }
  return out;
}

std::vector<float> applied(const Compute& c, Function f, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  apply(c, f, x.data(), static_cast<std::int64_t>(x.size()), y.data());
  return y;
}

TEST_CASE("kernels: elementwise functions keep their stated error and their bits") {
  for (const MathCase& c : kMathCases) {
    const auto x = arguments(c);
    REQUIRE(x.size() > 1'000'000);
    std::vector<float> first;
    each_compute([&](const Compute& compute) {
      if (compute.kernels.name == available_kernels()[0]->name && !first.empty() &&
          compute.pool.n_threads() > 1)
        return;
      const auto y = applied(compute, c.f, x);
      if (first.empty()) first = y;
      CHECK(same_bits(y, first));
    });
    double worst = 0, where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double e = ulp_error(first[i], exact_of(c.f, double{x[i]}));
      if (!(e <= worst)) worst = e, where = double{x[i]};
    }
    INFO(c.name << ": " << worst << " ulp at " << where);
    CHECK(worst <= c.max_ulp);
    CHECK(worst > 0.5);  // nothing computed in f32 steps is correctly rounded everywhere
  }
}

TEST_CASE("kernels: elementwise functions at the edges") {
  const std::vector<float> x = {0.0f,    -0.0f,    kInf, -kInf, kNan,     1e-45f, -1e-45f,
                                3.4e38f, -3.4e38f, 1.0f, -1.0f, 88.7228f, 88.73f, -103.9f};
  each_compute([&](const Compute& c) {
    const auto e = applied(c, Function::exp, x);
    CHECK((e[0] == 1 && e[1] == 1 && e[2] == kInf && e[3] == 0 && std::isnan(e[4]) && e[7] == kInf &&
           e[8] == 0));
    CHECK((e[11] < kInf && e[11] > 3.4e38f && e[12] == kInf && e[13] == 0x1p-149f));
    const auto l = applied(c, Function::log, x);
    CHECK((l[0] == -kInf && l[1] == -kInf && l[2] == kInf && std::isnan(l[3]) && std::isnan(l[4]) &&
           std::isnan(l[6]) && l[9] == 0));
    CHECK(l[5] == Approx(-103.2789f));
    const auto s = applied(c, Function::sigmoid, x);
    CHECK((s[0] == 0.5f && s[2] == 1 && s[3] == 0 && std::isnan(s[4]) && s[7] == 1 && s[8] == 0));
    const auto t = applied(c, Function::tanh, x);
    CHECK((t[0] == 0 && t[2] == 1 && t[3] == -1 && std::isnan(t[4]) && t[5] == 1e-45f && t[6] == -1e-45f &&
           t[8] == -1));
    CHECK((std::signbit(t[1]) && !std::signbit(t[0])));
    const auto u = applied(c, Function::silu, x);
    CHECK((u[0] == 0 && u[2] == kInf && std::isnan(u[4]) && u[7] == 3.4e38f));
  });
}

TEST_CASE("kernels: an elementwise function does not depend on length or alignment") {
  const auto x = normals(16384 + 37, 1, 5);
  each_compute([&](const Compute& c) {
    const auto whole = applied(c, Function::silu, x);
    for (const std::size_t at : {std::size_t{0}, std::size_t{3}, std::size_t{4096}, std::size_t{16384}}) {
      for (const std::size_t n : {1u, 15u, 16u, 17u, 31u}) {
        const auto part = applied(
            c, Function::silu,
            {x.begin() + static_cast<std::ptrdiff_t>(at), x.begin() + static_cast<std::ptrdiff_t>(at + n)});
        REQUIRE(std::memcmp(part.data(), whole.data() + at, n * sizeof(float)) == 0);
      }
    }
  });
}

TEST_CASE("kernels: f64 functions against the C library") {
  Stream random(3);
  double worst_exp = 0, worst_log = 0, worst_sin = 0, worst_pow = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double x = 1400 * random.uniform() - 700, p = std::exp(200 * random.uniform() - 100),
                 angle = 2e6 * random.uniform() - 1e6;
    worst_exp = std::max(worst_exp, std::abs(exp64(x) / std::exp(x) - 1));
    worst_log = std::max(worst_log, std::abs(log64(p) - std::log(p)) / std::abs(std::log(p)));
    worst_sin = std::max(
        {worst_sin, std::abs(sin64(angle) - std::sin(angle)), std::abs(cos64(angle) - std::cos(angle))});
    const double e = random.uniform();
    worst_pow = std::max(worst_pow, std::abs(pow64(1e4, -e) / std::pow(1e4, -e) - 1));
  }
  CHECK(worst_exp < 0x1p-51);
  CHECK(worst_log < 0x1p-51);
  CHECK(worst_sin < 0x1p-52);
  CHECK(worst_pow < 0x1p-48);
  CHECK(log64(1.0) == 0);
  CHECK(exp64(0.0) == 1);
  CHECK(sin64(0.0) == 0);
  CHECK(cos64(0.0) == 1);
}

}  // namespace
}  // namespace assay::test
