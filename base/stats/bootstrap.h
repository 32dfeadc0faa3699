// The paired bootstrap: resampling items, or whole clusters of them, with both sides' scores together.
#pragma once
#include <cstdint>
#include <span>

namespace assay::stats {

struct Bootstrap {
  double delta = 0;          // mean of b - a
  double se = 0;             // standard deviation over the draws
  double low = 0, high = 0;  // percentiles of the draws
  double p = 1;              // two-sided: twice the smaller share of draws on one side of 0, the observed one counted
};

inline constexpr int kMaxDraws = 1'000'000;
inline constexpr std::int64_t kMaxBootstrapWork = 2'000'000'000;  // draws times clusters

// Percentile intervals (Efron 1979) cover less than their level for few clusters: below about 30, `paired_difference` and the exact tests
// say more. a and b of one length, not empty; `cluster` empty or of that length; 1 <= draws <= kMaxDraws; draw i is a function of seed and i.
Bootstrap paired_bootstrap(std::span<const double> a, std::span<const double> b, std::span<const std::int64_t> cluster, double level, int draws, std::uint64_t seed);

}  // namespace assay::stats
