#include "base/stats/equivalence.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "base/check.h"
#include "base/stats/exact.h"
#include "base/stats/normal.h"
#include "base/stats/paired.h"

namespace assay::stats {

Tost tost(double delta, double se, double margin, double alpha) {
  ASSAY_CHECK(std::isfinite(delta) && se >= 0 && margin >= 0);
  ASSAY_CHECK(alpha > 0 && alpha < 1);
  // The side that delta leans to decides: p = Phi((|delta| - margin) / se).
  const long double beyond = std::fabs(static_cast<long double>(delta)) - margin;
  const long double p = se > 0 ? normal_cdf(beyond / se) : (beyond < 0 ? 0.0L : 1.0L);
  return {static_cast<double>(p), static_cast<double>(p) < alpha};
}

namespace {

bool all_right_or_wrong(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == 1; });
}

void exact_sides(std::span<const double> a, std::span<const double> b, double margin, Equivalence& out) {
  std::int64_t gained = 0, lost = 0;
  for (std::size_t i = 0; i < a.size(); ++i) gained += b[i] > a[i] ? 1 : 0, lost += b[i] < a[i] ? 1 : 0;
  const auto n = static_cast<std::int64_t>(a.size());
  out.exact = true;
  if (margin >= 1) {  // shares cannot differ by more
    out.p_above = out.p_below = 0;
    return;
  }
  out.p_above = difference_exceeds_p(gained, lost, n, -margin);
  out.p_below = difference_exceeds_p(lost, gained, n, -margin);
}

void student_sides(double degrees, double margin, Equivalence& out) {
  if (!out.se || !(degrees > 0)) return;
  const auto tail = [&](double distance) {
    if (!(*out.se > 0)) return distance > 0 ? 0.0 : 1.0;
    return static_cast<double>(student_cdf(-static_cast<long double>(distance) / *out.se, degrees));
  };
  out.p_above = tail(out.delta + margin);
  out.p_below = tail(margin - out.delta);
}

// Sum over clusters of the squared sums of centred values, times G / (G - 1): without that factor, as in Miller's formula, the test says
// equivalent on the margin in 5.6 % of cases with 12 clusters and in 6.2 % with 5 (100,000 simulated data sets).
std::optional<double> error_of_mean(std::span<const double> d, std::span<const std::int64_t> cluster, double mean) {
  std::map<std::int64_t, double> sums;
  for (std::size_t i = 0; i < d.size(); ++i) sums[cluster.empty() ? static_cast<std::int64_t>(i) : cluster[i]] += d[i] - mean;
  const auto groups = static_cast<double>(sums.size());
  if (sums.size() < 2) return std::nullopt;
  double square = 0;
  for (const auto& [name, sum] : sums) square += sum * sum;
  return std::sqrt(square * groups / (groups - 1)) / static_cast<double>(d.size());
}

}  // namespace

Equivalence equivalence(std::span<const double> a, std::span<const double> b, std::span<const std::int64_t> cluster, double margin, double alpha) {
  ASSAY_CHECK(!a.empty() && a.size() == b.size());
  ASSAY_CHECK(cluster.empty() || cluster.size() == a.size());
  ASSAY_CHECK(margin > 0 && alpha > 0 && alpha < 1);
  std::vector<double> d(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) d[i] = b[i] - a[i];
  Equivalence out{.delta = cluster_mean(d).mean};
  out.se = error_of_mean(d, cluster, out.delta);
  const std::size_t groups = cluster.empty() ? a.size() : std::set<std::int64_t>(cluster.begin(), cluster.end()).size();
  const bool binary = cluster.empty() && all_right_or_wrong(a) && all_right_or_wrong(b);
  binary ? exact_sides(a, b, margin, out) : student_sides(static_cast<double>(groups) - 1, margin, out);
  out.p = std::max(out.p_above, out.p_below);
  out.equivalent = out.p < alpha;
  return out;
}

}  // namespace assay::stats
