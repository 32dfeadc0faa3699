#include "base/stats/sequential.h"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/policy.h"

namespace assay::stats {
namespace {

constexpr long double kPrior = 0.5L;  // Jeffreys: the martingale grows at every alternative alike
constexpr int kBisections = 60;

long double log_gamma(long double x) { return boost::math::lgamma(x, Policy()); }

long double log_beta(long double a, long double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

// The edge of {p0: martingale < bound} between `inside`, which is in the set, and 0 or 1.
long double edge(std::int64_t k, std::int64_t n, long double inside, long double outside, long double log_bound) {
  for (int i = 0; i < kBisections; ++i) {
    const long double middle = (inside + outside) / 2;
    if (middle <= 0 || middle >= 1) return outside;
    (log_mixture_martingale(k, n, static_cast<double>(middle)) < log_bound ? inside : outside) = middle;
  }
  return outside;
}

}  // namespace

long double log_mixture_martingale(std::int64_t k, std::int64_t n, double p0) {
  ASSAY_CHECK(n >= 0 && n <= kMaxTrials && k >= 0 && k <= n);
  ASSAY_CHECK(p0 > 0 && p0 < 1);
  const auto right = static_cast<long double>(k), wrong = static_cast<long double>(n - k);
  const long double mixed = log_beta(right + kPrior, wrong + kPrior) - log_beta(kPrior, kPrior);
  return mixed - right * std::log(static_cast<long double>(p0)) - wrong * std::log1p(-static_cast<long double>(p0));
}

double anytime_p(std::int64_t k, std::int64_t n, double p0) {
  return static_cast<double>(std::min(1.0L, std::exp(-log_mixture_martingale(k, n, p0))));
}

Interval confidence_sequence(std::int64_t k, std::int64_t n, double level) {
  ASSAY_CHECK(n >= 0 && n <= kMaxTrials && k >= 0 && k <= n);
  ASSAY_CHECK(level > 0 && level < 1);
  if (n == 0) return {0, 1};
  const long double log_bound = -std::log1p(-static_cast<long double>(level));
  // The martingale is least at the share itself; from there it rises to both sides. A share of 0 or 1 is moved inside by a hair.
  const long double share = std::clamp(static_cast<long double>(k) / static_cast<long double>(n), 1e-15L, 1 - 1e-15L);
  const long double low = k == 0 ? 0 : edge(k, n, share, 0, log_bound);
  const long double high = k == n ? 1 : edge(k, n, share, 1, log_bound);
  ASSAY_CHECK(low <= high);
  return {static_cast<double>(low), static_cast<double>(high)};
}

Sequential sequential_test(std::span<const double> values, double p0, double alpha) {
  ASSAY_CHECK(p0 > 0 && p0 < 1 && alpha > 0 && alpha < 1);
  Sequential out;
  out.interval = {0, 1};
  for (const double value : values) {
    ASSAY_CHECK(value == 0 || value == 1);
    ++out.looked;
    out.right += value == 1 ? 1 : 0;
    out.p = std::min(out.p, anytime_p(out.right, out.looked, p0));
    const Interval now = confidence_sequence(out.right, out.looked, 1 - alpha);
    out.interval = {std::max(out.interval.low, now.low), std::min(out.interval.high, now.high)};
    out.decided = out.p <= alpha;
    if (out.decided) break;
  }
  return out;
}

}  // namespace assay::stats
