// A run's score recomputed from the values of its items: mean or ratio, with the errors on these items and on
// the population.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

// What one item brings to a run's score.
struct ItemValue {
  double value = 0;            // mean metrics: the item's value; ratio metrics: the numerator, such as bits
  double weight = 1;           // ratio metrics: the denominator, such as bytes
  std::string cluster;         // items of one stem share it; empty: the item stands alone
  std::string subset;          // its sub-task, for means over sub-tasks
  double variance_within = 0;  // of the item's mean over its own samples; 0 for one greedy answer
};

struct RunScore {
  std::int64_t n = 0;
  std::optional<double> score;
  std::optional<double> se_population;  // needs two items
  std::optional<double> se_fixed;
  std::optional<double> low, high;  // 95 %, population
};

// Mean of the values. se² = Σ(v - mean)² / (n(n-1)) + Σ over ordered pairs i≠j of one cluster of (v_i -
// mean)(v_j - mean) / n² (Miller 2411.00640). Interval: Wilson where all values are 0 or 1 and no cluster has
// two items, else mean ± 1.96 se.
RunScore score_of_mean(const std::vector<ItemValue>& values);

// Σ value / Σ weight, with the linearised error of a ratio over items: residuals (v - ratio w) / mean weight
// in the formula above.
RunScore score_of_ratio(const std::vector<ItemValue>& values);

// The mean of the sub-tasks' means; their errors are independent. Intervals as in score_of_mean, normal.
RunScore score_of_subset_means(const std::vector<ItemValue>& values);

}  // namespace assay
