// Exact binomial probabilities and the tests that rest on them.
#pragma once
#include <cstdint>

namespace assay::stats {

inline constexpr std::int64_t kMaxTrials =
    1'000'000'000;  // beyond, log-factorials lose the 1e-7 of the two-sided rule

enum class Alternative { two_sided, less, greater };

// P(X <= k) and P(X >= k) for X ~ Binomial(n, p); 0 <= n <= kMaxTrials, any k, 0 <= p <= 1.
long double binomial_cdf(std::int64_t k, std::int64_t n, long double p);
long double binomial_sf(std::int64_t k, std::int64_t n, long double p);
// log P(X = k); -infinity where it cannot happen.
long double log_binomial_pmf(std::int64_t k, std::int64_t n, long double p);

// p-value of k successes in n under p0. Two-sided: the sum of the outcomes that are no more likely than k,
// where "no more" allows a relative 1e-7 (the rule of R's binom.test), so that equal probabilities count as
// equal.
double binomial_test(std::int64_t k, std::int64_t n, double p0, Alternative alternative);

// McNemar's test, exact and two-sided, from the two discordant counts; 1 where there are none.
double mcnemar_exact(std::int64_t b, std::int64_t c);

}  // namespace assay::stats
