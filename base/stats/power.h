// How many items decide a question: exact sample sizes for one proportion against a known one.
#pragma once
#include <cstdint>

#include "base/result.h"
#include "base/stats/binomial.h"

namespace assay::stats {

// The one-sided exact test of size `alpha` of p = p0 against p1 (greater: p1 > p0; less: p1 < p0). Gives the
// smallest n from which the power is at least `power` for that n and all larger ones (exact power saw-tooths:
// a single n may do by luck). 0 <= p0, p1 <= 1 on the right side of each other, 0 < alpha < 1, 0 < power < 1.
// Refused as too_large when proving it would take more than kMaxPowerItems steps.
inline constexpr std::int64_t kMaxPowerItems = 200'000'000;
Result<std::int64_t> sample_size(double p0, double p1, double alpha, double power, Alternative alternative);

}  // namespace assay::stats
