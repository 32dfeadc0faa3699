// Claims that print a score: is this the score of these items, of such items, or of another protocol?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/exact.h"
#include "base/stats/normal.h"
#include "base/stats/power.h"
#include "base/stats/proportion.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay::verdict {
namespace {

constexpr double kFloatNoise = 1e-5;   // relative; two float32 engines on summed log-probabilities
constexpr double kCoarseNoise = 5e-3;  // relative; bfloat16 or an 8-bit fork
constexpr double kLevel = 0.95;

bool same_items(const Claim& claim, std::int64_t n) { return !claim.n || *claim.n == n; }

// Largest p over the values that print as the figure: the null is the whole rounding interval.
double binomial_p(const Figure& figure, double scale, std::int64_t right, std::int64_t n) {
  const double low = std::clamp(figure.low / scale, 0.0, 1.0),
               high = std::clamp(figure.high / scale, 0.0, 1.0);
  const double share = static_cast<double>(right) / static_cast<double>(n);
  if (share >= low && share <= high) return 1;
  return stats::binomial_test(right, n, share < low ? low : high, stats::Alternative::two_sided);
}

// The figure is of `of` items, ours of n: are they draws from one pool? With fewer items than ours theirs are taken as part of ours.
double pool_p(const Figure& figure, double scale, std::int64_t of, std::int64_t right, std::int64_t n) {
  std::int64_t first = figure.right, last = figure.right;
  if (figure.right < 0) {
    const auto counts = stats::possible_counts(figure.decimal, of, static_cast<std::int64_t>(scale));
    first = counts.first;
    last = counts.last;
  }
  double best = 0;
  for (std::int64_t k = first; k <= std::min(last, first + 2000); ++k) {
    const bool part = of < n;
    const double p = part ? stats::hypergeometric_test(k, of, right, n)
                          : stats::hypergeometric_test(k, of, right + k, n + of);
    best = std::max(best, p);
  }
  return best;
}

// Two-sided p of a mean or ratio against the printed interval; a figure on fewer of our items has its own error beside.
double normal_p(const Figure& figure, const Summary& ours, std::optional<std::int64_t> of) {
  if (prints_as(ours.value, figure, kFloatNoise * std::fabs(ours.value))) return 1;
  const double gap = ours.value < figure.low ? figure.low - ours.value : ours.value - figure.high;
  double variance = ours.se ? *ours.se * *ours.se : 0;
  if (of && *of != ours.n) {
    const double ratio = static_cast<double>(ours.n) / static_cast<double>(*of);
    variance *= ratio > 1 ? ratio - 1 : 1 + ratio;  // part of ours: n/m - 1; others: both errors
  }
  return variance > 0 ? static_cast<double>(stats::normal_two_sided_p(gap / std::sqrt(variance))) : 0;
}

bool claimed_count_is_possible(const Claim& claim, double scale, bool is_share) {
  if (!is_share || !claim.n || claim.figure().right >= 0) return true;
  const std::int64_t total = *claim.n * std::min<std::int64_t>(claim.samples.value_or(1), 1000);
  return stats::possible_counts(claim.figure().decimal, total, static_cast<std::int64_t>(scale)).possible;
}

bool gives_figure(const Measurement& other, const Claim& claim) {
  const Measurement part = of_subset(other, claim.subset);
  if (part.items.empty() || !same_items(claim, static_cast<std::int64_t>(part.items.size()))) return false;
  const double scale = scale_of(claim, part.score == Score::share);
  if (part.score == Score::share) return distance_of_share(part, claim.figure(), scale).prints;
  const double value = summarise(part).value;
  return prints_as(value, claim.figure(), kFloatNoise * std::fabs(value));
}

const Measurement* other_that_gives(const Case& one) {
  for (const Measurement& other : one.others) {
    if (other.protocol != one.claim.protocol && gives_figure(other, one.claim)) return &other;
  }
  return nullptr;
}

void measure_share(const Case& one, const Measurement& part, const Summary& ours, Draft& draft) {
  Verdict& v = draft.verdict;
  const Claim& claim = one.claim;
  const auto interval = stats::clopper_pearson(ours.right, ours.n, kLevel);
  draft.distance = distance_of_share(part, claim.figure(), v.scale);
  draft.matches = draft.distance.prints;
  const double ties = static_cast<double>(draft.distance.near_ties) / static_cast<double>(ours.n);
  v.fixed = Bounds{v.scale * std::max(0.0, ours.value - ties), v.scale * std::min(1.0, ours.value + ties)};
  v.population = Bounds{v.scale * interval.low, v.scale * interval.high};
  if (same_items(claim, ours.n)) {
    v.test = "binomial-exact";
    v.p = binomial_p(claim.figure(), v.scale, ours.right, ours.n);
  } else {
    v.test = "hypergeometric-exact";
    v.p = pool_p(claim.figure(), v.scale, *claim.n, ours.right, ours.n);
  }
}

void measure_real(const Case& one, const Summary& ours, Draft& draft) {
  Verdict& v = draft.verdict;
  const double noise = kFloatNoise * std::fabs(ours.value);
  const auto z = static_cast<double>(stats::normal_critical_value((1 - kLevel) / 2));
  draft.matches = prints_as(ours.value, one.claim.figure(), noise);
  v.test = "normal";
  v.p = normal_p(one.claim.figure(), ours, one.claim.n);
  v.fixed = Bounds{ours.value - noise, ours.value + noise};
  if (ours.se) v.population = Bounds{ours.value - z * *ours.se, ours.value + z * *ours.se};
}

// How many items would tell the figure from what was measured, in words; empty where no number does.
std::string plan(const Case& one, Verdict& v) {
  const double p0 = v.published / v.scale, p1 = *v.measured / v.scale;
  if (v.test == "normal") {
    const double se = v.population ? (v.population->high - v.population->low) / (2 * 1.959963984540054) : 0;
    const std::int64_t n =
        items_for_margin(se * std::sqrt(static_cast<double>(v.n)), v.published - *v.measured);
    if (n <= 0) return "";
    price_next(*one.main, n, {}, v);
    return fmt::format("about {} items would decide it (one-sided 5 %, power 80 %)", n);
  }
  if (!(p0 >= 0 && p0 <= 1) || p0 == p1) return "";
  const auto side = p1 > p0 ? stats::Alternative::greater : stats::Alternative::less;
  const auto n = stats::sample_size(p0, p1, kAlpha, 0.8, side);
  if (!n.ok()) return "";
  price_next(*one.main, *n, {}, v);
  return fmt::format("{} items would decide it (exact, one-sided 5 %, power 80 %)", *n);
}

void settle_other_items(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.speaks_of = "population";
  const bool against = *v.p_adjusted < kAlpha;
  v.outcome = against ? Outcome::contradicted : Outcome::undecided;
  v.reason = fmt::format(
      "{}, and the claim's {}{} is of {} items that are not ours: for such items the two {} (p = {:.2g})",
      said(one, v), one.claim.published(), unit_of(v.scale), *one.claim.n,
      against ? "do not agree" : "agree with each other and with much else", *v.p_adjusted);
  if (against) return;
  v.hangs_on = fmt::format("which {} items were asked: their ids are not published", *one.claim.n);
  v.next = plan(one, v);
  if (v.next.empty()) v.next = "ask for the ids of the items, or for the figure on all of them";
}

void settle_impossible(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.outcome = Outcome::impossible;
  v.reason = fmt::format(
      "no count of right answers out of {}{} prints as {}, whether rounded half up, half to even or cut off; "
      "on our items {}",
      *one.claim.n, one.claim.samples ? fmt::format(" x {} samples", *one.claim.samples) : "",
      one.claim.published(), said(one, v));
}

void settle_mismatch(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.outcome = Outcome::protocol_mismatch;
  v.holds_under = draft.holds_under->protocol;
  v.holds_under_run_id = draft.holds_under->run_id;
  v.reason = fmt::format("on these very items {}, not {}; the claimed figure is what {} gives", said(one, v),
                         one.claim.published(), v.holds_under);
  v.hangs_on = one.claim.protocol.empty() ? "the protocol, which the claim does not name"
                                          : fmt::format("whether {} was meant where {} is written",
                                                        v.holds_under, one.claim.protocol);
  v.next = "ask which protocol gave the figure";
}

// On the same items the figure is not met: is it noise for such items, or the claimant's arithmetic, or simply not true?
void settle_off(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  const Distance& d = draft.distance;
  const bool is_share = v.test != "normal";
  const std::string off = is_share ? fmt::format("{} items off", d.off)
                                   : fmt::format("off by {}", shown(std::fabs(*v.measured - v.published)));
  if (*v.p_adjusted < kAlpha) {
    v.outcome = Outcome::contradicted;
    v.speaks_of = "population";
    v.reason = fmt::format(
        "{}, not {}: {} on these very items, more than chance explains for such items (p = {:.2g}), and no "
        "other protocol measured gives it",
        said(one, v), one.claim.published(), off, *v.p_adjusted);
    return;
  }
  const std::int64_t coarse =
      d.margins_known ? d.coarse_ties : v.n / 100;  // unknown margins of generations: 1 % of the items
  const bool arithmetic = is_share
                              ? d.off <= coarse
                              : std::fabs(*v.measured - v.published) < kCoarseNoise * std::fabs(*v.measured);
  const bool stated = one.claim.n.has_value();
  v.outcome = stated && !arithmetic ? Outcome::contradicted : Outcome::undecided;
  v.reason = fmt::format(
      "{}, not {}: {} on these very items{}; for the population of such items that is within noise (p = "
      "{:.2g})",
      said(one, v), one.claim.published(), off,
      v.outcome == Outcome::contradicted ? ", and near ties do not explain it" : "", *v.p_adjusted);
  if (v.outcome == Outcome::contradicted) return;
  v.speaks_of = "population";
  v.hangs_on =
      stated
          ? "the number format in which the claimant computed: coarse arithmetic can move that many close "
            "decisions"
          : fmt::format("whether the figure was taken on all {} items: the claim does not say how many", v.n);
  v.next = plan(one, v);
}

}  // namespace

