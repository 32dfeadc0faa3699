#include <algorithm>
#include <cmath>
#include <map>

#include "base/stats/proportion.h"
#include "suites/score.h"

namespace assay {
namespace {

constexpr double kNormal95 = 1.959963984540054;  // 97.5 % quantile of the normal distribution

const double* value_of(const ItemScore& score, const std::string& metric) {
  for (const auto& [name, value] : score.values) {
    if (name == metric) return &value;
  }
  return nullptr;
}

// The items' values in one metric, and what another draw of their outputs would move each by.
struct ItemValues {
  std::vector<double> values;
  double variances = 0;
  bool known = true;  // false: an item was drawn whose scatter is not known

  void add(const ItemScore& score, const std::string& metric) {
    const double* const value = value_of(score, metric);
    if (value == nullptr) return;
    values.push_back(*value);
    if (!score.sampled) return;
    const auto variance = std::find_if(score.variances.begin(), score.variances.end(), [&](const auto& one) { return one.first == metric; });
    known = known && variance != score.variances.end();
    if (known) variances += variance->second;
  }
};

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double sum_of_squares(const std::vector<double>& values, double centre) {
  double sum = 0;
  for (const double v : values) sum += (v - centre) * (v - centre);
  return sum;
}

Metric named(const std::string& name, std::size_t n) {
  Metric metric;
  metric.name = name;
  metric.n = static_cast<std::int64_t>(n);
  return metric;
}

bool all_flags(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == 1; });
}

void set_interval(Metric& metric) {
  if (!metric.se_population) return;
  metric.low = metric.value - kNormal95 * *metric.se_population;
  metric.high = metric.value + kNormal95 * *metric.se_population;
}

Metric plain_mean(const std::string& name, const ItemValues& items) {
  const std::vector<double>& values = items.values;
  Metric metric = named(name, values.size());
  const double n = static_cast<double>(values.size());
  metric.value = mean_of(values);
  if (items.known) metric.se_fixed = std::sqrt(items.variances) / n;
  if (values.size() > 1) metric.se_population = std::sqrt(sum_of_squares(values, metric.value) / (n - 1) / n);
  if (!all_flags(values)) {
    set_interval(metric);
    return metric;
  }
  const auto k = std::count(values.begin(), values.end(), 1.0);
  const stats::Interval interval = stats::wilson(k, static_cast<std::int64_t>(values.size()), 0.95);
  metric.low = interval.low;
  metric.high = interval.high;
  return metric;
}

// Total bits over total bytes, with the standard error of a ratio over documents.
Metric ratio_of_totals(const std::string& name, std::span<const ScoredItem> items) {
  Metric metric = named(name, items.size());
  double bits = 0, bytes = 0, squares = 0;
  for (const auto& item : items) {
    bits += item.score.bits;
    bytes += static_cast<double>(item.score.bytes);
  }
  metric.value = bits / bytes;
  const double n = static_cast<double>(items.size());
  for (const auto& item : items) {
    const double rest = (item.score.bits - metric.value * static_cast<double>(item.score.bytes)) * n / bytes;
    squares += rest * rest;
  }
  metric.se_fixed = 0;
  if (items.size() > 1) metric.se_population = std::sqrt(squares / (n - 1) / n);
  set_interval(metric);
  return metric;
}

const PartShare* share_of(const ItemScore& score, const std::string& metric) {
  const auto at = std::find_if(score.shares.begin(), score.shares.end(), [&](const PartShare& s) { return s.metric == metric; });
  return at == score.shares.end() ? nullptr : &*at;
}

// All hits over all parts, with the standard error of a ratio: the parts of an item are asked together, so items are what is drawn.
std::optional<Metric> ratio_of_parts(const std::string& name, std::span<const ScoredItem> items) {
  std::vector<const PartShare*> shares;
  for (const auto& item : items) {
    if (const PartShare* share = share_of(item.score, name)) shares.push_back(share);
  }
  double hits = 0, parts = 0, squares = 0;
  for (const PartShare* share : shares) {
    hits += static_cast<double>(share->hits);
    parts += static_cast<double>(share->of);
  }
  if (parts == 0) return std::nullopt;
  Metric metric = named(name, shares.size());
  metric.value = hits / parts;
  const double n = static_cast<double>(shares.size());
  for (const PartShare* share : shares) {
    const double rest = (static_cast<double>(share->hits) - metric.value * static_cast<double>(share->of)) * n / parts;
    squares += rest * rest;
  }
  metric.se_fixed = 0;
  if (shares.size() > 1) metric.se_population = std::sqrt(squares / (n - 1) / n);
  set_interval(metric);
  if (metric.low) metric.low = std::max(0.0, *metric.low);
  if (metric.high) metric.high = std::min(1.0, *metric.high);
  return metric;
}

// The mean over sub-tasks of their means; their errors are independent.
Metric mean_of_subsets(const std::string& name, std::span<const ScoredItem> items) {
  std::map<std::string, ItemValues> subsets;
  for (const auto& item : items) {
    if (value_of(item.score, name) != nullptr) subsets[item.item->subset].add(item.score, name);
  }
  Metric metric = named(name, 0);
  double variance = 0, variance_fixed = 0;
  bool known = true, known_fixed = true;
  for (const auto& [subset, values] : subsets) {
    const Metric part = plain_mean(name, values);
    metric.value += part.value / static_cast<double>(subsets.size());
    metric.n += part.n;
    known = known && part.se_population.has_value();
    variance += part.se_population.value_or(0) * part.se_population.value_or(0);
    known_fixed = known_fixed && part.se_fixed.has_value();
    variance_fixed += part.se_fixed.value_or(0) * part.se_fixed.value_or(0);
  }
  if (known_fixed) metric.se_fixed = std::sqrt(variance_fixed) / static_cast<double>(subsets.size());
  if (known) metric.se_population = std::sqrt(variance) / static_cast<double>(subsets.size());
  set_interval(metric);
  return metric;
}

}  // namespace

namespace {

std::vector<Metric> aggregate_as(const Protocol& protocol, Aggregation aggregation, std::span<const ScoredItem> items) {
  std::vector<Metric> metrics;
  for (const auto& name : protocol.metrics) {
    if (auto parts = ratio_of_parts(name, items)) {
      metrics.push_back(std::move(*parts));
      continue;
    }
    ItemValues values;
    for (const auto& item : items) values.add(item.score, name);
    if (values.values.empty()) continue;
    const bool rolling = protocol.kind == ProtocolKind::rolling;
    if (rolling && name == "bits_per_byte" && aggregation == Aggregation::micro) {
      metrics.push_back(ratio_of_totals(name, items));
    } else if (!rolling && aggregation == Aggregation::macro) {
      metrics.push_back(mean_of_subsets(name, items));
    } else {
      metrics.push_back(plain_mean(name, values));
    }
  }
  return metrics;
}

}  // namespace

std::vector<Metric> aggregate(const Protocol& protocol, std::span<const ScoredItem> items) {
  std::vector<Metric> metrics = aggregate_as(protocol, protocol.aggregation, items);
  if (!protocol.beside) return metrics;
  for (Metric& other : aggregate_as(protocol, *protocol.beside, items)) {
    other.name += *protocol.beside == Aggregation::macro ? "_macro" : "_micro";
    metrics.push_back(std::move(other));
  }
  return metrics;
}

}  // namespace assay
