// Claims about a threshold or a difference: "at least", and "lossless within" between two models.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/binomial.h"
#include "base/stats/equivalence.h"
#include "base/stats/exact.h"
#include "base/stats/normal.h"
#include "base/stats/proportion.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay::verdict {
namespace {

constexpr double kOneSidedZ =
    1.6448536269514722;             // 95 % quantile: 90 % intervals go with two one-sided 5 % tests
constexpr double kRounding = 1e-9;  // relative slack for sums of decimal fractions

void start(const Case& one, const Measurement& part, Draft& draft) {
  Verdict& v = draft.verdict;
  v.scale = scale_of(one.claim, part.score == Score::share);
  v.published = one.claim.figure().value;
  v.run_id = one.main->run_id;
  if (one.against) v.against_run_id = one.against->run_id;
  v.level = 0.90;
}

void set_interval(Verdict& v, double value, std::optional<double> se) {
  v.measured = v.scale * value;
  v.fixed = Bounds{v.scale * value, v.scale * value};
  if (se) v.population = Bounds{v.scale * (value - kOneSidedZ * *se), v.scale * (value + kOneSidedZ * *se)};
}

struct RunSides {
  double above = 1, below = 1;  // p of "at most the threshold", small: shown above; and the other way round
};

RunSides sides_of_share(std::int64_t right, std::int64_t n, double threshold) {
  const double t = std::clamp(threshold, 0.0, 1.0);
  return {stats::binomial_test(right, n, t, stats::Alternative::greater),
          stats::binomial_test(right, n, t, stats::Alternative::less)};
}

RunSides sides_of_pairs(const Pairs& pairs, double threshold) {
  const auto n = static_cast<std::int64_t>(pairs.a.size());
  if (!(threshold > -1 && threshold < 1)) return {1, 0};
  return {stats::difference_exceeds_p(pairs.gained, pairs.lost, n, threshold),
          stats::difference_exceeds_p(pairs.lost, pairs.gained, n, -threshold)};
}

RunSides sides_of_mean(double value, std::optional<double> se, double threshold) {
  if (!se || !(*se > 0)) return {};
  const long double z = (static_cast<long double>(value) - threshold) / *se;
  return {static_cast<double>(stats::normal_cdf(-z)), static_cast<double>(stats::normal_cdf(z))};
}

std::string what(const Case& one) {
  const Claim& c = one.claim;
  const std::string suite = c.subset.empty() ? c.suite : c.suite + "/" + c.subset;
  if (!one.against) return fmt::format("{} under {} on {}", one.main->model, one.main->protocol, suite);
  const bool models = one.against->model != one.main->model;
  return models ? fmt::format("{} less {} on {} under {}", one.main->model, one.against->model, suite,
                              one.main->protocol)
                : fmt::format("{} less {} on {}", one.main->protocol, one.against->protocol, suite);
}

double per_item_sd(const Verdict& v) {
  if (!v.population) return 0;
  return (v.population->high - v.population->low) / (2 * kOneSidedZ) * std::sqrt(static_cast<double>(v.n));
}

void plan(Verdict& v, double distance) {
  const std::int64_t n = items_for_margin(per_item_sd(v), distance);
  v.next = n > 0 ? fmt::format("about {} items like these would decide it (one-sided 5 %, power 80 %)", n)
                 : "the measured difference lies on the claimed limit: no number of items decides it";
  v.hangs_on = "how the items were drawn: on other items of this kind the answer may differ";
}

// With no item changed the standard error is 0 and says nothing: then the exact limit on the share of changed items speaks.
stats::Tost equivalence(const Pairs& pairs, const stats::MeanError& d, Score score, double margin) {
  if (score == Score::share && pairs.gained + pairs.lost == 0) {
    const double p = std::pow(1 - std::min(margin, 1.0), static_cast<double>(pairs.a.size()));
    return {p, p < kAlpha};
  }
  return stats::tost(d.mean, d.se.value_or(0), margin, kAlpha);
}

}  // namespace

