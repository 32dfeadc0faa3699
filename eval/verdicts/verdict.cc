#include "eval/verdicts/verdict.h"

#include <fmt/format.h>

#include <cmath>

#include "base/check.h"
#include "base/stats/multiple.h"
#include "eval/verdicts/verdict_figures.h"

namespace assay {
namespace verdict {
namespace {

struct Count {
  const char* name;
  std::optional<std::int64_t> value;
};

// Which count a figure of a parameter claim speaks of: the metric says, or the first is the total and the second the active one.
Count count_of(const Case& one, std::size_t place) {
  const std::string& metric = one.claim.metric;
  if (metric.find("active") != std::string::npos || place == 1) return {"active", one.counts.active};
  if (metric.find("stored") != std::string::npos) return {"stored", one.counts.stored};
  return {"total", one.counts.total};
}

bool count_prints(std::int64_t count, const Figure& figure) {
  const auto value = static_cast<double>(count);
  const bool exact =
      figure.decimal.digits == 0 && std::fabs(figure.high - figure.low) < 2;  // all digits are printed
  return exact ? value == figure.value : prints_as(value, figure, 0);
}

// Another count of the same model that the figure fits: a different rule of counting.
const char* other_count(const Case& one, const Figure& figure, const char* claimed) {
  const Count all[] = {
      {"stored", one.counts.stored}, {"total", one.counts.total}, {"active", one.counts.active}};
  for (const Count& c : all) {
    if (std::string_view(c.name) != claimed && c.value && count_prints(*c.value, figure)) return c.name;
  }
  return nullptr;
}

void settle_parameters(const Case& one, Draft& draft) {
  Verdict& v = draft.verdict;
  v.outcome = Outcome::reproduced;
  for (std::size_t i = 0; i < one.claim.figures.size(); ++i) {
    const Figure& figure = one.claim.figures[i];
    const Count count = count_of(one, i);
    if (!count.value) {
      v.outcome = Outcome::undecided;
      v.reason += fmt::format("{}{} parameters were not counted", i ? "; " : "", count.name);
      v.next = "inspect the model's files";
      continue;
    }
    const bool holds = count_prints(*count.value, figure);
    v.reason += fmt::format("{}{} {} parameters are counted from the tensors, {} {}", i ? "; " : "",
                            *count.value, count.name, holds ? "as claimed:" : "not", figure.text);
    if (holds || v.outcome == Outcome::contradicted) continue;
    const char* other = other_count(one, figure, count.name);
    v.outcome = other ? Outcome::protocol_mismatch : Outcome::contradicted;
    if (other)
      v.holds_under = other,
      v.hangs_on = fmt::format("what was counted: the figure is that of the {} parameters", other);
  }
}

}  // namespace

Draft examine_parameters(const Case& one) {
  Draft draft;
  Verdict& v = draft.verdict;
  v.published = one.claim.figure().value;
  const Count count = count_of(one, 0);
  if (count.value) {
    const auto value = static_cast<double>(*count.value);
    v.measured = value;
    v.fixed = Bounds{value, value};
  }
  v.n = 1;
  v.test = "count";
  v.speaks_of = "weights";
  settle_parameters(one, draft);
  return draft;
}

namespace {

enum class Kind { equals, threshold, within, parameters, unmeasured, impossible, sampled, part, reported, composite };

bool is_part(const Measurement& m) { return m.of_items && *m.of_items > static_cast<std::int64_t>(m.items.size()); }

Kind kind_of_figure(const Case& one) {
  if (one.main->sampled()) return Kind::sampled;
  return is_part(*one.main) ? Kind::part : Kind::equals;
}

Kind kind_of(const Case& one) {
  const Claim& c = one.claim;
  if (c.about_parameters) return Kind::parameters;
  if (!beyond_scale(one).empty()) return Kind::impossible;
  if (!c.parts.empty()) return Kind::composite;
  if (!one.main && !no_count_prints(c).empty()) return Kind::impossible;
  if (!one.main) return c.reported && c.relation == Relation::equals && (c.n || one.suite_items) ? Kind::reported : Kind::unmeasured;
  if (!c.against.empty() && !one.against) return Kind::unmeasured;
  if (c.relation == Relation::within) return one.against ? Kind::within : Kind::unmeasured;
  return c.relation == Relation::at_least || one.against ? Kind::threshold : kind_of_figure(one);
}

Draft unmeasured(const Case& one) {
  Draft draft;
  draft.verdict.published = one.claim.figure().value;
  draft.verdict.scale = scale_of(one.claim, true);
  return draft;
}

void settle_unmeasured(const Case& one, Verdict& v) {
  v.outcome = Outcome::undecided;
  v.test = "none";
  v.reason = fmt::format("nothing was measured for {} on {}{}{}", one.claim.model, one.claim.suite,
                         one.claim.subset.empty() ? "" : "/" + one.claim.subset, one.missing.empty() ? "" : ": " + one.missing);
  v.next = "run the suite with this model, and with what the claim compares it to";
}

void settle_beyond(const Case& one, Verdict& v) {
  v.outcome = Outcome::impossible;
  const std::string beyond = beyond_scale(one);
  v.test = beyond.empty() ? "count" : "scale";
  v.reason = beyond.empty() ? no_count_prints(one.claim) : beyond;
  v.next = "ask what the figure is of";
}

Draft examine(const Case& one) {
  switch (kind_of(one)) {
    case Kind::sampled:
      return examine_sampled(one);
    case Kind::part:
      return examine_part(one);
    case Kind::composite:
      return examine_composite(one);
    case Kind::reported:
      return examine_reported(one);
    case Kind::equals:
      return examine_equals(one);
    case Kind::threshold:
      return examine_threshold(one);
    case Kind::within:
      return examine_within(one);
    case Kind::parameters:
      return examine_parameters(one);
    case Kind::impossible:
    case Kind::unmeasured:
      break;
  }
  return unmeasured(one);
}

void settle(const Case& one, Draft& draft) {
  const Kind kind = kind_of(one);
  if (kind == Kind::parameters) return;
  if (kind == Kind::impossible) return settle_beyond(one, draft.verdict);
  if (kind == Kind::reported) return settle_reported(one, draft);
  if (kind == Kind::composite) return settle_composite(one, draft);
  if (kind == Kind::unmeasured || draft.verdict.n == 0) return settle_unmeasured(one, draft.verdict);
  if (kind == Kind::equals) return settle_equals(one, draft);
  if (kind == Kind::sampled) return settle_sampled(one, draft);
  if (kind == Kind::part) return settle_part(one, draft);
  kind == Kind::within ? settle_within(one, draft) : settle_threshold(one, draft);
}

void adjust(std::vector<Draft>& drafts) {
  std::vector<double> p;
  for (const Draft& d : drafts) {
    if (d.verdict.p) p.push_back(*d.verdict.p);
  }
  if (p.empty()) return;
  const std::vector<double> adjusted = stats::holm(p);
  std::size_t next = 0;
  for (Draft& d : drafts) {
    if (d.verdict.p) d.verdict.p_adjusted = adjusted[next++];
  }
  ASSAY_CHECK(next == adjusted.size());
}

}  // namespace
}  // namespace verdict

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::reproduced:
      return "reproduced";
    case Outcome::contradicted:
      return "contradicted";
    case Outcome::protocol_mismatch:
      return "protocol-mismatch";
    case Outcome::impossible:
      return "impossible";
    case Outcome::undecided:
      break;
  }
  return "undecided";
}

std::vector<Verdict> decide(std::span<const Case> cases) {
  std::vector<verdict::Draft> drafts;
  for (const Case& one : cases) {
    drafts.push_back(verdict::examine(one));
    drafts.back().verdict.claim_id = one.claim.id;
  }
  verdict::adjust(drafts);
  std::vector<Verdict> out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    verdict::settle(cases[i], drafts[i]);
    verdict::note_conditions(cases[i], drafts[i].verdict);
    ASSAY_CHECK(!drafts[i].verdict.reason.empty());
    out.push_back(std::move(drafts[i].verdict));
  }
  return out;
}

bool wants_other_protocols(const Case& one) {
  if (verdict::kind_of(one) == verdict::Kind::composite) {
    const verdict::Draft draft = verdict::examine_composite(one);
    return draft.verdict.measured && one.claim.relation == Relation::equals && !draft.matches;
  }
  if (verdict::kind_of(one) != verdict::Kind::equals) return false;
  const verdict::Draft draft = verdict::examine_equals(one);
  return draft.verdict.n > 0 && !draft.matches;
}

}  // namespace assay
