// The standard normal distribution, in long double so that results rounded to double keep 1e-15 also far out.
#pragma once

namespace assay::stats {

long double normal_cdf(long double x);                // P(Z <= x); relative accuracy also for x -> -infinity
long double normal_two_sided_p(long double x);        // P(|Z| >= |x|)
long double student_cdf(long double t, long double degrees);  // P(T <= t), degrees > 0
long double normal_critical_value(long double tail);  // z with P(Z >= z) = tail, 0 < tail < 1

}  // namespace assay::stats