Draft examine_equals(const Case& one) {
  ASSAY_CHECK(one.main.has_value());
  Draft draft;
  Verdict& v = draft.verdict;
  const Measurement part = of_subset(*one.main, one.claim.subset);
  const Summary ours = summarise(part);
  const bool is_share = part.score == Score::share;
  v.scale = scale_of(one.claim, is_share);
  v.published = one.claim.figure().value;
  v.n = ours.n;
  v.run_id = one.main->run_id;
  if (ours.n == 0) return draft;
  v.measured = v.scale * ours.value;
  v.margin = (one.claim.figure().high - one.claim.figure().low) /
             3;  // half a printed unit: the interval has 1.5 of them
  v.margin_origin = "rounding";
  is_share ? measure_share(one, part, ours, draft) : measure_real(one, ours, draft);
  if (!draft.matches) draft.holds_under = other_that_gives(one);
  draft.possible = claimed_count_is_possible(one.claim, v.scale, is_share);
  return draft;
}

void settle_equals(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  if (!draft.possible) return settle_impossible(one, draft);
  if (!same_items(one.claim, v.n)) return settle_other_items(one, draft);
  if (draft.matches || (draft.distance.off > 0 && draft.distance.off <= draft.distance.near_ties)) {
    v.outcome = Outcome::reproduced;
    v.reason = fmt::format("on these very items {}, which {} {}", said(one, v),
                           draft.matches ? "prints as" : "is within near ties of", one.claim.published());
    return;
  }
  if (draft.holds_under != nullptr) return settle_mismatch(one, draft);
  if (one.claim.margin && std::fabs(*v.measured - v.published) <= *one.claim.margin * (1 + kFloatNoise)) {
    v.outcome = Outcome::reproduced;
    v.margin = one.claim.margin, v.margin_origin = one.claim.margin_origin;
    v.reason = fmt::format("on these very items {}, within {} of {} ({})", said(one, v), *v.margin, one.claim.published(), v.margin_origin);
    return;
  }
  settle_off(one, draft);
}

}  // namespace assay::verdict
