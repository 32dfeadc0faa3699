// Laws that the statistics obey whatever the numbers are.
#include <cmath>

#include "base/rng.h"
#include "base/stats/binomial.h"
#include "base/stats/equivalence.h"
#include "base/stats/multiple.h"
#include "base/stats/paired.h"
#include "base/stats/passk.h"
#include "base/stats/possible.h"
#include "base/stats/power.h"
#include "base/stats/proportion.h"
#include "tests/catch.h"

namespace {

using namespace assay;
using namespace assay::stats;

TEST_CASE("statistics: intervals mirror, contain the share and match the one-sided tests") {
  Stream stream(11);
  for (int i = 0; i < 300; ++i) {
    const auto n = static_cast<std::int64_t>(1 + stream.below(2000));
    const auto k = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(n) + 1));
    const double share = static_cast<double>(k) / static_cast<double>(n);
    for (const auto method : {clopper_pearson, wilson}) {
      const Interval here = method(k, n, 0.95), mirrored = method(n - k, n, 0.95);
      CHECK(here.low <= share);
      CHECK(here.high >= share);
      CHECK(here.low == Approx(1 - mirrored.high).margin(1e-14));
    }
    const Interval exact = clopper_pearson(k, n, 0.95);
    if (k > 0) CHECK(static_cast<double>(binomial_sf(k, n, exact.low)) == Approx(0.025).epsilon(1e-10));
    if (k < n) CHECK(static_cast<double>(binomial_cdf(k, n, exact.high)) == Approx(0.025).epsilon(1e-9));
  }
}

TEST_CASE("statistics: the exact interval covers at least its level, by enumeration") {
  for (const int n : {5, 20, 60}) {
    for (int step = 1; step < 40; ++step) {
      const double p = step / 40.0;
      double covered = 0;
      for (int k = 0; k <= n; ++k) {
        const Interval interval = clopper_pearson(k, n, 0.9);
        if (interval.low <= p && p <= interval.high)
          covered += static_cast<double>(std::exp(log_binomial_pmf(k, n, p)));
      }
      CHECK(covered >= 0.9 - 1e-12);
    }
  }
}

TEST_CASE("statistics: McNemar is the sign flip of 0/1 differences and the binomial with one half") {
  for (int b = 0; b < 12; ++b) {
    for (int c = 0; c < 12; ++c) {
      if (b + c == 0) continue;
      std::vector<double> one, two;
      for (int i = 0; i < b; ++i) one.push_back(1), two.push_back(0);
      for (int i = 0; i < c; ++i) one.push_back(0), two.push_back(1);
      const double p = mcnemar_exact(b, c);
      CHECK(p == Approx(paired_difference(one, two, {}, 0.95, 1).p_sign_flip).epsilon(1e-12));
      CHECK(p == Approx(binomial_test(b, b + c, 0.5, Alternative::two_sided)).epsilon(1e-12));
    }
  }
}

