// What eval/verdict*.cc share: scores of measurements and the state between testing and deciding.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/stats/paired.h"
#include "eval/verdict.h"

namespace assay::verdict {

// The items of a claim's subset. Values keep their order.
Measurement of_subset(const Measurement& all, const std::string& subset);

struct Summary {
  std::int64_t n = 0, right = 0;  // right: shares only
  double value = 0;               // share, mean or ratio
  std::optional<double> se;       // population of items
};
Summary summarise(const Measurement& measurement);

// How a share stands to a printed figure: how many items it is off, and how many may tip because they are near ties.
struct Distance {
  bool prints = false;   // this very count prints as the figure
  std::int64_t off = 0;  // items to the nearest count that does (or to the figure where none does)
  std::int64_t near_ties = 0, coarse_ties = 0;
  bool margins_known = false;
};
Distance distance_of_share(const Measurement& measurement, const Figure& figure, double scale);
// True where the value prints as the figure, within `tolerance` of rounding's limits.
bool prints_as(double value, const Figure& figure, double tolerance);

// Paired items of both sides, by key; b is the claimed side.
struct Pairs {
  std::vector<double> a, b, weight;
  std::int64_t gained = 0, lost = 0;  // shares: wrong to right and right to wrong, from a to b
};
Pairs pair_up(const Measurement& a, const Measurement& b);
stats::MeanError difference_of(const Pairs& pairs, Score score);

// Tested but not decided: `settle` is called with the adjusted p.
struct Draft {
  Verdict verdict;
  Distance distance;
  const Measurement* holds_under = nullptr;
  double p_below = 1;       // at_least: p of "the difference is at least the claimed one"
  bool matches = false;     // equals: what was measured prints as the figure
  bool items_hold = false;  // threshold, within: the claim holds on these very items
  bool possible = true;     // equals: some count of the claimed n prints as the figure
};

Draft examine_equals(const Case& one);
Draft examine_threshold(const Case& one);
Draft examine_within(const Case& one);
Draft examine_parameters(const Case& one);
void settle_equals(const Case& one, Draft& draft);
void settle_threshold(const Case& one, Draft& draft);
void settle_within(const Case& one, Draft& draft);

std::string unit_of(double scale);  // " %" or ""
std::string shown(double value);    // four significant digits after rounding noise
std::string signed_shown(double value);
std::int64_t items_for_margin(double per_item_sd,
                              double distance);  // n of a one-sided 5 % test with power 0.8

}  // namespace assay::verdict
