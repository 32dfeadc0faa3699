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
// Agresti and Coull 1998: Wald's interval after z²/2 successes and failures are added, cut to [0, 1].
Interval agresti_coull(std::int64_t k, std::int64_t n, double level);

// p1 - p2 of two groups of items: the hybrid score interval, Newcombe 1998 (Stat. Med. 17:873) method 10.
Interval newcombe(std::int64_t k1, std::int64_t n1, std::int64_t k2, std::int64_t n2, double level);

// Both sides of a pairing: right in both, in the first only, in the second only, in neither.
struct PairTable {
  std::int64_t both = 0, first = 0, second = 0, neither = 0;
  std::int64_t n() const { return both + first + second + neither; }
};
// p1 - p2 on the same items: Newcombe 1998 (Stat. Med. 17:2635) method 10, the correlation corrected for continuity.
Interval newcombe_paired(const PairTable& table, double level);

}  // namespace assay::stats