Draft examine_threshold(const Case& one) {
  ASSAY_CHECK(one.main.has_value());
  Draft draft;
  Verdict& v = draft.verdict;
  const Measurement part = of_subset(*one.main, one.claim.subset);
  start(one, part, draft);
  const double threshold = v.published / v.scale;
  const bool is_share = part.score == Score::share;
  RunSides sides;
  if (one.against) {
    const Pairs pairs = pair_up(of_subset(*one.against, one.claim.subset), part);
    v.n = static_cast<std::int64_t>(pairs.a.size());
    if (v.n == 0) return draft;
    const stats::MeanError d = difference_of(pairs, part.score);
    set_interval(v, d.mean, d.se);
    v.test = is_share ? "paired-exact" : "normal";
    sides = is_share ? sides_of_pairs(pairs, threshold) : sides_of_mean(d.mean, d.se, threshold);
  } else {
    const Summary ours = summarise(part);
    v.n = ours.n;
    if (v.n == 0) return draft;
    set_interval(v, ours.value, ours.se);
    v.test = is_share ? "binomial-exact" : "normal";
    sides = is_share ? sides_of_share(ours.right, ours.n, threshold)
                     : sides_of_mean(ours.value, ours.se, threshold);
  }
  draft.matches = prints_as(*v.measured, one.claim.figure(), 0);
  draft.items_hold = *v.measured >= v.published - kRounding * std::fabs(v.published);
  const bool equals = one.claim.relation == Relation::equals;
  v.p = equals ? std::min(1.0, 2 * std::min(sides.above, sides.below)) : sides.above;
  draft.p_below = sides.below;
  return draft;
}

void settle_threshold(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.speaks_of = "population";
  const bool equals = one.claim.relation == Relation::equals;
  const bool shown_above = *v.p < kAlpha, shown_below = draft.p_below < kAlpha;
  if (equals) {
    v.outcome = draft.matches            ? Outcome::reproduced
                : *v.p_adjusted < kAlpha ? Outcome::contradicted
                                         : Outcome::undecided;
    if (draft.matches) v.speaks_of = "items";
  } else {
    v.outcome = shown_above ? Outcome::reproduced : shown_below ? Outcome::contradicted : Outcome::undecided;
  }
  const std::string range = v.population ? fmt::format("the 90 % interval {} to {}", shown(v.population->low),
                                                       shown(v.population->high))
                                         : std::string("no interval");
  v.reason = fmt::format(
      "on these very items {} is {}{}, {} the claimed {}{}; for the population of such items {} {}",
      what(one), signed_shown(*v.measured), unit_of(v.scale),
      equals             ? (draft.matches ? "which prints as" : "not")
      : draft.items_hold ? "at least"
                         : "less than",
      equals ? "" : "at least ", one.claim.published(), range,
      v.outcome == Outcome::undecided
          ? "leaves it open"
          : fmt::format("says the same (p = {:.2g})",
                        v.outcome == Outcome::contradicted ? draft.p_below : *v.p));
  if (v.outcome == Outcome::undecided) plan(v, (*v.measured - v.published));
}

Draft examine_within(const Case& one) {
  ASSAY_CHECK(one.main.has_value() && one.against.has_value());
  Draft draft;
  Verdict& v = draft.verdict;
  const Measurement part = of_subset(*one.main, one.claim.subset);
  start(one, part, draft);
  const Pairs pairs = pair_up(of_subset(*one.against, one.claim.subset), part);
  v.n = static_cast<std::int64_t>(pairs.a.size());
  v.margin = v.published;
  v.margin_origin = "claimed";
  if (v.n == 0) return draft;
  const stats::MeanError d = difference_of(pairs, part.score);
  set_interval(v, d.mean, d.se);
  v.test = "tost";
  v.p = equivalence(pairs, d, part.score, v.published / v.scale).p;
  draft.p_below = d.se && *d.se > 0 ? 1 - *v.p : (std::fabs(d.mean) <= v.published / v.scale ? 1.0 : 0.0);
  draft.items_hold = std::fabs(*v.measured) <= v.published * (1 + kRounding) + 1e-12;
  draft.distance.off = pairs.gained;
  draft.distance.near_ties = pairs.lost;
  return draft;
}

void settle_within(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.speaks_of = "population";
  v.outcome = *v.p < kAlpha            ? Outcome::reproduced
              : draft.p_below < kAlpha ? Outcome::contradicted
                                       : Outcome::undecided;
  const std::string flips =
      v.scale == 100 || v.test == "tost"
          ? fmt::format(" ({} gained, {} lost)", draft.distance.off, draft.distance.near_ties)
          : std::string();
  const std::string verdict = v.outcome == Outcome::reproduced     ? "lies inside"
                              : v.outcome == Outcome::contradicted ? "lies outside"
                                                                   : "does not decide";
  const std::string range = v.population
                                ? fmt::format("the 90 % interval {} to {}", signed_shown(v.population->low),
                                              signed_shown(v.population->high))
                                : std::string("a single item");
  v.reason = fmt::format(
      "on these very items {} is {}{}{}, {} the margin of {}; for the population of such items {} {} (two "
      "one-sided tests at 5 %, p = {:.2g})",
      what(one), signed_shown(*v.measured), v.scale == 100 ? " points" : "", flips,
      draft.items_hold ? "within" : "outside", one.claim.published(), range, verdict, *v.p);
  if (v.outcome == Outcome::undecided) plan(v, v.published - std::fabs(*v.measured));
}

}  // namespace assay::verdict
