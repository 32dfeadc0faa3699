// What eval/verdict*.cc share: scores of measurements and the state between testing and deciding.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/stats/paired.h"
#include "eval/verdicts/verdict.h"

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
  double p_most = 1;        // sampled: p with the most answers that the claim's text allows; `verdict.p` is with the fewest
  double p_margin = 1;      // sampled, with a margin: p of "the difference is no smaller than the margin"
  std::optional<std::int64_t> from_samples;  // sampled: with so many answers of theirs the data contradict
};

Draft examine_equals(const Case& one);
Draft examine_threshold(const Case& one);
Draft examine_within(const Case& one);
Draft examine_parameters(const Case& one);
void settle_equals(const Case& one, Draft& draft);
void settle_threshold(const Case& one, Draft& draft);
void settle_within(const Case& one, Draft& draft);

Draft examine_sampled(const Case& one);
void settle_sampled(const Case& one, Draft& draft);
Draft examine_part(const Case& one);
void settle_part(const Case& one, Draft& draft);
Draft examine_composite(const Case& one);
void settle_composite(const Case& one, Draft& draft);
// Names the fork and what the source leaves unsaid; a fork contradicts nothing.
void note_conditions(const Case& one, Verdict& v);
Draft examine_reported(const Case& one);
void settle_reported(const Case& one, Draft& draft);

// Why the figure lies beyond its scale, or "".
std::string beyond_scale(const Case& one);
// Without a measurement: why no count of the claimed n prints as the figure, or "". Only for metrics that count right answers.
std::string no_count_prints(const Claim& claim);

std::string said(const Case& one, const Verdict& v);  // "MODEL under PROTOCOL gives 76.4 % on 500 items of SUITE"
// The numbers behind `next`: so many more items or answers, at the measured speed and price. They are no part of the sentence, which is in
// the canonical export.
void price_next(const Measurement& measured, std::optional<std::int64_t> items, std::optional<std::int64_t> samples, Verdict& v);

std::string unit_of(double scale);  // " %" or ""
std::string shown(double value);    // four significant digits after rounding noise
std::string signed_shown(double value);
std::int64_t items_for_margin(double per_item_sd,
                              double distance);  // n of a one-sided 5 % test with power 0.8

}  // namespace assay::verdict
