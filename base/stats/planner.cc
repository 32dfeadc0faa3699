#include "base/stats/planner.h"

#include <fmt/format.h>

#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/normal.h"

namespace assay::stats {
namespace {

constexpr double kNegligible = 1e-13;  // weights that no sum of powers can show

Error too_many(const char* field, double wanted) {
  return Error{.code = Code::too_large,
               .message = "the difference is too small to plan for",
               .field = field,
               .expected = fmt::format("one that at most {} items decide", kMaxPlannedItems),
               .got = fmt::format("{:.4g}", wanted)};
}

Result<std::int64_t> rounded_up(const char* field, long double wanted) {
  if (!(wanted <= static_cast<long double>(kMaxPlannedItems))) return too_many(field, static_cast<double>(wanted));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(wanted * (1 - 1e-12L))));
}

// Power of the exact two-sided test of one half on m items that turned: the outcomes of which the smaller tail doubled is at most alpha.
double sign_power(std::int64_t m, double share, double alpha) {
  std::int64_t reject = -1;  // the largest count of the smaller side that rejects
  std::int64_t low = 0, high = m / 2;
  while (low <= high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (mcnemar_exact(middle, m - middle) <= alpha) reject = middle, low = middle + 1;
    else high = middle - 1;
  }
  if (reject < 0) return 0;
  return static_cast<double>(binomial_cdf(reject, m, share) + binomial_sf(m - reject, m, share));
}

long double tost_power(long double n, double delta, double sd, double margin, long double z) {
  const long double scale = std::sqrt(n) / sd;
  return std::max(0.0L, normal_cdf((margin - delta) * scale - z) + normal_cdf((margin + delta) * scale - z) - 1);
}

}  // namespace

Result<std::int64_t> items_for_two(double p1, double p2, double alpha, double power) {
  ASSAY_CHECK(p1 >= 0 && p1 <= 1 && p2 >= 0 && p2 <= 1 && p1 != p2);
  ASSAY_CHECK(alpha > 0 && alpha < 1 && power > 0 && power < 1);
  const long double za = normal_critical_value(alpha / 2.0L), zb = normal_critical_value(1.0L - power);
  const long double mean = (static_cast<long double>(p1) + p2) / 2;
  const long double spread = za * std::sqrt(2 * mean * (1 - mean)) + zb * std::sqrt(static_cast<long double>(p1) * (1 - p1) + static_cast<long double>(p2) * (1 - p2));
  const long double gap = static_cast<long double>(p1) - p2;
  return rounded_up("p2", spread * spread / (gap * gap));
}

double mcnemar_power(std::int64_t n, double gain, double loss, double alpha) {
  ASSAY_CHECK(n >= 1 && n <= kMaxExactPairs + kLookAhead);
  ASSAY_CHECK(gain >= 0 && loss >= 0 && gain + loss > 0 && gain + loss <= 1 + 1e-12);
  const long double turn = std::min(1.0L, static_cast<long double>(gain) + loss);
  const double share = static_cast<double>(gain / turn);
  const auto middle = static_cast<std::int64_t>(std::floor(static_cast<long double>(n) * turn));
  long double sum = 0;
  const auto term = [&](std::int64_t m) {
    const long double weight = std::exp(log_binomial_pmf(m, n, turn));
    if (weight > 0) sum += weight * sign_power(m, share, alpha);
    return weight;
  };
  for (std::int64_t m = middle; m >= 0 && term(m) > kNegligible; --m) {
  }
  for (std::int64_t m = middle + 1; m <= n && term(m) > kNegligible; ++m) {
  }
  return static_cast<double>(std::min(sum, 1.0L));
}

Result<std::int64_t> pairs_for_mcnemar(double gain, double loss, double alpha, double power) {
  ASSAY_CHECK(gain >= 0 && loss >= 0 && gain != loss && gain + loss <= 1 + 1e-12);
  ASSAY_CHECK(alpha > 0 && alpha < 1 && power > 0 && power < 1);
  const long double za = normal_critical_value(alpha / 2.0L), zb = normal_critical_value(1.0L - power);
  const long double turn = static_cast<long double>(gain) + loss, gap = static_cast<long double>(gain) - loss;
  const long double root = za * std::sqrt(turn) + zb * std::sqrt(std::max(0.0L, turn - gap * gap));
  const long double about = root * root / (gap * gap);  // Connor 1987
  if (!(about <= static_cast<long double>(kMaxExactPairs) * 0.8L)) return too_many("gain", static_cast<double>(about));
  // The exact test is conservative: it needs more than the normal formula says, and never less than half of it.
  std::int64_t n = std::max<std::int64_t>(1, static_cast<std::int64_t>(about / 2));
  while (n > 1 && mcnemar_power(n, gain, loss, alpha) >= power) n /= 2;
  const std::int64_t step = std::max<std::int64_t>(1, n / 16);
  while (n + step <= kMaxExactPairs && mcnemar_power(n + step, gain, loss, alpha) < power) n += step;
  for (int kept = 0; n <= kMaxExactPairs; ++n) {
    kept = mcnemar_power(n, gain, loss, alpha) >= power ? kept + 1 : 0;
    if (kept > kLookAhead) return n - kLookAhead;
  }
  return too_many("gain", static_cast<double>(n));
}

Result<std::int64_t> items_for_equivalence(double delta, double sd, double margin, double alpha, double power) {
  ASSAY_CHECK(sd > 0 && margin > 0 && std::fabs(delta) < margin);
  ASSAY_CHECK(alpha > 0 && alpha < 1 && power > 0 && power < 1);
  const long double z = normal_critical_value(alpha);
  long double low = 0, high = 1;
  while (tost_power(high, delta, sd, margin, z) < power) {
    low = high, high *= 2;
    if (high > 2 * static_cast<long double>(kMaxPlannedItems)) return too_many("margin", static_cast<double>(high));
  }
  for (int i = 0; i < 80; ++i) {
    const long double middle = (low + high) / 2;
    (tost_power(middle, delta, sd, margin, z) < power ? low : high) = middle;
  }
  return rounded_up("margin", high);
}

Result<std::int64_t> samples_for_error(std::int64_t items, double sampling_variance, double se) {
  ASSAY_CHECK(items >= 1 && sampling_variance >= 0 && sampling_variance <= 0.25 && se > 0);
  return rounded_up("se", static_cast<long double>(sampling_variance) / (static_cast<long double>(se) * se * items));
}

}  // namespace assay::stats
