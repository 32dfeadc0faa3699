// Intervals for a share of successes.
#pragma once
#include <cstdint>

namespace assay::stats {

struct Interval {
  double low = 0, high = 0;
};

// Both want 0 <= k <= n, 1 <= n <= kMaxTrials (binomial.h), 0 < level < 1.
Interval clopper_pearson(std::int64_t k, std::int64_t n, double level);  // exact: Clopper and Pearson 1934
Interval wilson(std::int64_t k, std::int64_t n, double level);           // score interval: Wilson 1927

}  // namespace assay::stats
