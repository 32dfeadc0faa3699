// Figures that average several answers to each question, measured here or printed by somebody else.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/normal.h"
#include "base/stats/sampling.h"
#include "eval/claims/claim_conflicts.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay::verdict {
namespace {

constexpr double kMostSamples = 1e6;   // a claim that says nothing may have drawn any number
constexpr double kPower = 0.8;
constexpr double kWidest = 0.25;       // largest variance of an answer that is right or wrong

struct Answers {
  double value = 0, se = 0, within = 0, n = 0, per_item = 0;  // se: of ours on these questions; within: variance of one answer, mean over questions
  std::optional<double> se_population;
};

Answers answers_of(const Measurement& part) {
  std::vector<std::int64_t> samples, right;
  double drawn = 0;
  for (const MeasuredItem& item : part.items) {
    samples.push_back(item.samples);
    right.push_back(std::llround(item.value * static_cast<double>(item.samples)));
    drawn += static_cast<double>(item.samples);
  }
  const stats::Sampling s = stats::sampling_variance(samples, right);
  ASSAY_CHECK(s.se_fixed && s.sampling_variance);
  const auto n = static_cast<double>(samples.size());
  return {.value = s.mean, .se = *s.se_fixed, .within = *s.sampling_variance, .n = n, .per_item = drawn / n, .se_population = s.se_population};
}

// With no answer that differs from its question's others the estimate is 0 and says nothing: then the widest variance speaks.
double variance_of_theirs(const Answers& a, double samples) { return (a.within > 0 ? a.within : kWidest) / (a.n * samples); }

double two_sided(double gap, const Answers& a, double samples) {
  if (!(gap > 0)) return 1;
  return static_cast<double>(stats::normal_two_sided_p(gap / std::sqrt(a.se * a.se + variance_of_theirs(a, samples))));
}

double gap_of(const Figure& figure, double scale, double value) {
  const double low = figure.low / scale, high = figure.high / scale;
  return value < low ? low - value : value > high ? value - high : 0;
}

double fewest(const Claim& claim) { return claim.samples_low ? static_cast<double>(*claim.samples_low) : 1; }
double most(const Claim& claim) { return claim.samples_high ? static_cast<double>(*claim.samples_high) : kMostSamples; }

// Fewest answers of theirs from which the gap contradicts at `alpha`.
std::optional<std::int64_t> deciding(double gap, const Answers& a, double low, double high, double alpha) {
  if (!(two_sided(gap, a, high) < alpha)) return std::nullopt;
  while (high - low > 0.5) {
    const double middle = std::floor((low + high) / 2);
    if (middle <= low) break;
    (two_sided(gap, a, middle) < alpha ? high : low) = middle;
  }
  return static_cast<std::int64_t>(high);
}

std::string printed_samples(const Claim& claim) {
  if (!claim.samples_low) return "the claim does not say";
  if (claim.samples) return fmt::format("printed: {}", *claim.samples);
  return fmt::format("printed: {} to {}", *claim.samples_low, *claim.samples_high);
}

// Answers to each question, on both sides, that would show the measured difference.
void plan_samples(const Case& one, const Answers& a, Verdict& v) {
  const double difference = std::fabs(*v.measured - v.published) / v.scale;
  if (!(difference > 0)) return;
  const auto z = static_cast<double>(stats::normal_critical_value(kAlpha / 2) + stats::normal_critical_value(1 - kPower));
  const double wanted = std::ceil(2 * variance_of_theirs(a, 1) * z * z / (difference * difference));
  if (!(wanted < kMostSamples)) return;
  price_next(*one.main, {}, std::max<std::int64_t>(1, static_cast<std::int64_t>(wanted)), v);
  v.next = fmt::format("{} answers to each of these {} questions, theirs and ours, would show a difference of {}{} (5 %, power 80 %)", *v.next_samples, v.n,
                       shown(difference * v.scale), unit_of(v.scale));
}

std::string what_was_said(const Case& one, const Answers& a, const Verdict& v) {
  return fmt::format("{}, {:.3g} answers each", said(one, v), a.per_item);
}

}  // namespace

Draft examine_sampled(const Case& one) {
  ASSAY_CHECK(one.main && one.main->sampled());
  Draft draft;
  Verdict& v = draft.verdict;
  const Measurement part = of_subset(*one.main, one.claim.subset);
  v.scale = scale_of(one.claim, true);
  v.published = one.claim.figure().value;
  v.n = static_cast<std::int64_t>(part.items.size());
  v.run_id = one.main->run_id;
  if (v.n == 0) return draft;
  const Answers a = answers_of(part);
  const auto z = static_cast<double>(stats::normal_critical_value((1 - v.level) / 2));
  const double gap = gap_of(one.claim.figure(), v.scale, a.value);
  v.measured = v.scale * a.value;
  v.fixed = Bounds{v.scale * (a.value - z * a.se), v.scale * (a.value + z * a.se)};
  if (a.se_population) v.population = Bounds{v.scale * (a.value - z * *a.se_population), v.scale * (a.value + z * *a.se_population)};
  v.margin = (one.claim.figure().high - one.claim.figure().low) / 3;
  v.margin_origin = "rounding";
  v.test = "sampling-normal";
  v.p = two_sided(gap, a, fewest(one.claim));
  draft.p_most = two_sided(gap, a, most(one.claim));
  draft.matches = gap == 0;
  draft.from_samples = deciding(gap, a, fewest(one.claim), most(one.claim), kAlpha);
  if (one.claim.margin) {
    const double se = std::sqrt(a.se * a.se + variance_of_theirs(a, fewest(one.claim)));
    draft.p_margin = static_cast<double>(stats::normal_cdf((std::fabs(a.value - v.published / v.scale) - *one.claim.margin / v.scale) / se));
  }
  ASSAY_CHECK(draft.p_most <= *v.p);
  return draft;
}

