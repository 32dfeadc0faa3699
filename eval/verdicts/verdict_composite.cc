// Claims whose figure joins several measurements. Everything is normal: the parts have hundreds of items, and the error of a sum is what counts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/stats/equivalence.h"
#include "base/stats/normal.h"
#include "eval/claims/metric_names.h"
#include "eval/verdicts/composite.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay::verdict {
namespace {

constexpr double kCompositePower = 0.8;
constexpr double kSumNoise = 1e-9;  // relative: of sums of decimal fractions

bool shares(const Case& one) {
  return std::all_of(one.parts.begin(), one.parts.end(), [](const CasePart& part) { return is_share_metric(part.asked.metric); });
}

bool lacks_a_part(const Case& one) {
  return std::any_of(one.parts.begin(), one.parts.end(), [](const CasePart& part) { return !part.measured || part.measured->items.empty(); });
}

bool has_drawn_part(const Case& one) {
  return std::any_of(one.parts.begin(), one.parts.end(), [](const CasePart& part) {
    return part.measured && part.measured->of_items && *part.measured->of_items > static_cast<std::int64_t>(part.measured->items.size());
  });
}

// The other side of a difference comes with the sign turned.
std::vector<WeightedPart> weighted(std::span<const CasePart> parts) {
  std::vector<WeightedPart> out;
  for (const CasePart& part : parts) {
    if (part.measured && !part.measured->items.empty()) out.push_back({&*part.measured, part.weight});
    if (part.against && !part.against->items.empty()) out.push_back({&*part.against, -part.weight});
  }
  return out;
}

double gap_of_range(const Figure& figure, double scale, double low, double high) {
  const double least = figure.low / scale, most = figure.high / scale;
  return high < least ? least - high : low > most ? low - most : 0;
}

double p_of_gap(double gap, const std::optional<double>& se) {
  if (!(gap > 0)) return 1;
  return se && *se > 0 ? static_cast<double>(stats::normal_two_sided_p(gap / *se)) : 1;
}

// Whether the claim names the numbers of items, and whether they are ours.
enum class Stated { no, ours, others };

Stated stated_items(const Case& one) {
  bool all = true;
  for (const CasePart& part : one.parts) {
    if (!part.asked.n) all = false;
    else if (!part.asked.macro && part.measured && *part.asked.n != static_cast<std::int64_t>(part.measured->items.size())) return Stated::others;
  }
  return all ? Stated::ours : Stated::no;
}

// What the claim's own items add to the variance where they are not ours.
double their_variance(const Case& one, const CompositeEstimate& estimate) {
  double variance = 0;
  std::size_t place = 0;
  for (const CasePart& part : one.parts) {
    if (!part.measured || part.measured->items.empty()) continue;
    const PartEstimate& own = estimate.parts[place++];
    if (!part.asked.n || !own.se || *part.asked.n == own.n) continue;
    variance += std::pow(part.weight * *own.se, 2) * static_cast<double>(own.n) / static_cast<double>(*part.asked.n);
  }
  return variance;
}

// Ends of what the whole can be where a part was not measured: nothing or everything of it right.
Bounds reach(const Case& one, const CompositeEstimate& estimate) {
  double missing = 0;
  for (const CasePart& part : one.parts) missing += part.measured && !part.measured->items.empty() ? 0 : part.weight;
  return {estimate.value, estimate.value + missing};
}

std::string name_of_part(const CasePart& part) {
  return part.asked.subset.empty() || part.asked.macro ? part.asked.suite : part.asked.suite + "/" + part.asked.subset;
}

// One line of the claim: its parts (a macro average has one a sub-task) as one figure.
std::string group_words(const Case& one, std::size_t group, double scale) {
  std::vector<CasePart> parts;
  double weight = 0;
  for (const CasePart& part : one.parts) {
    if (part.group == group) parts.push_back(part), weight += part.weight;
  }
  ASSAY_CHECK(!parts.empty() && weight > 0);
  const CasePart& first = parts.front();
  if (!first.measured || first.measured->items.empty()) return fmt::format("{}: not measured", name_of_part(first));
  for (CasePart& part : parts) part.weight /= weight, part.against.reset();
  const CompositeEstimate whole = estimate_composite(weighted(parts));
  const std::string tasks = first.asked.macro ? fmt::format("mean of {} sub-tasks, ", parts.size()) : "";
  const std::string of = has_drawn_part(one) && first.measured->of_items ? ", a drawn part" : "";
  return fmt::format("{} under {} {}{} on {} items ({}{}{})", name_of_part(first), first.protocol, shown(scale * whole.value), unit_of(scale), whole.n, tasks,
                     first.measured->metric, of);
}

std::size_t groups_of(const Case& one) { return one.parts.empty() ? 0 : one.parts.back().group + 1; }

std::string all_words(const Case& one, const Verdict& v) {
  std::string parts;
  double first = 0;
  bool even = true;
  for (std::size_t g = 0; g < groups_of(one); ++g) {
    double weight = 0;
    for (const CasePart& part : one.parts) weight += part.group == g ? part.weight : 0;
    if (g == 0) first = weight;
    even = even && std::fabs(weight - first) < 1e-12;
    parts += (g == 0 ? "" : "; ") + group_words(one, g, v.scale);
  }
  const std::string model = one.claim.model;
  if (groups_of(one) == 1) return fmt::format("{} on {}", model, parts);
  const std::string value = v.measured ? fmt::format("gives {}{}", shown(*v.measured), unit_of(v.scale)) : std::string("was measured in part");
  return fmt::format("{} {}, the {} of {} parts ({})", model, value, even ? "mean" : "weighted mean", groups_of(one), parts);
}

std::string missing_words(const Case& one) {
  std::string out;
  for (const CasePart& part : one.parts) {
    if (part.measured && !part.measured->items.empty()) continue;
    const std::string why = !part.missing.empty() ? part.missing : part.measured ? "none of its items could be judged" : "it was not run";
    out += (out.empty() ? "" : "; ") + fmt::format("{}: {}", name_of_part(part), why);
  }
  return out;
}

// So many items, in the proportions of ours, would show the measured difference.
void plan_proportions(const Case& one, const CompositeEstimate& estimate, double gap, Verdict& v) {
  if (!estimate.se || !(*estimate.se > 0) || !(gap > 0)) return;
  const auto z = static_cast<double>(stats::normal_critical_value(kAlpha) + stats::normal_critical_value(1 - kCompositePower));
  const double wanted = std::ceil(static_cast<double>(v.n) * std::pow(z * *estimate.se / gap, 2));
  if (!(wanted < 1e9)) return;
  v.next_items = static_cast<std::int64_t>(wanted);
  double seconds = 0;
  for (const CasePart& part : one.parts) {
    if (part.measured && part.measured->seconds_per_item) seconds += *part.measured->seconds_per_item * static_cast<double>(part.measured->items.size());
  }
  if (seconds > 0) v.next_seconds = seconds * wanted / static_cast<double>(v.n);
  v.next = fmt::format("about {} items in these proportions would decide it (one-sided 5 %, power 80 %)", *v.next_items);
}

void keep_parts(const Case& one, Verdict& v) {
  for (const CasePart& part : one.parts) {
    VerdictPart row{.suite = part.asked.suite, .protocol = part.protocol, .metric = part.asked.metric, .subset = part.asked.subset, .weight = part.weight,
                    .missing = part.missing};
    if (part.measured && !part.measured->items.empty()) {
      const WeightedPart alone{&*part.measured, 1};
      const CompositeEstimate own = estimate_composite(std::span(&alone, 1));
      row.measured = v.scale * own.value, row.n = own.n, row.of_items = part.measured->of_items, row.run_id = part.measured->run_id;
      if (own.se) row.se = v.scale * *own.se;
      if (part.against) row.against_run_id = part.against->run_id;
    }
    v.parts.push_back(std::move(row));
  }
}

void set_bounds(const CompositeEstimate& estimate, double level, Verdict& v) {
  const auto z = static_cast<double>(stats::normal_critical_value((1 - level) / 2));
  v.level = level;
  v.fixed = Bounds{v.scale * (estimate.value - estimate.ties), v.scale * (estimate.value + estimate.ties)};
  if (estimate.se) v.population = Bounds{v.scale * (estimate.value - z * *estimate.se), v.scale * (estimate.value + z * *estimate.se)};
}

void examine_threshold_of(const Case& one, const CompositeEstimate& estimate, Draft& draft) {
  Verdict& v = draft.verdict;
  set_bounds(estimate, 0.90, v);
  const double limit = v.published / v.scale, se = estimate.se.value_or(0);
  draft.items_hold = *v.measured >= v.published - kSumNoise * std::fabs(v.published);
  if (one.claim.relation == Relation::within) {
    v.test = "composite-tost", v.margin = v.published, v.margin_origin = "claimed";
    v.p = se > 0 ? stats::tost(estimate.value, se, limit, kAlpha).p : 1;
    draft.p_below = 1 - *v.p;
    draft.items_hold = std::fabs(*v.measured) <= v.published * (1 + kSumNoise);
    return;
  }
  v.test = "composite-normal";
  const long double z = se > 0 ? (estimate.value - limit) / se : 0;
  v.p = static_cast<double>(stats::normal_cdf(-z));
  draft.p_below = static_cast<double>(stats::normal_cdf(z));
}

const CaseWay* way_that_gives(const Case& one, double scale) {
  for (const CaseWay& way : one.ways) {
    const std::vector<WeightedPart> parts = weighted(way.parts);
    if (parts.size() == way.parts.size() && !parts.empty() && prints_as(scale * estimate_composite(parts).value, one.claim.figure(), 0)) return &way;
  }
  return nullptr;
}

void settle_missing(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  const bool against = v.p && *v.p_adjusted < kAlpha;
  v.speaks_of = "population";
  v.outcome = against ? Outcome::contradicted : Outcome::undecided;
  if (v.n == 0) {
    v.test = "none";
    v.reason = fmt::format("nothing was measured for {}: {}", one.claim.model, missing_words(one));
  } else if (against) {
    v.reason = fmt::format("{}; whatever the rest gives, the whole is not {} (p = {:.2g}). Not measured: {}", all_words(one, v), one.claim.published(), *v.p_adjusted, missing_words(one));
  } else {
    v.reason = fmt::format("{}, which leaves {} open. Not measured: {}", all_words(one, v), one.claim.published(), missing_words(one));
  }
  if (!against) v.hangs_on = "the parts that were not measured", v.next = "make what is missing available and run it";
}

void settle_drawn(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  std::int64_t rest = 0;
  double seconds = 0;
  std::vector<std::int64_t> seen;
  for (const CasePart& part : one.parts) {
    if (!part.measured->of_items || std::find(seen.begin(), seen.end(), part.measured->run_id.value_or(0)) != seen.end()) continue;
    if (!part.asked.macro) seen.push_back(part.measured->run_id.value_or(0));  // two metrics of one run wait for the same items
    const std::int64_t left = std::max<std::int64_t>(0, *part.measured->of_items - static_cast<std::int64_t>(part.measured->items.size()));
    rest += left;
    seconds += part.measured->seconds_per_item.value_or(0) * static_cast<double>(left);
  }
  const bool against = *v.p_adjusted < kAlpha;
  v.speaks_of = "population";
  v.outcome = against ? Outcome::contradicted : Outcome::undecided;
  v.reason = fmt::format("{}: such a draw {} {} on all of them (p = {:.2g})", all_words(one, v), against ? "is too unlikely if it were" : "agrees with", one.claim.published(), *v.p_adjusted);
  if (against) return;
  v.hangs_on = fmt::format("the {} items that were not asked", rest);
  v.next = fmt::format("the other {} items decide it", rest);
  v.next_items = rest;
  if (seconds > 0) v.next_seconds = seconds;
}

void settle_figure(const Case& one, const CompositeEstimate& estimate, Draft& draft) {
  Verdict& v = draft.verdict;
  const std::string words = all_words(one, v);
  const double off = gap_of_range(one.claim.figure(), v.scale, estimate.value, estimate.value);
  if (draft.matches || off <= estimate.ties) {
    v.outcome = Outcome::reproduced;
    v.reason = fmt::format("on these very items {}, which {} {}", words, draft.matches ? "prints as" : "is within near ties of", one.claim.published());
    return;
  }
  if (const CaseWay* way = way_that_gives(one, v.scale)) {
    v.outcome = Outcome::protocol_mismatch;
    v.holds_under = way->label, v.holds_under_run_id = way->parts.front().measured->run_id;
    v.reason = fmt::format("on these very items {}, not {}; the claimed figure is what {} gives", words, one.claim.published(), way->label);
    v.hangs_on = fmt::format("whether {} was meant", way->label);
    v.next = "ask which protocol gave the figure";
    return;
  }
  const Stated stated = stated_items(one);
  const bool contradicted = *v.p_adjusted < kAlpha;
  v.speaks_of = "population";
  const std::string distance = fmt::format("{}{} off", shown(v.scale * off), v.scale == 100 ? " points" : "");
  if (contradicted) {
    v.outcome = Outcome::contradicted;
    v.reason = fmt::format("{}, not {}: {}, more than chance explains for such items (p = {:.2g})", words, one.claim.published(), distance, *v.p_adjusted);
    return;
  }
  const bool fixed = stated == Stated::ours && !(off <= estimate.coarse_ties || !estimate.margins_known);
  v.outcome = fixed ? Outcome::contradicted : Outcome::undecided;
  v.reason = fmt::format("{}, not {}: {}{}; for such items that is within noise (p = {:.2g})", words, one.claim.published(), distance,
                         fixed ? " on these very items, and near ties do not explain it" : "", *v.p_adjusted);
  if (fixed) {
    v.speaks_of = "items";
    return;
  }
  v.hangs_on = stated == Stated::others  ? "which items were asked: the claim's numbers of items are not ours"
               : stated == Stated::ours ? "the number format in which the claimant computed: coarse arithmetic can move that many close decisions"
                                        : fmt::format("whether the figure was taken on all {} items: the claim does not say how many", v.n);
  plan_proportions(one, estimate, off, v);
}

void settle_limit(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.speaks_of = "population";
  v.outcome = *v.p < kAlpha ? Outcome::reproduced : draft.p_below < kAlpha ? Outcome::contradicted : Outcome::undecided;
  const char* relation = one.claim.relation == Relation::within ? (draft.items_hold ? "within" : "outside") : draft.items_hold ? "at least" : "less than";
  const std::string range = v.population ? fmt::format("the 90 % interval {} to {}", shown(v.population->low), shown(v.population->high)) : std::string("no interval");
  v.reason = fmt::format("on these very items {}{}: {} the claimed {}; for the population of such items {} {} (p = {:.2g})", all_words(one, v),
                         one.claim.against.empty() ? "" : fmt::format(", {}{} more than {}", signed_shown(*v.measured), unit_of(v.scale), one.claim.against), relation,
                         one.claim.published(), range, v.outcome == Outcome::undecided ? "leaves it open" : "says the same",
                         v.outcome == Outcome::contradicted ? draft.p_below : *v.p);
  if (v.outcome == Outcome::undecided) v.hangs_on = "how the items were drawn: on other items of this kind the answer may differ";
}

}  // namespace

