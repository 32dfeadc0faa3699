#include "base/stats/binomial.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/stats/policy.h"

namespace assay::stats {
namespace {

constexpr long double kTieTolerance = 1e-7L;

long double log_choose(std::int64_t n, std::int64_t k) {
  const auto log_factorial = [](std::int64_t m) {
    return boost::math::lgamma(static_cast<long double>(m) + 1, Policy());
  };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

// The mode: floor((n+1)p), or one of two neighbours that are equally likely.
std::int64_t mode_of(std::int64_t n, long double p) {
  const auto mode = static_cast<std::int64_t>(std::floor(static_cast<long double>(n + 1) * p));
  return std::clamp<std::int64_t>(mode, 0, n);
}

// Largest k in [low, high] for which `holds`, which is true up to some point and false after; low - 1: none.
template <class Predicate>
std::int64_t last_that(std::int64_t low, std::int64_t high, const Predicate& holds) {
  std::int64_t bad = high + 1, good = low - 1;
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (holds(middle) ? good : bad) = middle;
  }
  return good;
}

long double two_sided(std::int64_t k, std::int64_t n, long double p) {
  const std::int64_t mode = mode_of(n, p);
  const long double bound = log_binomial_pmf(k, n, p) + std::log1p(kTieTolerance);
  if (log_binomial_pmf(mode, n, p) <= bound) return 1;
  const auto unlikely = [&](std::int64_t j) { return log_binomial_pmf(j, n, p) <= bound; };
  // The probabilities rise up to the mode and fall after it: the unlikely outcomes are two tails.
  const std::int64_t left = last_that(0, mode - 1, unlikely);
  const std::int64_t right = last_that(mode + 1, n, [&](std::int64_t j) { return !unlikely(j); }) + 1;
  ASSAY_CHECK(k <= left || k >= right);
  return binomial_cdf(left, n, p) + binomial_sf(right, n, p);
}

}  // namespace

long double log_binomial_pmf(std::int64_t k, std::int64_t n, long double p) {
  ASSAY_CHECK(n >= 0 && n <= kMaxTrials && p >= 0 && p <= 1);
  constexpr long double kNever = -std::numeric_limits<long double>::infinity();
  if (k < 0 || k > n) return kNever;
  if (p == 0) return k == 0 ? 0 : kNever;
  if (p == 1) return k == n ? 0 : kNever;
  const auto right = static_cast<long double>(k), wrong = static_cast<long double>(n - k);
  return log_choose(n, k) + right * std::log(p) + wrong * std::log1p(-p);
}

long double binomial_cdf(std::int64_t k, std::int64_t n, long double p) {
  ASSAY_CHECK(n >= 0 && n <= kMaxTrials && p >= 0 && p <= 1);
  if (k < 0) return 0;
  if (k >= n) return 1;
  if (p == 0) return 1;
  if (p == 1) return 0;
  return boost::math::ibetac(static_cast<long double>(k + 1), static_cast<long double>(n - k), p, Policy());
}

long double binomial_sf(std::int64_t k, std::int64_t n, long double p) {
  ASSAY_CHECK(n >= 0 && n <= kMaxTrials && p >= 0 && p <= 1);
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (p == 0) return 0;
  if (p == 1) return 1;
  return boost::math::ibeta(static_cast<long double>(k), static_cast<long double>(n - k + 1), p, Policy());
}

double binomial_test(std::int64_t k, std::int64_t n, double p0, Alternative alternative) {
  ASSAY_CHECK(k >= 0 && k <= n && n <= kMaxTrials && p0 >= 0 && p0 <= 1);
  long double p = 0;
  switch (alternative) {
    case Alternative::less:
      p = binomial_cdf(k, n, p0);
      break;
    case Alternative::greater:
      p = binomial_sf(k, n, p0);
      break;
    case Alternative::two_sided:
      p = two_sided(k, n, p0);
      break;
  }
  ASSAY_CHECK(p >= 0);
  return static_cast<double>(std::min(p, 1.0L));
}

double mcnemar_exact(std::int64_t b, std::int64_t c) {
  ASSAY_CHECK(b >= 0 && c >= 0 && b <= kMaxTrials && c <= kMaxTrials - b);
  if (b == c) return 1;
  const long double p = 2 * binomial_cdf(std::min(b, c), b + c, 0.5L);  // symmetric: both tails are equal
  return static_cast<double>(std::min(p, 1.0L));
}

}  // namespace assay::stats