TEST_CASE("statistics: seeded sign flips repeat with the seed and agree with the exact share") {
  Stream stream(3);
  std::vector<double> a, b;
  for (int i = 0; i < 20; ++i) a.push_back(stream.normal()), b.push_back(stream.normal() + 0.3);
  const Paired exact = paired_difference(a, b, {}, 0.95, 1);
  CHECK(exact.sign_flip_exact);
  a.push_back(0),
      b.push_back(1e-9);  // one more pair, too small to matter: now there are too many assignments
  const Paired drawn = paired_difference(a, b, {}, 0.95, 7);
  CHECK_FALSE(drawn.sign_flip_exact);
  CHECK(drawn.p_sign_flip == paired_difference(a, b, {}, 0.95, 7).p_sign_flip);
  const double p = exact.p_sign_flip;
  CHECK(std::fabs(drawn.p_sign_flip - p) < 5 * std::sqrt(p * (1 - p) / 100'000) + 1e-5);
}

TEST_CASE("statistics: swapping the pair negates the difference, clusters of one change nothing") {
  Stream stream(4);
  std::vector<double> a, b;
  std::vector<std::int64_t> own;
  for (int i = 0; i < 50; ++i) a.push_back(stream.uniform()), b.push_back(stream.uniform()), own.push_back(i);
  const Paired ab = paired_difference(a, b, {}, 0.95, 1), ba = paired_difference(b, a, own, 0.95, 1);
  CHECK(ab.delta == -ba.delta);
  CHECK(*ab.se == Approx(*ba.se).epsilon(1e-12));
  CHECK(ab.low == Approx(-ba.high));
  CHECK(ab.p_normal == Approx(ba.p_normal).epsilon(1e-12));
}

TEST_CASE("statistics: one pair has no standard error, equal pairs none to speak of") {
  const std::vector<double> zero = {0}, one = {1}, zeros = {0, 0, 0}, ones = {1, 1, 1};
  CHECK_FALSE(paired_difference(zero, one, {}, 0.95, 1).se.has_value());
  const Paired same = paired_difference(ones, ones, {}, 0.95, 1),
               apart = paired_difference(zeros, ones, {}, 0.95, 1);
  CHECK(*same.se == 0);
  CHECK(same.p_normal == 1);
  CHECK(apart.p_normal == 0);
  CHECK(apart.p_sign_flip == 0.25);
}

TEST_CASE("statistics: a ratio with equal weights is the mean with its standard error") {
  const std::vector<double> y = {1, 4, 2, 8, 5}, x = {2, 2, 2, 2, 2};
  std::vector<double> shares;
  for (const double v : y) shares.push_back(v / 2);
  CHECK(ratio_mean(y, x).mean == Approx(cluster_mean(shares).mean).epsilon(1e-14));
  CHECK(*ratio_mean(y, x).se == Approx(*cluster_mean(shares).se).epsilon(1e-14));
}

TEST_CASE("statistics: sample size is where the power begins to hold for good") {
  const double p0 = 0.6, p1 = 0.75, alpha = 0.05, power = 0.8;
  const auto n = sample_size(p0, p1, alpha, power, Alternative::greater);
  REQUIRE(n.ok());
  const auto power_at = [&](std::int64_t items) {
    std::int64_t count = 0;
    while (count <= items && binomial_sf(count, items, p0) > alpha) ++count;
    return static_cast<double>(binomial_sf(count, items, p1));
  };
  CHECK(power_at(*n - 1) < power);
  bool lucky_before = false;
  for (std::int64_t items = 1; items < *n; ++items) lucky_before |= power_at(items) >= power;
  for (std::int64_t items = *n; items < *n + 200; ++items) CHECK(power_at(items) >= power);
  CHECK(lucky_before);  // the saw-tooth is there: a smaller n has the power by luck
}

TEST_CASE("statistics: adjusted p-values are ordered like p, at least p, and Holm is never below BH") {
  Stream stream(9);
  std::vector<double> p;
  for (int i = 0; i < 40; ++i) p.push_back(stream.uniform());
  const auto strict = holm(p), mild = benjamini_hochberg(p);
  for (std::size_t i = 0; i < p.size(); ++i) {
    CHECK(strict[i] >= mild[i]);
    CHECK(mild[i] >= p[i]);
    CHECK(strict[i] <= 1);
    for (std::size_t j = 0; j < p.size(); ++j) {
      if (p[i] < p[j]) CHECK((strict[i] <= strict[j] && mild[i] <= mild[j]));
    }
  }
}

TEST_CASE("statistics: equivalence at the limits") {
  CHECK(tost(0.1, 0, 0.3, 0.05).equivalent);
  CHECK(tost(0.1, 0, 0.3, 0.05).p == 0);
  CHECK_FALSE(tost(0.3, 0, 0.3, 0.05).equivalent);
  CHECK(tost(0.2, 0.01, 0.3, 0.05).p == tost(-0.2, 0.01, 0.3, 0.05).p);
  CHECK(tost(0, 1, 1e-9, 0.05).p < 0.5);
}

TEST_CASE("statistics: pass@1 is the share, and one more right sample never hurts") {
  for (int n = 1; n < 40; ++n) {
    for (int c = 0; c <= n; ++c) {
      CHECK(static_cast<double>(pass_at_k(n, c, 1)) == Approx(static_cast<double>(c) / n).epsilon(1e-14));
      if (c > 0) CHECK(pass_at_k(n, c, (n + 1) / 2) >= pass_at_k(n, c - 1, (n + 1) / 2));
    }
  }
}

TEST_CASE("statistics: every count is a possible score when it is printed, and the figure names its counts") {
  for (std::int64_t n = 1; n < 90; ++n) {
    for (std::int64_t k = 0; k <= n; ++k) {
      const std::int64_t tenths = (2000 * k + n) / (2 * n);  // 100 k / n to one decimal, half up
      const Possible found = possible_counts({.units = tenths, .digits = 1}, n, 100);
      CHECK(found.possible);
      CHECK((found.first <= k && k <= found.last));
      CHECK(found.nearest.size() <= 2);
    }
  }
}

}  // namespace
