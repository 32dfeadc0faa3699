#include "base/stats/paired.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <unordered_map>

#include "base/check.h"
#include "base/rng.h"
#include "base/stats/binomial.h"
#include "base/stats/normal.h"

namespace assay::stats {
namespace {

constexpr long double kTie = 1e-12L;  // relative to the sum of magnitudes: rounding of equal sums
constexpr std::uint64_t kFlipStream = 0x7369676e;  // names the stream: "sign"
constexpr double kFlipWork = 5e8;                  // additions that a seeded test may take, about a second

// Neumaier's compensated sum, in long double.
long double exact_sum(std::span<const long double> values) {
  long double sum = 0, lost = 0;
  for (const long double v : values) {
    const long double next = sum + v;
    lost += std::fabs(sum) >= std::fabs(v) ? (sum - next) + v : (v - next) + sum;
    sum = next;
  }
  return sum + lost;
}

// Sums of the members of each cluster, in order of first appearance; the values themselves without clusters.
std::vector<long double> by_cluster(std::span<const long double> value,
                                    std::span<const std::int64_t> cluster) {
  if (cluster.empty()) return {value.begin(), value.end()};
  ASSAY_CHECK(cluster.size() == value.size());
  std::unordered_map<std::int64_t, std::size_t> place;
  std::vector<long double> sums;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto [it, fresh] = place.try_emplace(cluster[i], sums.size());
    if (fresh) sums.push_back(0);
    sums[it->second] += value[i];
  }
  return sums;
}

// Standard error of the mean of values whose mean has been taken away.
std::optional<double> error_of_centred(std::span<const long double> residual,
                                       std::span<const std::int64_t> cluster) {
  const auto n = static_cast<long double>(residual.size());
  if (residual.size() < 2) return std::nullopt;
  long double squares = 0, cluster_squares = 0;
  for (const long double r : residual) squares += r * r;
  for (const long double sum : by_cluster(residual, cluster)) cluster_squares += sum * sum;
  // Miller's formula rearranged: the pairs of a cluster are its squared sum less its squares, and 1/(n(n-1))
  // - 1/n² = 1/(n²(n-1)).
  const long double variance = squares / (n * n * (n - 1)) + cluster_squares / (n * n);
  return static_cast<double>(std::sqrt(variance));
}

MeanError mean_of(std::span<const long double> value, std::span<const std::int64_t> cluster) {
  const long double mean = exact_sum(value) / static_cast<long double>(value.size());
  std::vector<long double> residual(value.begin(), value.end());
  for (long double& r : residual) r -= mean;
  return {static_cast<double>(mean), error_of_centred(residual, cluster)};
}

struct Flip {
  long double p = 1;
  bool exact = true;
};

// All 2^m assignments in Gray code order: neighbours differ in one sign.
Flip flip_all(std::span<const long double> d, long double reach) {
  const auto m = static_cast<unsigned>(d.size());
  std::vector<long double> sign(m, 1.0L);
  long double sum = exact_sum(d);
  std::uint64_t extreme = std::fabs(sum) >= reach ? 1 : 0;
  const std::uint64_t count = std::uint64_t{1} << m;
  for (std::uint64_t i = 1; i < count; ++i) {
    const auto bit = static_cast<unsigned>(__builtin_ctzll(i));
    sign[bit] = -sign[bit];
    sum += 2 * sign[bit] * d[bit];
    extreme += std::fabs(sum) >= reach ? 1 : 0;
  }
  return {static_cast<long double>(extreme) / static_cast<long double>(count), true};
}

// Random assignments; the observed one counts as one of them, so p is never 0 and the test is valid.
Flip flip_some(std::span<const long double> d, long double reach, std::uint64_t seed) {
  const double fit = kFlipWork / static_cast<double>(d.size());
  const auto draws = static_cast<std::uint64_t>(std::clamp(fit, 2000.0, 100'000.0));
  std::uint64_t extreme = 1;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    Stream stream(seed, kFlipStream + (draw << 32));
    long double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < d.size(); ++i, bits >>= 1) {
      if (i % 64 == 0) bits = stream.u64();
      sum += (bits & 1) != 0 ? d[i] : -d[i];
    }
    extreme += std::fabs(sum) >= reach ? 1 : 0;
  }
  return {static_cast<long double>(extreme) / static_cast<long double>(draws + 1), false};
}

bool equal_magnitudes(std::span<const long double> d) {
  return std::all_of(d.begin(), d.end(), [&](long double v) { return std::fabs(v) == std::fabs(d[0]); });
}

Flip sign_flip(std::vector<long double> d, std::uint64_t seed) {
  std::erase(d, 0.0L);  // flipping a zero changes nothing
  if (d.empty()) return {1, true};
  if (equal_magnitudes(d)) {  // then the sum only counts the positive ones: a binomial with one half
    const auto plus = std::count_if(d.begin(), d.end(), [](long double v) { return v > 0; });
    return {mcnemar_exact(plus, static_cast<std::int64_t>(d.size()) - plus), true};
  }
  std::vector<long double> magnitude(d.size());
  std::transform(d.begin(), d.end(), magnitude.begin(), [](long double v) { return std::fabs(v); });
  const long double reach = std::fabs(exact_sum(d)) - kTie * exact_sum(magnitude);
  return d.size() <= kExactFlips ? flip_all(d, reach) : flip_some(d, reach, seed);
}

double normal_p(double delta, double se) {
  if (se > 0) return static_cast<double>(normal_two_sided_p(static_cast<long double>(delta) / se));
  return delta == 0 ? 1 : 0;
}

}  // namespace

MeanError cluster_mean(std::span<const double> value, std::span<const std::int64_t> cluster) {
  ASSAY_CHECK(!value.empty());
  ASSAY_CHECK(cluster.empty() || cluster.size() == value.size());
  const std::vector<long double> wide(value.begin(), value.end());
  return mean_of(wide, cluster);
}

MeanError ratio_mean(std::span<const double> y, std::span<const double> x) {
  ASSAY_CHECK(!y.empty() && y.size() == x.size());
  const std::vector<long double> top(y.begin(), y.end()), bottom(x.begin(), x.end());
  const long double total = exact_sum(bottom);
  ASSAY_CHECK(total > 0);
  const long double ratio = exact_sum(top) / total, per_item = static_cast<long double>(x.size()) / total;
  std::vector<long double> residual(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) residual[i] = (top[i] - ratio * bottom[i]) * per_item;
  return {static_cast<double>(ratio), error_of_centred(residual, {})};
}

Paired paired_difference(std::span<const double> a, std::span<const double> b,
                         std::span<const std::int64_t> cluster, double level, std::uint64_t seed) {
  ASSAY_CHECK(!a.empty() && a.size() == b.size());
  ASSAY_CHECK(cluster.empty() || cluster.size() == a.size());
  ASSAY_CHECK(level > 0 && level < 1);
  std::vector<long double> d(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) d[i] = static_cast<long double>(b[i]) - a[i];
  const MeanError mean = mean_of(d, cluster);
  Paired out{.delta = mean.mean, .se = mean.se, .low = mean.mean, .high = mean.mean};
  if (mean.se) {
    const long double half = normal_critical_value((1.0L - level) / 2) * *mean.se;
    out.low = static_cast<double>(mean.mean - half);
    out.high = static_cast<double>(mean.mean + half);
    out.p_normal = normal_p(mean.mean, *mean.se);
  }
  const Flip flip = sign_flip(by_cluster(d, cluster), seed);
  out.p_sign_flip = static_cast<double>(flip.p);
  out.sign_flip_exact = flip.exact;
  return out;
}

}  // namespace assay::stats
