// Stopping when enough is known: tests and intervals of a share that stay valid however often one looks.
#pragma once
#include <cstdint>
#include <span>

#include "base/stats/proportion.h"

namespace assay::stats {

// The mixture martingale of a Bernoulli share with a Beta(1/2, 1/2) prior on the alternative (Robbins 1970; Howard et al. 2021): under
// p = p0 its expectation stays 1, so P(it ever reaches 1/alpha) <= alpha (Ville 1939), at every stopping time at once.
long double log_mixture_martingale(std::int64_t k, std::int64_t n, double p0);  // of k successes in n, 0 < p0 < 1, 0 <= n <= kMaxTrials

// min(1, 1 / martingale): a p-value at any stopping time.
double anytime_p(std::int64_t k, std::int64_t n, double p0);

// All p0 that the martingale has not reached 1/(1-level) for after k of n: covers the share at all n together with `level`.
Interval confidence_sequence(std::int64_t k, std::int64_t n, double level);

struct Sequential {
  std::int64_t looked = 0;   // values used: all, or up to the decision
  std::int64_t right = 0;    // of those
  double p = 1;              // smallest anytime p so far
  bool decided = false;      // p <= alpha
  Interval interval;         // intersection of the confidence sequence so far, level 1 - alpha
};
// Goes through values of 0 and 1 and stops where p0 is refuted at `alpha`. 0 < p0 < 1, 0 < alpha < 1.
Sequential sequential_test(std::span<const double> values, double p0, double alpha);

}  // namespace assay::stats
