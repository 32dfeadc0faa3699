#include "eval/verdicts/verdict_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/check.h"

namespace assay::verdict {

Measurement of_subset(const Measurement& all, const std::string& subset) {
  if (subset.empty()) return all;
  Measurement part = all;
  std::erase_if(part.items, [&](const MeasuredItem& item) { return item.subset != subset; });
  return part;
}

Summary summarise(const Measurement& measurement) {
  Summary out;
  out.n = static_cast<std::int64_t>(measurement.items.size());
  if (out.n == 0) return out;
  std::vector<double> values, weights;
  for (const MeasuredItem& item : measurement.items) {
    values.push_back(item.value);
    weights.push_back(item.weight);
    if (measurement.score == Score::share) out.right += item.value == 1 ? 1 : 0;
  }
  const stats::MeanError mean =
      measurement.score == Score::ratio ? stats::ratio_mean(values, weights) : stats::cluster_mean(values);
  out.value = mean.mean;
  out.se = mean.se;
  ASSAY_CHECK(out.right <= out.n);
  return out;
}

Distance distance_of_share(const Measurement& measurement, const Figure& figure, double scale) {
  ASSAY_CHECK(!measurement.items.empty());
  Distance out;
  const Summary summary = summarise(measurement);
  for (const MeasuredItem& item : measurement.items) {
    out.margins_known |= item.margin.has_value();
    out.near_ties += item.margin && *item.margin < kNearTie ? 1 : 0;
    out.coarse_ties += item.margin && *item.margin < kCoarseTie ? 1 : 0;
  }
  if (figure.right >= 0) {
    const double target = figure.value * static_cast<double>(summary.n);
    out.off = std::llabs(std::llround(target) - summary.right);
    out.prints = std::fabs(target - static_cast<double>(summary.right)) < 1e-6;
    if (!out.prints) out.off = std::max<std::int64_t>(out.off, 1);
    return out;
  }
  const auto counts = stats::possible_counts(figure.decimal, summary.n, static_cast<std::int64_t>(scale));
  out.prints = counts.possible && counts.first <= summary.right && summary.right <= counts.last;
  if (out.prints) return out;
  const std::int64_t low = counts.possible ? counts.first : counts.nearest.front();
  const std::int64_t high = counts.possible ? counts.last : counts.nearest.front();
  out.off = std::max<std::int64_t>(1, summary.right < low ? low - summary.right : summary.right - high);
  return out;
}

bool prints_as(double value, const Figure& figure, double tolerance) {
  return value > figure.low - tolerance && value < figure.high + tolerance;
}

Pairs pair_up(const Measurement& a, const Measurement& b) {
  std::unordered_map<std::string, const MeasuredItem*> known;
  for (const MeasuredItem& item : a.items) known.emplace(item.key, &item);
  Pairs out;
  for (const MeasuredItem& item : b.items) {
    const auto it = known.find(item.key);
    if (it == known.end()) continue;
    out.a.push_back(it->second->value);
    out.b.push_back(item.value);
    out.weight.push_back(item.weight);
    out.gained += item.value > it->second->value ? 1 : 0;
    out.lost += item.value < it->second->value ? 1 : 0;
  }
  return out;
}

stats::MeanError difference_of(const Pairs& pairs, Score score) {
  ASSAY_CHECK(!pairs.a.empty() && pairs.a.size() == pairs.b.size());
  std::vector<double> d(pairs.a.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = pairs.b[i] - pairs.a[i];
  return score == Score::ratio ? stats::ratio_mean(d, pairs.weight) : stats::cluster_mean(d);
}

std::string unit_of(double scale) { return scale == 100 ? " %" : ""; }

std::string shown(double value) { return fmt::format("{:.4g}", value == 0 ? 0.0 : value); }

std::string signed_shown(double value) {
  return fmt::format("{:+.3g}", std::fabs(value) < 1e-12 ? 0.0 : value);
}

std::int64_t items_for_margin(double per_item_sd, double distance) {
  constexpr double kZ = 1.6448536269514722 + 0.8416212335729143;  // 5 % one-sided, power 0.8
  if (!(std::fabs(distance) > 0)) return 0;
  const double n = std::pow(kZ * per_item_sd / distance, 2);
  return n < 1e12 ? static_cast<std::int64_t>(std::ceil(n)) : 0;
}

}  // namespace assay::verdict
