#include "base/stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/rng.h"

namespace assay::stats {
namespace {

constexpr std::uint64_t kBootstrapStream = 0x626f6f74;  // "boot"

struct Cluster {
  double sum = 0, items = 0;
};

std::vector<Cluster> clusters_of(std::span<const double> a, std::span<const double> b, std::span<const std::int64_t> cluster) {
  std::vector<Cluster> out;
  std::unordered_map<std::int64_t, std::size_t> place;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t at = cluster.empty() ? out.size() : place.try_emplace(cluster[i], out.size()).first->second;
    if (at == out.size()) out.emplace_back();
    out[at].sum += b[i] - a[i];
    out[at].items += 1;
  }
  return out;
}

double drawn_mean(const std::vector<Cluster>& clusters, std::uint64_t seed, std::uint64_t draw) {
  Stream stream(seed, kBootstrapStream + (draw << 32));
  double sum = 0, items = 0;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    const Cluster& one = clusters[stream.below(clusters.size())];
    sum += one.sum, items += one.items;
  }
  return sum / items;
}

// The percentile at `share` of a sorted list, between neighbours where it falls between them.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Bootstrap paired_bootstrap(std::span<const double> a, std::span<const double> b, std::span<const std::int64_t> cluster, double level, int draws, std::uint64_t seed) {
  ASSAY_CHECK(!a.empty() && a.size() == b.size());
  ASSAY_CHECK(cluster.empty() || cluster.size() == a.size());
  ASSAY_CHECK(level > 0 && level < 1 && draws >= 1 && draws <= kMaxDraws);
  const std::vector<Cluster> clusters = clusters_of(a, b, cluster);
  ASSAY_CHECK(static_cast<std::int64_t>(clusters.size()) * draws <= kMaxBootstrapWork);
  Bootstrap out;
  double sum = 0, square = 0, total = 0;
  for (const Cluster& one : clusters) total += one.sum;
  out.delta = total / static_cast<double>(a.size());
  std::vector<double> means;
  std::int64_t not_above = 1, not_below = 1;  // the observed sample is one of the possible ones
  for (int draw = 0; draw < draws; ++draw) {
    const double mean = drawn_mean(clusters, seed, static_cast<std::uint64_t>(draw));
    means.push_back(mean);
    sum += mean - out.delta, square += (mean - out.delta) * (mean - out.delta);
    not_above += mean <= 0 ? 1 : 0;
    not_below += mean >= 0 ? 1 : 0;
  }
  const auto count = static_cast<double>(draws);
  if (draws > 1) out.se = std::sqrt(std::max(0.0, (square - sum * sum / count) / (count - 1)));
  std::sort(means.begin(), means.end());
  out.low = percentile(means, (1 - level) / 2), out.high = percentile(means, (1 + level) / 2);
  out.p = std::min(1.0, 2 * static_cast<double>(std::min(not_above, not_below)) / (count + 1));
  return out;
}

}  // namespace assay::stats
