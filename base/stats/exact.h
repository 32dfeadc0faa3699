// Exact tests for figures that were taken on other items than ours, and for a difference on the same items.
#pragma once
#include <cstdint>

namespace assay::stats {

// `drawn` items are taken without replacement from `total` of which `marked` are right; `k` of those drawn are right. Two-sided
// p-value: the sum of the outcomes no more likely than k (relative 1e-7, as in binomial_test). 0 where k cannot happen.
// total <= kMaxPool.
inline constexpr std::int64_t kMaxPool = 10'000'000;
double hypergeometric_test(std::int64_t k, std::int64_t drawn, std::int64_t marked, std::int64_t total);

// Of n pairs `gained` went from wrong to right and `lost` from right to wrong. p-value of "the difference of the two shares is
// at most `delta`" against "it is larger", -1 < delta < 1. Exact in the sense of Berger and Boos 1994: the largest p over a
// 1 - 1e-4 region of the share of losses, plus 1e-4.
double difference_exceeds_p(std::int64_t gained, std::int64_t lost, std::int64_t n, double delta);

}  // namespace assay::stats
