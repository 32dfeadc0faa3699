// What can be said before anything else: figures beyond their scale, figures that no count gives, and runs of a part of the items.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/exact.h"
#include "base/stats/normal.h"
#include "base/stats/proportion.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay {

bool Measurement::sampled() const {
  return !items.empty() && std::all_of(items.begin(), items.end(), [](const MeasuredItem& item) { return item.samples > 1; });
}

namespace verdict {
namespace {

constexpr std::int64_t kMostCounts = 2000;  // counts that print as one figure; a coarse figure of a large suite has more, its ends then speak

std::string part_words(const Verdict& v, std::int64_t of) { return fmt::format("a drawn part of {} of its {} items", v.n, of); }

// Largest p over the counts of all items that print as the figure: ours are drawn from them without replacement.
double part_p(const Figure& figure, double scale, const Summary& ours, std::int64_t of) {
  std::int64_t first = figure.right, last = figure.right;
  if (figure.right < 0) {
    const auto counts = stats::possible_counts(figure.decimal, of, static_cast<std::int64_t>(scale));
    first = counts.possible ? counts.first : counts.nearest.front(), last = counts.possible ? counts.last : counts.nearest.front();
  }
  const auto at = [&](std::int64_t marked) { return stats::hypergeometric_test(ours.right, ours.n, std::clamp<std::int64_t>(marked, 0, of), of); };
  double best = std::max(at(first), at(last));
  const std::int64_t like_ours = std::clamp<std::int64_t>(std::llround(ours.value * static_cast<double>(of)), first, std::max(first, last));
  best = std::max(best, at(like_ours));
  for (std::int64_t marked = first; marked <= std::min(last, first + kMostCounts); ++marked) best = std::max(best, at(marked));
  return best;
}

double part_normal_p(const Figure& figure, const Summary& ours, std::int64_t of) {
  const double gap = ours.value < figure.low ? figure.low - ours.value : ours.value > figure.high ? ours.value - figure.high : 0;
  const double left = 1 - static_cast<double>(ours.n) / static_cast<double>(of);  // finite population
  if (!(gap > 0) || !ours.se) return 1;
  const double se = *ours.se * std::sqrt(left);
  return se > 0 ? static_cast<double>(stats::normal_two_sided_p(gap / se)) : 1;
}

}  // namespace

std::string said(const Case& one, const Verdict& v) {
  const std::string where = one.claim.subset.empty() ? one.claim.suite : one.claim.suite + "/" + one.claim.subset;
  return fmt::format("{} under {} gives {}{} on {} items of {}", one.main->model, one.main->protocol, shown(*v.measured), unit_of(v.scale), v.n, where);
}

std::string beyond_scale(const Case& one) {
  const Claim& c = one.claim;
  if (c.relation != Relation::equals || !c.against.empty() || c.about_parameters) return {};
  const bool own = c.scale_low || c.scale_high;
  const std::optional<double> low = own ? c.scale_low : one.scale_low, high = own ? c.scale_high : one.scale_high;
  const bool fractions = !own && high == 100.0 && scale_of(c, true) == 1;  // the list of benchmarks speaks of percent
  const double factor = fractions ? 100 : 1;
  const std::string source = own ? "as the claim itself says" : one.scale_source;
  if (high && c.figure().low * factor > *high)
    return fmt::format("{} lies beyond the scale of {}, which ends at {}{}", c.published(), c.suite, *high, source.empty() ? "" : " (" + source + ")");
  if (low && c.figure().high * factor <= *low && c.figure().value * factor < *low)
    return fmt::format("{} lies below the scale of {}, which begins at {}{}", c.published(), c.suite, *low, source.empty() ? "" : " (" + source + ")");
  return {};
}

std::string no_count_prints(const Claim& c) {
  static constexpr const char* kCounted[] = {"accuracy", "exact_match", "acc", "pass@1", "strict_prompt", "loose_prompt"};
  const bool counted = std::any_of(std::begin(kCounted), std::end(kCounted), [&](const char* name) { return c.metric == name; });
  // Without a number of samples an average of answers has any denominator.
  if (!counted || !c.n || (c.metric == "pass@1" && !c.samples) || c.samples_low != c.samples_high) return {};
  if (c.figure().right >= 0 || c.relation != Relation::equals || !c.against.empty()) return {};
  const std::int64_t total = *c.n * std::min<std::int64_t>(c.samples.value_or(1), 1000);
  if (stats::possible_counts(c.figure().decimal, total, static_cast<std::int64_t>(scale_of(c, true))).possible) return {};
  return fmt::format("no count of right answers out of {}{} prints as {}, whether rounded half up, half to even or cut off", *c.n,
                     c.samples ? fmt::format(" x {} samples", *c.samples) : "", c.published());
}

void price_next(const Measurement& measured, std::optional<std::int64_t> items, std::optional<std::int64_t> samples, Verdict& v) {
  v.next_items = items, v.next_samples = samples;
  double answers = 1;
  for (const MeasuredItem& item : measured.items) answers = std::max(answers, static_cast<double>(item.samples));
  const double units = items ? static_cast<double>(*items) : static_cast<double>(*samples) * static_cast<double>(measured.items.size()) / answers;
  if (measured.seconds_per_item) v.next_seconds = units * *measured.seconds_per_item;
  if (measured.usd_per_item) v.next_usd = units * *measured.usd_per_item;
}

Draft examine_part(const Case& one) {
  ASSAY_CHECK(one.main && one.main->of_items);
  Draft draft;
  Verdict& v = draft.verdict;
  const Measurement part = of_subset(*one.main, one.claim.subset);
  const Summary ours = summarise(part);
  const bool share = part.score == Score::share;
  v.scale = scale_of(one.claim, share);
  v.published = one.claim.figure().value;
  v.n = ours.n;
  v.run_id = one.main->run_id;
  // Of a sub-task it is not known how many items the whole suite has: the pool is then taken as in proportion.
  if (v.n == 0) return draft;
  const std::int64_t of = std::max(v.n, *one.main->of_items);
  v.measured = v.scale * ours.value;
  const auto z = static_cast<double>(stats::normal_critical_value((1 - v.level) / 2));
  if (share) {
    const auto interval = stats::clopper_pearson(ours.right, ours.n, v.level);
    v.population = Bounds{v.scale * interval.low, v.scale * interval.high};
  } else if (ours.se) {
    v.population = Bounds{ours.value - z * *ours.se, ours.value + z * *ours.se};
  }
  v.margin = (one.claim.figure().high - one.claim.figure().low) / 3;
  v.margin_origin = "rounding";
  v.test = share ? "hypergeometric-part" : "normal-part";
  v.p = share ? part_p(one.claim.figure(), v.scale, ours, of) : part_normal_p(one.claim.figure(), ours, of);
  return draft;
}

void settle_part(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.speaks_of = "population";
  const std::int64_t of = *one.main->of_items, rest = std::max<std::int64_t>(0, of - v.n);
  const bool against = *v.p_adjusted < kAlpha;
  v.outcome = against ? Outcome::contradicted : Outcome::undecided;
  v.reason = fmt::format("{}, {}: {} {} on all of them (p = {:.2g})", said(one, v), part_words(v, of), against ? "such a draw is too unlikely if it were" : "such a draw agrees with",
                         one.claim.published(), *v.p_adjusted);
  if (against) return;
  v.hangs_on = fmt::format("the {} items that were not asked", rest);
  price_next(*one.main, rest, {}, v);
  v.next = fmt::format("the other {} items decide it", rest);
}

}  // namespace verdict
}  // namespace assay
