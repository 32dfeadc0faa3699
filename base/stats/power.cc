#include "base/stats/power.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace assay::stats {
namespace {

constexpr long double kPowerTie = 1e-12L;  // relative: sizes that equal alpha in decimals count as equal
constexpr std::int64_t kRefreshEvery = 1 << 16;  // running sums are set right again after so many steps

// Relative entropy of Bernoulli(x) from Bernoulli(p), the rate of Chernoff's bound.
long double divergence(long double x, long double p) {
  const auto term = [](long double a, long double b) { return a > 0 ? a * std::log(a / b) : 0.0L; };
  return term(x, p) + term(1 - x, 1 - p);
}

// An n from which Chernoff's bound proves the power for all larger ones: with the threshold at n x, p0 < x <
// p1, the size is at most exp(-n D(x|p0)) and the miss at most exp(-n D(x|p1)). The best x makes both ask for
// the same n.
long double provable_size(long double p0, long double p1, long double alpha, long double power) {
  long double low = p0, high = p1, n = 0;
  for (int i = 0; i < 200; ++i) {
    const long double x = low + (high - low) / 2;
    const long double for_size = -std::log(alpha) / divergence(x, p0);
    const long double for_power = -std::log1p(-power) / divergence(x, p1);
    n = std::max(for_size, for_power);
    (for_size > for_power ? low : high) = x;
  }
  return n;
}

// P(X >= threshold) and P(X = threshold - 1) for X ~ Binomial(n, p), carried along as n and the threshold
// grow.
class Tail {
 public:
  explicit Tail(long double p) : p_(p) {}
  long double value() const { return value_; }
  void next_n() {
    value_ += p_ * edge_;
    ++n_;
    edge_ *= static_cast<long double>(n_) * (1 - p_) / static_cast<long double>(n_ - threshold_ + 1);
    if (n_ % kRefreshEvery == 0) refresh();
  }
  void next_threshold() {
    const auto rest = static_cast<long double>(n_ - threshold_ + 1), k = static_cast<long double>(threshold_);
    edge_ *= rest / k * p_ / (1 - p_);
    value_ = std::max(0.0L, value_ - edge_);
    ++threshold_;
  }
  void refresh() {
    value_ = binomial_sf(threshold_, n_, p_);
    edge_ = std::exp(log_binomial_pmf(threshold_ - 1, n_, p_));
  }

 private:
  long double p_;
  std::int64_t n_ = 0, threshold_ = 1;
  long double value_ = 0, edge_ = 1;
};

// With p1 = 1 every outcome is a success: the power is 1 as soon as n successes reject, that is p0^n <=
// alpha.
std::int64_t size_against_certainty(long double p0, long double alpha) {
  if (p0 == 0) return 1;
  const long double n = std::log(alpha) / std::log(p0);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(n * (1 - kPowerTie))));
}

std::int64_t scan(long double p0, long double p1, long double alpha, long double power, std::int64_t bound) {
  Tail size(p0), reach(p1);
  std::int64_t last_short = 0;
  for (std::int64_t n = 1; n <= bound; ++n) {
    size.next_n();
    reach.next_n();
    while (size.value() > alpha * (1 + kPowerTie)) {
      size.next_threshold();
      reach.next_threshold();
    }
    if (!(reach.value() >= power * (1 - kPowerTie))) last_short = n;
  }
  ASSAY_CHECK(last_short < bound);
  return last_short + 1;
}

}  // namespace

Result<std::int64_t> sample_size(double p0, double p1, double alpha, double power, Alternative alternative) {
  ASSAY_CHECK(alternative != Alternative::two_sided);
  ASSAY_CHECK(alpha > 0 && alpha < 1 && power > 0 && power < 1);
  const bool less = alternative == Alternative::less;
  ASSAY_CHECK(less ? p1 < p0 : p1 > p0);
  const long double from = less ? 1.0L - p0 : p0,
                    to = less ? 1.0L - p1 : p1;  // failures instead of successes
  if (to >= 1) return size_against_certainty(from, alpha);
  const long double bound = std::ceil(provable_size(from, to, alpha, power)) + 1;
  if (!(bound <= static_cast<long double>(kMaxPowerItems))) {
    return Error{.code = Code::too_large,
                 .message = "the two proportions are too close for an exact sample size",
                 .field = "p1",
                 .expected = fmt::format("a difference that fewer than {} items decide", kMaxPowerItems),
                 .got = fmt::format("{} against {}", p1, p0)};
  }
  return scan(from, to, alpha, power, static_cast<std::int64_t>(bound));
}

}  // namespace assay::stats
