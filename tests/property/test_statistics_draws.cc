// Every interval and every test on data sets drawn where the truth is known: how often the interval holds the truth, how often the test
// refutes it. In the suite 2,000 data sets each; `test_property "statistics draws: many*"` takes 100,000.
#include <cmath>

#include "base/rng.h"
#include "base/stats/binomial.h"
#include "base/stats/bootstrap.h"
#include "base/stats/equivalence.h"
#include "base/stats/exact.h"
#include "base/stats/multiple.h"
#include "base/stats/normal.h"
#include "base/stats/paired.h"
#include "base/stats/proportion.h"
#include "base/stats/sampling.h"
#include "base/stats/sequential.h"
#include "tests/catch.h"

namespace {

using namespace assay;
using namespace assay::stats;

// How often a thing happens, and what is promised: exactly `nominal` up to `slack` (the method's own known error at this size), or at most.
struct Promise {
  const char* name;
  double nominal, slack;
  bool at_most;
  bool (*happens)(Stream&);
};

std::int64_t drawn(Stream& s, int n, double p) {
  std::int64_t k = 0;
  for (int i = 0; i < n; ++i) k += s.uniform() < p ? 1 : 0;
  return k;
}

bool misses(const Interval& i, double truth) { return truth < i.low || truth > i.high; }

// Pairs of right and wrong answers: both right 0.4, gained and lost as told.
PairTable drawn_table(Stream& s, int n, double gained, double lost) {
  PairTable t;
  for (int i = 0; i < n; ++i) {
    const double u = s.uniform();
    ++(u < gained ? t.second : u < gained + lost ? t.first : u < gained + lost + 0.4 ? t.both : t.neither);
  }
  return t;
}

// n differences around `mean`, in clusters of `size` that share a part.
struct Differences {
  std::vector<double> a, b;
  std::vector<std::int64_t> cluster;
};
Differences drawn_differences(Stream& s, int clusters, int size, double mean) {
  Differences d;
  for (int c = 0; c < clusters; ++c) {
    const double shared = size > 1 ? 0.5 * s.normal() : 0;
    for (int i = 0; i < size; ++i) {
      d.a.push_back(s.normal());
      d.b.push_back(d.a.back() + mean + shared + s.normal());
      d.cluster.push_back(c);
    }
  }
  return d;
}

std::vector<double> p_values(Stream& s, int nulls, int effects) {
  std::vector<double> p;
  for (int i = 0; i < nulls; ++i) p.push_back(s.uniform());
  for (int i = 0; i < effects; ++i) p.push_back(static_cast<double>(normal_two_sided_p(3.0 + s.normal())));
  return p;
}

bool any_below(const std::vector<double>& p, std::size_t n, double alpha) {
  for (std::size_t i = 0; i < n; ++i) {
    if (p[i] <= alpha) return true;
  }
  return false;
}

// The share of false discoveries among those at 0.1 has expectation 0.1 x 15/20; as an event: one discovery taken at random is false.
bool false_discovery(Stream& s) {
  const auto adjusted = benjamini_hochberg(p_values(s, 15, 5));
  int found = 0, wrong = 0;
  for (std::size_t i = 0; i < adjusted.size(); ++i) {
    found += adjusted[i] <= 0.1 ? 1 : 0;
    wrong += adjusted[i] <= 0.1 && i < 15 ? 1 : 0;
  }
  return found > 0 && s.uniform() * found < wrong;
}

// `drawn` of 300 items of which 180 are right, without replacement.
bool refutes_pool(Stream& s) {
  std::int64_t right = 180, left = 300, k = 0;
  for (int i = 0; i < 60; ++i, --left) {
    if (s.uniform() * static_cast<double>(left) < static_cast<double>(right)) ++k, --right;
  }
  return hypergeometric_test(k, 60, 180, 300) <= 0.05;
}

bool misses_population(Stream& s) {  // questions with a share of their own, 8 answers each; their mean share is 0.5
  std::vector<std::int64_t> n(80, 8), right;
  for (int i = 0; i < 80; ++i) right.push_back(drawn(s, 8, s.uniform()));
  const stats::Sampling out = sampling_variance(n, right);
  return std::fabs(out.mean - 0.5) > 1.959964 * *out.se_population;
}

bool misses_bootstrap(Stream& s) {
  const Differences d = drawn_differences(s, 60, 1, 0.1);
  const Bootstrap out = paired_bootstrap(d.a, d.b, {}, 0.95, 400, s.u64());
  return misses({out.low, out.high}, 0.1);
}

bool leaves_sequence(Stream& s) {  // at any of 10 looks; `sequential_size` looks at all
  std::int64_t k = 0;
  for (int i = 1; i <= 300; ++i) {
    k += s.uniform() < 0.3 ? 1 : 0;
    if (i % 30 == 0 && misses(confidence_sequence(k, i, 0.9), 0.3)) return true;
  }
  return false;
}

const Promise kPromises[] = {
    {"exact interval misses the share", 0.05, 0, true, [](Stream& s) { return misses(clopper_pearson(drawn(s, 80, 0.3), 80, 0.95), 0.3); }},
    {"score interval misses the share", 0.05, 0.008, false, [](Stream& s) { return misses(wilson(drawn(s, 400, 0.3), 400, 0.95), 0.3); }},
    {"Agresti and Coull's interval misses the share", 0.05, 0.008, false, [](Stream& s) { return misses(agresti_coull(drawn(s, 400, 0.3), 400, 0.95), 0.3); }},
    {"Newcombe's interval misses the difference", 0.05, 0.005, false,
     [](Stream& s) {
       const auto one = drawn(s, 150, 0.6), two = drawn(s, 120, 0.45);
       return misses(newcombe(one, 150, two, 120, 0.95), 0.15);
     }},
    {"Newcombe's paired interval misses the difference", 0.05, 0.008, false, [](Stream& s) { return misses(newcombe_paired(drawn_table(s, 200, 0.2, 0.1), 0.95), -0.1); }},
    {"binomial test refutes the share", 0.05, 0, true, [](Stream& s) { return binomial_test(drawn(s, 100, 0.7), 100, 0.7, Alternative::two_sided) <= 0.05; }},
    {"McNemar's test refutes equal sides", 0.05, 0, true,
     [](Stream& s) {
       const PairTable t = drawn_table(s, 200, 0.15, 0.15);
       return mcnemar_exact(t.first, t.second) <= 0.05;
     }},
    {"draws from a pool refute the pool", 0.05, 0, true, refutes_pool},
    {"normal interval of pairs misses the difference", 0.05, 0.005, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 200, 1, 0.1);
       const MeanError a = cluster_mean(d.a), b = cluster_mean(d.b);
       std::vector<double> difference;
       for (std::size_t i = 0; i < d.a.size(); ++i) difference.push_back(d.b[i] - d.a[i]);
       const MeanError m = cluster_mean(difference);
       return std::fabs(b.mean - a.mean - 0.1) > 1.959964 * *m.se;
     }},
    {"cluster-robust interval misses the mean", 0.05, 0.008, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 100, 3, 0.1);
       std::vector<double> difference;
       for (std::size_t i = 0; i < d.a.size(); ++i) difference.push_back(d.b[i] - d.a[i]);
       const MeanError m = cluster_mean(difference, d.cluster);
       return std::fabs(m.mean - 0.1) > 1.959964 * *m.se;
     }},
    {"sign flips of items refute equal sides", 0.05, 0.001, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 9, 1, 0);
       return paired_difference(d.a, d.b, {}, 0.95, 1).p_sign_flip <= 0.05;
     }},
    {"sign flips of clusters refute equal sides", 0.05, 0.001, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 9, 3, 0);
       return paired_difference(d.a, d.b, d.cluster, 0.95, 1).p_sign_flip <= 0.05;
     }},
    {"TOST says equivalent on the margin", 0.05, 0.003, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 60, 1, 0.5);
       return equivalence(d.a, d.b, {}, 0.5, 0.05).equivalent;
     }},
    {"TOST of clusters says equivalent on the margin", 0.05, 0.005, false,
     [](Stream& s) {
       const Differences d = drawn_differences(s, 30, 3, 0.5);
       return equivalence(d.a, d.b, d.cluster, 0.5, 0.05).equivalent;
     }},
    {"normal TOST with a known error says equivalent on the margin", 0.05, 0, false, [](Stream& s) { return tost(0.3 + 0.05 * s.normal(), 0.05, 0.3, 0.05).equivalent; }},
    {"Holm refutes one of ten true", 0.05, 0, true, [](Stream& s) { return any_below(holm(p_values(s, 10, 3)), 10, 0.05); }},
    {"Benjamini and Hochberg's discovery is false", 0.075, 0, false, false_discovery},
    {"interval of sampled questions misses the population", 0.05, 0.006, false, misses_population},
    {"percentile bootstrap of 60 pairs misses the difference", 0.05, 0.012, false, misses_bootstrap},
    {"confidence sequence ever misses the share", 0.1, 0, true, leaves_sequence},
};

// Monte-Carlo error: four standard errors, so that a right method fails one run in 16,000.
void check_promises(int draws) {
  std::uint64_t seed = 4000;
  for (const Promise& promise : kPromises) {
    int hits = 0;
    ++seed;
    for (int i = 0; i < draws; ++i) {
      Stream stream(seed, static_cast<std::uint64_t>(i));
      hits += promise.happens(stream) ? 1 : 0;
    }
    const double share = static_cast<double>(hits) / draws, error = 4 * std::sqrt(promise.nominal * (1 - promise.nominal) / draws);
    INFO(promise.name << ": " << share << ", nominal " << promise.nominal << (promise.at_most ? " at most" : ""));
    if (draws > 10'000) WARN(promise.name << ": " << share << ", nominal " << promise.nominal << (promise.at_most ? " at most" : ""));
    CHECK(share <= promise.nominal + promise.slack + error);
    CHECK(share > (promise.at_most ? 0.0 : promise.nominal - promise.slack - error));
  }
}

TEST_CASE("statistics draws: some data sets for each interval and test") { check_promises(2000); }
TEST_CASE("statistics draws: many data sets for each interval and test", "[.long]") { check_promises(100'000); }

}  // namespace
