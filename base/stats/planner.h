// How many items decide a comparison: two groups, pairs of right-or-wrong items, equivalence; and how many answers to each question.
// Of one proportion against a known one: power.h.
#pragma once
#include <cstdint>

#include "base/result.h"

namespace assay::stats {

inline constexpr std::int64_t kMaxPlannedItems = 100'000'000;

// Items in each of two independent groups for a two-sided test of p1 = p2: Fleiss, Tytun and Ury 1980, without the correction for
// continuity (normal approximation). 0 <= p1, p2 <= 1, not equal.
Result<std::int64_t> items_for_two(double p1, double p2, double alpha, double power);

// Pairs for McNemar's exact two-sided test when an item turns from wrong to right with `gain` and back with `loss`, gain != loss, their sum
// at most 1: the smallest n whose exact power, over the number of items that turn, is reached and stays for the next kLookAhead sizes.
inline constexpr int kLookAhead = 32;
inline constexpr std::int64_t kMaxExactPairs = 20'000;  // beyond, refused as too_large: the exact power costs n² steps
double mcnemar_power(std::int64_t n, double gain, double loss, double alpha);
Result<std::int64_t> pairs_for_mcnemar(double gain, double loss, double alpha, double power);

// Items for two one-sided tests (normal) to show |delta| < margin when the true difference is `delta`, |delta| < margin, and the
// differences of items have standard deviation `sd` > 0.
Result<std::int64_t> items_for_equivalence(double delta, double sd, double margin, double alpha, double power);

// Answers to each of `items` questions that bring the standard error on these questions to `se`: the mean over questions of p(1-p), at
// most 1/4, is `sampling_variance`.
Result<std::int64_t> samples_for_error(std::int64_t items, double sampling_variance, double se);

}  // namespace assay::stats
