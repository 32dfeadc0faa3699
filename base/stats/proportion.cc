#include "base/stats/proportion.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/normal.h"
#include "base/stats/policy.h"

namespace assay::stats {
namespace {

void check_arguments(std::int64_t k, std::int64_t n, double level) {
  ASSAY_CHECK(n >= 1 && n <= kMaxTrials);
  ASSAY_CHECK(k >= 0 && k <= n);
  ASSAY_CHECK(level > 0 && level < 1);
}

long double tail_of(double level) { return (1.0L - level) / 2; }

// The share p at which P(X >= k) = tail; one Newton step after the inverse takes out what its stopping rule
// left.
long double share_with_upper_tail(std::int64_t k, std::int64_t n, long double tail) {
  const auto a = static_cast<long double>(k), b = static_cast<long double>(n - k + 1);
  if (k == n) return std::exp(std::log(tail) / a);
  const long double x = boost::math::ibeta_inv(a, b, tail, Policy());
  const long double slope = boost::math::ibeta_derivative(a, b, x, Policy());
  if (!(slope > 0) || !std::isfinite(slope)) return x;
  const long double polished = x - (boost::math::ibeta(a, b, x, Policy()) - tail) / slope;
  return polished > 0 && polished < 1 ? polished : x;
}

// The share p at which P(X <= k) = tail.
long double share_with_lower_tail(std::int64_t k, std::int64_t n, long double tail) {
  const auto a = static_cast<long double>(k + 1), b = static_cast<long double>(n - k);
  if (k == 0) return -std::expm1(std::log(tail) / b);
  const long double x = boost::math::ibetac_inv(a, b, tail, Policy());
  const long double slope = boost::math::ibeta_derivative(a, b, x, Policy());
  if (!(slope > 0) || !std::isfinite(slope)) return x;
  const long double polished = x + (boost::math::ibetac(a, b, x, Policy()) - tail) / slope;
  return polished > 0 && polished < 1 ? polished : x;
}

// Larger root of the score equation (1 + z²/n) x² - (2p + z²/n) x + p² = 0: a sum without cancellation.
long double wilson_high(long double p, long double n, long double z) {
  const long double z2 = z * z;
  const long double root = std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return (p + z2 / (2 * n) + z * root) / (1 + z2 / n);
}

}  // namespace

Interval clopper_pearson(std::int64_t k, std::int64_t n, double level) {
  check_arguments(k, n, level);
  const long double tail = tail_of(level);
  const long double low = k == 0 ? 0 : share_with_upper_tail(k, n, tail);
  const long double high = k == n ? 1 : share_with_lower_tail(k, n, tail);
  ASSAY_CHECK(low >= 0 && low <= high && high <= 1);
  return {static_cast<double>(low), static_cast<double>(high)};
}

Interval wilson(std::int64_t k, std::int64_t n, double level) {
  check_arguments(k, n, level);
  const long double z = normal_critical_value(tail_of(level));
  const auto trials = static_cast<long double>(n);
  const long double p = static_cast<long double>(k) / trials;
  const long double high = k == n ? 1 : wilson_high(p, trials, z);
  // The product of both roots is p² / (1 + z²/n); the smaller one as a difference would lose digits.
  const long double low = k == 0 ? 0 : p * p / ((1 + z * z / trials) * wilson_high(p, trials, z));
  return {static_cast<double>(std::min(low, p)), static_cast<double>(std::max(high, p))};
}

Interval agresti_coull(std::int64_t k, std::int64_t n, double level) {
  check_arguments(k, n, level);
  const long double z = normal_critical_value(tail_of(level)), z2 = z * z;
  const long double trials = static_cast<long double>(n) + z2;
  const long double p = (static_cast<long double>(k) + z2 / 2) / trials;
  const long double half = z * std::sqrt(p * (1 - p) / trials);
  return {static_cast<double>(std::max(0.0L, p - half)), static_cast<double>(std::min(1.0L, p + half))};
}

Interval newcombe(std::int64_t k1, std::int64_t n1, std::int64_t k2, std::int64_t n2, double level) {
  const Interval one = wilson(k1, n1, level), two = wilson(k2, n2, level);
  const double p1 = static_cast<double>(k1) / static_cast<double>(n1), p2 = static_cast<double>(k2) / static_cast<double>(n2);
  return {p1 - p2 - std::hypot(p1 - one.low, two.high - p2), p1 - p2 + std::hypot(one.high - p1, p2 - two.low)};
}

namespace {

// Correlation of the two sides, shrunk by half an item towards 0 as Newcombe's method 10 asks; 0 where a side never varies.
double pair_correlation(const PairTable& t) {
  const auto real = [](std::int64_t v) { return static_cast<double>(v); };
  const double margins = real(t.both + t.first) * real(t.second + t.neither) * real(t.both + t.second) * real(t.first + t.neither);
  if (!(margins > 0)) return 0;
  double cross = real(t.both) * real(t.neither) - real(t.first) * real(t.second);
  if (cross > 0) cross = std::max(0.0, cross - real(t.n()) / 2);
  return cross / std::sqrt(margins);
}

double joint_width(double a, double b, double correlation) { return std::sqrt(std::max(0.0, a * a - 2 * correlation * a * b + b * b)); }

}  // namespace

Interval newcombe_paired(const PairTable& t, double level) {
  ASSAY_CHECK(t.both >= 0 && t.first >= 0 && t.second >= 0 && t.neither >= 0);
  const std::int64_t k1 = t.both + t.first, k2 = t.both + t.second, n = t.n();
  const Interval one = wilson(k1, n, level), two = wilson(k2, n, level);
  const double p1 = static_cast<double>(k1) / static_cast<double>(n), p2 = static_cast<double>(k2) / static_cast<double>(n);
  const double r = pair_correlation(t), delta = static_cast<double>(t.first - t.second) / static_cast<double>(n);
  return {std::max(-1.0, delta - joint_width(p1 - one.low, two.high - p2, r)), std::min(1.0, delta + joint_width(one.high - p1, p2 - two.low, r))};
}

}  // namespace assay::stats
