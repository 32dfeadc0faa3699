#include "kernels/math64.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/check.h"

namespace assay {
namespace {

constexpr double kMagic = 0x1.8p52;  // adding it rounds to an integer
constexpr double kMaxAngle = 0x1p25;

// Sum of c[i] r^i by Horner's rule.
template <int N>
double horner(const double (&c)[N], double r) {
  double p = c[N - 1];
  for (int i = N - 2; i >= 0; --i) p = std::fma(p, r, c[i]);
  return p;
}

// Taylor coefficients in r^2 of sin(r)/r and cos(r); |r| <= pi/4 leaves 2^-56.
constexpr double kSin[] = {1.0,
                           -1.0 / 6,
                           1.0 / 120,
                           -1.0 / 5040,
                           1.0 / 362880,
                           -1.0 / 39916800,
                           1.0 / 6227020800.0,
                           -1.0 / 1307674368000.0,
                           1.0 / 355687428096000.0};
constexpr double kCos[] = {1.0,
                           -1.0 / 2,
                           1.0 / 24,
                           -1.0 / 720,
                           1.0 / 40320,
                           -1.0 / 3628800,
                           1.0 / 479001600.0,
                           -1.0 / 87178291200.0,
                           1.0 / 20922789888000.0,
                           -1.0 / 6402373705728000.0};

struct Quadrant {
  double r;
  std::int64_t n;
};  // x = n pi/2 + r

Quadrant reduce(double x) {
  ASSAY_CHECK(x <= kMaxAngle && x >= -kMaxAngle);
  const double n = (x * 0x1.45f306dc9c883p-1 + kMagic) - kMagic;
  double r = std::fma(n, -0x1.921fb54442d18p+0, x);  // pi/2 in three parts of 53 bits
  r = std::fma(n, -0x1.1a62633145c07p-54, r);
  r = std::fma(n, 0x1.f1976b7ed8fbcp-110, r);
  return {r, static_cast<std::int64_t>(n)};
}

double sine_of(Quadrant q) {
  const double z = q.r * q.r;
  const double value = q.n % 2 == 0 ? q.r * horner(kSin, z) : horner(kCos, z);
  return (q.n & 2) == 0 ? value : -value;
}

}  // namespace

double exp64(double x) {
  ASSAY_CHECK(x <= 700 && x >= -700);
  const double n = (x * 0x1.71547652b82fep+0 + kMagic) - kMagic;
  const double r = std::fma(n, -0x1.abc9e3b39803fp-56, std::fma(n, -0x1.62e42fefa39efp-1, x));
  double p = 1.0;  // 1 + r (1 + r/2 (1 + r/3 (...))): 14 terms leave 2^-58
  for (int k = 14; k >= 1; --k) p = std::fma(p * r, 1.0 / k, 1.0);
  return std::ldexp(p, static_cast<int>(n));
}

double log64(double x) {
  ASSAY_CHECK(x > 0 && x <= std::numeric_limits<double>::max());
  int e = 0;
  double m = std::frexp(x, &e);  // [0.5, 1)
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2;
    --e;
  }
  const double f = m - 1, s = f / (2 + f), z = s * s;
  double series = 0;  // 2 (z/3 + z^2/5 + ...); |s| <= 0.1716 leaves 2^-60 after 12 terms
  for (int k = 12; k >= 1; --k) series = std::fma(series, z, 2.0 / (2 * k + 1));
  const double r = z * series;
  const double correction = std::fma(e, 0x1.ef35793c76730p-45, s * (r - f));
  return std::fma(e, 0x1.62e42fefa3800p-1, f + correction);
}

double pow64(double base, double e) { return exp64(e * log64(base)); }

double sin64(double x) { return sine_of(reduce(x)); }

double cos64(double x) {
  Quadrant q = reduce(x);
  ++q.n;
  return sine_of(q);
}

}  // namespace assay
