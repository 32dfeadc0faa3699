// pass@k from n samples of which c are right (Chen et al. 2021, arXiv 2107.03374, eq. 1).
#pragma once
#include <cstdint>
#include <span>

namespace assay::stats {

// 1 - C(n-c, k) / C(n, k), unbiased; 0 <= c <= n, 1 <= k <= n <= kMaxTrials (binomial.h). Takes at most about
// 1e6 steps.
long double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);
// The mean over items; both lists of one length, not empty.
double mean_pass_at_k(std::span<const std::int64_t> n, std::span<const std::int64_t> c, std::int64_t k);

}  // namespace assay::stats
