#include "base/stats/exact.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/proportion.h"

namespace assay::stats {
namespace {

constexpr double kOutcomeTie = 1e-7;
constexpr double kNuisance = 1e-4;  // what the region of the nuisance share may miss
constexpr int kGrid = 24;           // points in that region; the p-value is smooth and mostly monotone in it

double log_binomial_coefficient(std::int64_t n, std::int64_t k) {
  const auto f = [](std::int64_t m) { return std::lgamma(static_cast<double>(m) + 1); };
  return f(n) - f(k) - f(n - k);
}

// P(gains - losses >= margin) over n pairs with the given shares of gains and losses.
long double trinomial_tail(std::int64_t margin, std::int64_t n, double gain, double loss) {
  const long double gain_among_rest =
      loss < 1 ? std::min(1.0L, static_cast<long double>(gain) / (1 - loss)) : 0;
  long double sum = 0;
  const double centre = static_cast<double>(n) * loss;
  for (std::int64_t lost = 0; lost <= n; ++lost) {
    const long double weight = std::exp(log_binomial_pmf(lost, n, loss));
    sum += weight * binomial_sf(margin + lost, n - lost, gain_among_rest);
    if (static_cast<double>(lost) > centre && weight < 1e-18L) break;
  }
  return sum;
}

}  // namespace

double hypergeometric_test(std::int64_t k, std::int64_t drawn, std::int64_t marked, std::int64_t total) {
  ASSAY_CHECK(total >= 1 && total <= kMaxPool);
  ASSAY_CHECK(drawn >= 0 && drawn <= total && marked >= 0 && marked <= total);
  const std::int64_t least = std::max<std::int64_t>(0, drawn - (total - marked)),
                     most = std::min(drawn, marked);
  if (k < least || k > most) return 0;
  const double whole = log_binomial_coefficient(total, drawn);
  const auto log_pmf = [&](std::int64_t j) {
    return log_binomial_coefficient(marked, j) + log_binomial_coefficient(total - marked, drawn - j) - whole;
  };
  const double bound = log_pmf(k) + std::log1p(kOutcomeTie);
  long double sum = 0;
  for (std::int64_t j = least; j <= most; ++j) {
    const double here = log_pmf(j);
    if (here <= bound) sum += std::exp(static_cast<long double>(here));
  }
  return static_cast<double>(std::min(sum, 1.0L));
}

double difference_exceeds_p(std::int64_t gained, std::int64_t lost, std::int64_t n, double delta) {
  ASSAY_CHECK(gained >= 0 && lost >= 0 && gained + lost <= n && n >= 1);
  ASSAY_CHECK(delta > -1 && delta < 1);
  const Interval region = clopper_pearson(lost, n, 1 - kNuisance);
  // At the edge of the hypothesis gains - losses = delta, and both shares together are at most one.
  const double low = std::max({region.low, -delta, 0.0}), high = std::min(region.high, (1 - delta) / 2);
  long double worst = 0;
  for (int i = 0; i <= kGrid; ++i) {
    const double loss = low + (high - low) * i / kGrid;
    if (!(loss >= 0 && loss + delta >= 0 && 2 * loss + delta <= 1 + 1e-12)) continue;
    worst = std::max(worst, trinomial_tail(gained - lost, n, loss + delta, loss));
  }
  return static_cast<double>(std::min(1.0L, worst + kNuisance));
}

}  // namespace assay::stats
