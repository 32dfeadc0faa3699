#include "reports/run_score.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"

namespace assay {
namespace {

constexpr double kZ95 = 1.959963984540054;  // 97.5 % quantile of the normal distribution

struct ClusterSum {
  double sum = 0, squares = 0;
  std::int64_t n = 0;
};

// Miller's error of a mean from deviations that sum to zero: the second term counts each ordered pair of a
// cluster.
double cluster_error(const std::vector<double>& deviations, const std::vector<ItemValue>& values) {
  ASSAY_CHECK(deviations.size() == values.size());
  ASSAY_CHECK(deviations.size() >= 2);
  const auto n = static_cast<double>(deviations.size());
  double squares = 0;
  std::map<std::string, ClusterSum> clusters;
  for (std::size_t i = 0; i < values.size(); ++i) {
    squares += deviations[i] * deviations[i];
    if (values[i].cluster.empty()) continue;
    ClusterSum& cluster = clusters[values[i].cluster];
    cluster.sum += deviations[i];
    cluster.squares += deviations[i] * deviations[i];
  }
  double pairs = 0;
  for (const auto& [name, cluster] : clusters) pairs += cluster.sum * cluster.sum - cluster.squares;
  return std::sqrt(std::max(0.0, squares / (n * (n - 1)) + pairs / (n * n)));
}

bool is_plain_proportion(const std::vector<ItemValue>& values) {
  std::map<std::string, int> clusters;
  for (const ItemValue& item : values) {
    if (item.value != 0 && item.value != 1) return false;
    if (!item.cluster.empty() && ++clusters[item.cluster] > 1) return false;
  }
  return true;
}

void set_wilson(RunScore& score) {
  const auto n = static_cast<double>(score.n);
  const double p = *score.score, z2 = kZ95 * kZ95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  score.low = std::max(0.0, centre - half);
  score.high = std::min(1.0, centre + half);
  ASSAY_CHECK(*score.low <= p + 1e-12 && p <= *score.high + 1e-12);
}

void set_normal(RunScore& score) {
  if (!score.se_population) return;
  score.low = *score.score - kZ95 * *score.se_population;
  score.high = *score.score + kZ95 * *score.se_population;
}

double fixed_error(const std::vector<ItemValue>& values) {
  double variance = 0;
  for (const ItemValue& item : values) variance += item.variance_within;
  return std::sqrt(variance) / static_cast<double>(values.size());
}

}  // namespace

RunScore score_of_mean(const std::vector<ItemValue>& values) {
  RunScore score;
  score.n = static_cast<std::int64_t>(values.size());
  if (values.empty()) return score;
  double sum = 0;
  for (const ItemValue& item : values) sum += item.value;
  const double mean = sum / static_cast<double>(values.size());
  score.score = mean;
  score.se_fixed = fixed_error(values);
  std::vector<double> deviations;
  for (const ItemValue& item : values) deviations.push_back(item.value - mean);
  if (values.size() >= 2) score.se_population = cluster_error(deviations, values);
  is_plain_proportion(values) ? set_wilson(score) : set_normal(score);
  return score;
}

RunScore score_of_ratio(const std::vector<ItemValue>& values) {
  RunScore score;
  score.n = static_cast<std::int64_t>(values.size());
  double numerator = 0, denominator = 0;
  for (const ItemValue& item : values) {
    numerator += item.value;
    denominator += item.weight;
  }
  if (!(denominator > 0)) return score;
  const double ratio = numerator / denominator;
  score.score = ratio;
  score.se_fixed = fixed_error(values);
  std::vector<double> deviations;
  const double mean_weight = denominator / static_cast<double>(values.size());
  for (const ItemValue& item : values) deviations.push_back((item.value - ratio * item.weight) / mean_weight);
  if (values.size() >= 2) score.se_population = cluster_error(deviations, values);
  set_normal(score);
  return score;
}

RunScore score_of_subset_means(const std::vector<ItemValue>& values) {
  std::map<std::string, std::vector<ItemValue>> subsets;
  for (const ItemValue& item : values) subsets[item.subset].push_back(item);
  RunScore score;
  score.n = static_cast<std::int64_t>(values.size());
  if (subsets.empty()) return score;
  const auto n = static_cast<double>(subsets.size());
  double sum = 0, population = 0, fixed = 0;
  bool known = true;
  for (const auto& [name, part] : subsets) {
    const RunScore of_part = score_of_mean(part);
    sum += *of_part.score;
    known = known && of_part.se_population.has_value();
    population += std::pow(of_part.se_population.value_or(0), 2);
    fixed += std::pow(of_part.se_fixed.value_or(0), 2);
  }
  score.score = sum / n;
  score.se_fixed = std::sqrt(fixed) / n;
  if (known) score.se_population = std::sqrt(population) / n;
  set_normal(score);
  return score;
}

}  // namespace assay