void settle_sampled(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  const Answers a = answers_of(of_subset(*one.main, one.claim.subset));
  const double together = *v.p > 0 ? *v.p_adjusted / *v.p : 1;  // what Holm asks of this claim
  const bool contradicted = *v.p_adjusted < kAlpha, could_contradict = std::min(1.0, draft.p_most * together) < kAlpha;
  const std::string on = what_was_said(one, a, v);
  if (draft.matches || draft.p_margin < kAlpha) {
    v.outcome = Outcome::reproduced;
    v.reason = draft.matches ? fmt::format("on these very questions {}, which prints as {}", on, one.claim.published())
                             : fmt::format("on these very questions {}, shown to lie within {} of {} (p = {:.2g}; {})", on, *one.claim.margin, one.claim.published(), draft.p_margin,
                                           one.claim.margin_origin);
    if (!draft.matches) v.margin = one.claim.margin, v.margin_origin = one.claim.margin_origin;
    return;
  }
  v.outcome = contradicted ? Outcome::contradicted : Outcome::undecided;
  if (contradicted) {
    v.reason = fmt::format("on these very questions {}, not {}: more than drawing other answers explains (p = {:.2g})", on, one.claim.published(), *v.p_adjusted);
    return;
  }
  v.reason = fmt::format("on these very questions {}, not {}: {}", on, one.claim.published(),
                         could_contradict ? "whether drawing other answers explains it hangs on how many were drawn" : fmt::format("drawing other answers may explain it (p = {:.2g})", draft.p_most));
  if (could_contradict) {
    v.hangs_on = fmt::format("how many answers to each question the claimant drew ({}){}", printed_samples(one.claim),
                             draft.from_samples ? fmt::format(": contradicted from {} on, undecided below", *draft.from_samples) : "");
  } else {
    v.hangs_on = fmt::format("how many answers to each question the claimant drew ({})", printed_samples(one.claim));
  }
  plan_samples(one, a, v);
  if (v.next.empty()) v.next = "ask how many answers were drawn, or for the answers";
}

namespace {

SampledFigure sampled(const Figure& figure, double scale, std::optional<std::int64_t> low, std::optional<std::int64_t> high, const std::string& who) {
  const double points = 100 / scale;
  const std::string printed = !low ? "" : *low == *high ? fmt::format("{}", *low) : fmt::format("{} to {}", *low, *high);
  return {.value = figure.value * points, .half_unit = (figure.high - figure.low) / 3 * points, .samples_low = low, .samples_high = high, .who = who, .printed = printed};
}

SamplingTest reported_test(const Case& one) {
  const Claim& c = one.claim;
  const double scale = scale_of(c, true);
  const std::int64_t items = c.n ? *c.n : *one.suite_items;
  return sampling_test(sampled(c.figure(), scale, c.samples_low, c.samples_high, c.claimant.empty() ? "the claimant" : c.claimant),
                       sampled(*c.reported, scale, c.reported_samples_low, c.reported_samples_high, c.reported_by.empty() ? "the other side" : c.reported_by), items);
}

}  // namespace

Draft examine_reported(const Case& one) {
  ASSAY_CHECK(one.claim.reported && (one.claim.n || one.suite_items));
  Draft draft;
  Verdict& v = draft.verdict;
  v.scale = scale_of(one.claim, true);
  v.published = one.claim.figure().value;
  v.measured = one.claim.reported->value;
  v.n = one.claim.n ? *one.claim.n : *one.suite_items;
  v.test = "sampling-bound";
  v.margin = (one.claim.figure().high - one.claim.figure().low) / 3;
  v.margin_origin = "rounding";
  v.p = reported_test(one).p_fewest;
  return draft;
}

void settle_reported(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  const SamplingTest test = reported_test(one);
  const std::string who = one.claim.reported_by.empty() ? "somebody else" : one.claim.reported_by;
  const std::string both = fmt::format("nothing was run here; {} prints {} where {} is claimed, on {} questions", who, one.claim.reported->text, one.claim.published(), v.n);
  v.outcome = *v.p_adjusted < kAlpha ? Outcome::contradicted : Outcome::undecided;
  if (v.outcome == Outcome::contradicted) {
    v.reason = fmt::format("{}: drawing other answers does not explain it (at least {:.1f} standard errors, p = {:.2g})", both, test.z_fewest, *v.p_adjusted);
    v.hangs_on = "whether both asked under one protocol: one of the two figures does not hold under the other's";
  } else if (test.verdict == "undecided") {
    v.reason = fmt::format("{}: drawing other answers may explain it (the bound gives {:.1f} standard errors, p = {:.2g})", both, test.z_most, test.p_most);
    v.hangs_on = "how many answers to each question were drawn: with so few the bound cannot tell";
  } else {
    v.reason = fmt::format("{}: between {:.1f} and {:.1f} standard errors, as the number of answers is", both, test.z_fewest, test.z_most);
    v.hangs_on = test.hangs_on + (test.from_samples ? fmt::format(": contradicted from {} on, undecided below", *test.from_samples) : "");
  }
  v.next = "run the suite with this model, or ask for the answers";
}

}  // namespace assay::verdict
