#include "base/stats/passk.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "base/stats/binomial.h"

namespace assay::stats {

long double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  ASSAY_CHECK(c >= 0 && c <= n && n <= kMaxTrials);
  ASSAY_CHECK(k >= 1 && k <= n);
  if (c == 0) return 0;
  if (n - c < k) return 1;
  // C(n-c, k) / C(n, k) is symmetric in c and k: a product of min(c, k) factors 1 - max(c, k) / (n - j). Its
  // logarithm keeps the digits of a tiny pass@k, and beyond exp(-60) nothing is left to change.
  const std::int64_t few = std::min(c, k);
  const auto many = static_cast<long double>(std::max(c, k));
  long double log_miss = 0;
  for (std::int64_t j = 0; j < few && log_miss > -60; ++j)
    log_miss += std::log1p(-many / static_cast<long double>(n - j));
  return -std::expm1(log_miss);
}

double mean_pass_at_k(std::span<const std::int64_t> n, std::span<const std::int64_t> c, std::int64_t k) {
  ASSAY_CHECK(!n.empty() && n.size() == c.size());
  long double sum = 0;
  for (std::size_t i = 0; i < n.size(); ++i) sum += pass_at_k(n[i], c[i], k);
  return static_cast<double>(sum / static_cast<long double>(n.size()));
}

}  // namespace assay::stats