Draft examine_composite(const Case& one) {
  ASSAY_CHECK(!one.parts.empty());
  Draft draft;
  Verdict& v = draft.verdict;
  v.scale = scale_of(one.claim, shares(one));
  v.published = one.claim.figure().value;
  keep_parts(one, v);
  const std::vector<WeightedPart> parts = weighted(one.parts);
  if (parts.empty()) return draft;
  const bool lacks = lacks_a_part(one), difference = !one.claim.against.empty();
  const CompositeEstimate estimate = estimate_composite(parts, has_drawn_part(one));
  v.n = estimate.n;
  for (const CasePart& part : one.parts) {
    if (!v.run_id && part.measured) v.run_id = part.measured->run_id;
    if (!v.against_run_id && part.against) v.against_run_id = part.against->run_id;
  }
  const bool plain = one.claim.relation == Relation::equals && !difference;
  if (lacks && (!plain || !shares(one))) return draft;  // nothing bounds the rest
  v.margin = (one.claim.figure().high - one.claim.figure().low) / 3;
  v.margin_origin = "rounding";
  v.test = "composite-normal";
  const Bounds ends = lacks ? reach(one, estimate) : Bounds{estimate.value, estimate.value};
  std::optional<double> se = estimate.se;
  if (se) se = std::sqrt(*se * *se + their_variance(one, estimate));
  v.p = p_of_gap(gap_of_range(one.claim.figure(), v.scale, ends.low, ends.high), se);
  if (lacks) return draft;
  v.measured = v.scale * estimate.value;
  if (one.claim.relation != Relation::equals) {
    examine_threshold_of(one, estimate, draft);
    return draft;
  }
  const bool drawn = has_drawn_part(one);
  set_bounds(drawn ? estimate_composite(parts) : estimate, 0.95, v);
  if (drawn) v.fixed.reset();  // the other items of the suite are what the figure is about
  draft.matches = prints_as(*v.measured, one.claim.figure(), kSumNoise * std::fabs(*v.measured));
  return draft;
}

void settle_composite(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  if (lacks_a_part(one) || !v.measured) return settle_missing(one, draft);
  if (one.claim.relation != Relation::equals) return settle_limit(one, draft);
  if (has_drawn_part(one)) return settle_drawn(one, draft);
  settle_figure(one, estimate_composite(weighted(one.parts)), draft);
}

}  // namespace assay::verdict
