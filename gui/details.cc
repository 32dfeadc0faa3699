#include "gui/details.h"

#include <fmt/format.h>

#include <algorithm>

#include "gui/format.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

std::optional<Span> span_of(MaybeReal low, MaybeReal high) {
  return low && high ? std::optional(Span{*low, *high}) : std::nullopt;
}

// A difference of percentages is told in points.
const char* unit_of(const ClaimRow& claim) {
  if (claim.scale != 100) return "";
  return claim.relation == "within" || !claim.against.empty() ? " points" : " %";
}

// A line that leads to a run's items; a click makes it run A.
void run_link(const Store& store, State& state, const char* label, MaybeId id, const Fonts& fonts) {
  if (!id) return;
  fact(label, run_name(store, id), fonts, Tone::first);
  if (ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
  if (!ImGui::IsItemClicked()) return;
  state.selection.run_a = id;
  state.go(Place::items);
}

void draw_verdict_line(const ClaimRow& claim, const Fonts& fonts) {
  ImGui::PushFont(fonts.title);
  draw_cell(verdict_cell(claim.verdict), Column{}, fonts);
  ImGui::PopFont();
  if (!claim.reason.empty()) draw_wrapped(claim.reason, colour::kText, fonts.text);
}

void draw_figures(const ClaimRow& claim, const Fonts& fonts) {
  const int decimals = claim_decimals(claim);
  const auto percent = fmt::format("{} %", number(claim.level.value_or(0.95) * 100, 0));
  heading(fmt::format("Figures, intervals at {}", percent), fonts);
  fact("published", claim_published(claim), fonts);
  fact("measured", claim_measured(claim), fonts);
  if (claim.fixed_low) fact("on these items", interval(claim.fixed_low, claim.fixed_high, decimals), fonts);
  if (claim.population_low)
    fact("on the population", interval(claim.population_low, claim.population_high, decimals), fonts);
  if (claim.n) fact("n", count(claim.n), fonts);
  if (claim.claimed_n) fact("n as claimed", count(claim.claimed_n), fonts);
  if (claim.margin)
    fact("margin", fmt::format("{}  ({})", number(claim.margin, decimals), claim.margin_origin), fonts);
  fact("test", claim.test, fonts);
  if (claim.p) fact("p", probability(claim.p), fonts);
  if (claim.p_adjusted) fact("p adjusted", probability(claim.p_adjusted), fonts);
  fact("speaks of", claim.speaks_of, fonts);
}

void draw_settings(const RunRow& run, const Fonts& fonts) {
  heading("Settings", fonts);
  fact("recipe", run.recipe, fonts);
  fact("kernels", run.kernel_set, fonts);
  fact("backend", run.backend, fonts);
  fact("sampling", run.sampling_json, fonts);
  if (run.seed) fact("seed", std::to_string(*run.seed), fonts);
  if (run.limit_items) fact("limit", count(run.limit_items) + " items", fonts);
  fact("device", run.device, fonts);
  if (run.threads) fact("threads", count(run.threads), fonts);
  fact("outputs", run.outputs, fonts);
  fact("started", run.started_at_utc, fonts);
  heading("Digests", fonts);
  fact("weights", short_digest(run.weights_digest), fonts);
  fact("tokenizer", short_digest(run.tokenizer_digest), fonts);
  fact("suite", short_digest(run.suite_digest), fonts);
  fact("protocol", short_digest(run.protocol_digest), fonts);
  fact("run", short_digest(run.identity), fonts);
}

void draw_subsets(const Store& store, const RunRow& run, const Fonts& fonts) {
  const auto subsets = subset_rows(store.database, run.id);
  if (!subsets.ok() || subsets->size() < 2) return;
  heading("Subsets", fonts);
  for (const SubsetRow& row : *subsets) {
    fact(row.subset.empty() ? "(none)" : row.subset,
         fmt::format("{}   n {}", score(row.score, run.metric), count(row.n)), fonts);
  }
}

}  // namespace

std::optional<Span> spoken_interval(const ClaimRow& claim) {
  const auto fixed = span_of(claim.fixed_low, claim.fixed_high);
  const auto population = span_of(claim.population_low, claim.population_high);
  if (claim.speaks_of == "items") return fixed ? fixed : population;
  return population ? population : fixed;
}

int claim_decimals(const ClaimRow& claim) {
  const int printed = decimals_of(claim.published);
  return claim.suite.empty() ? printed : std::min(printed + 1, 6);  // counts have no further digit
}

std::string claim_published(const ClaimRow& claim) {
  const std::string printed = one_line(claim.published, 24) + unit_of(claim);
  if (claim.relation == "at-least") return "at least " + printed;
  if (claim.relation == "within") return "within " + printed;
  return printed;
}

std::string claim_measured(const ClaimRow& claim) {
  if (!claim.measured) return kUnknown;
  return number(claim.measured, claim_decimals(claim)) + unit_of(claim);
}

std::string claim_where(const ClaimRow& claim) {
  std::string where = claim.suite;
  if (!claim.protocol.empty()) where += (where.empty() ? "" : " / ") + claim.protocol;
  if (!claim.subset.empty()) where += " [" + claim.subset + "]";
  return where.empty() ? "weights" : where;
}

std::string run_where(const RunRow& run) { return run.suite + " / " + run.protocol; }

std::string run_name(const Store& store, MaybeId id) {
  if (!id) return {};
  const RunRow* run = store.run(id);
  return run == nullptr ? fmt::format("#{}", *id)
                        : fmt::format("#{} {} {} {}", run->id, run->model, run->suite, run->protocol);
}

Tone audit_tone(const RunRow& run) {
  if (run.seen < run.expected || run.malformed > 0 || run.duplicated > 0) return Tone::bad;
  return run.unextractable + run.truncated + run.fallback + run.harness_faults > 0 ? Tone::open : Tone::good;
}

std::string audit_text(const RunRow& run) {
  std::string text;
  const auto add = [&](std::int64_t amount, const char* what) {
    if (amount > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count(amount), what);
  };
  add(std::max<std::int64_t>(0, run.expected - run.seen), "missing");
  add(run.malformed, "malformed");
  add(run.duplicated, "duplicated");
  add(run.truncated, "truncated");
  add(run.unextractable, "no answer");
  add(run.fallback, "by fallback");
  add(run.harness_faults, "harness faults");
  return text.empty() ? "clean" : text;
}

void draw_claim(const Store& store, State& state, const ClaimRow& claim, const Fonts& fonts) {
  draw_verdict_line(claim, fonts);
  heading("Claim", fonts);
  draw_wrapped(claim.text, colour::kText, fonts.text);
  fact("id", claim.key, fonts);
  fact("claimant", claim.claimant, fonts);
  fact("model", claim.model, fonts);
  fact("about", claim_where(claim), fonts);
  fact("metric", claim.metric, fonts);
  fact("against", claim.against, fonts);
  fact("source", claim.source, fonts, Tone::soft);
  draw_figures(claim, fonts);
  if (!claim.hangs_on.empty() || !claim.next.empty()) heading("What it hangs on", fonts);
  fact("hangs on", claim.hangs_on, fonts);
  fact("next", claim.next, fonts);
  if (claim.run_id) heading("Runs", fonts);
  run_link(store, state, "measured", claim.run_id, fonts);
  run_link(store, state, "against", claim.against_run_id, fonts);
  run_link(store, state, "holds under", claim.holds_under_run_id, fonts);
}

void draw_run(const Store& store, State& state, const RunRow& run, const Fonts& fonts) {
  ImGui::PushFont(fonts.title);
  draw_wrapped(score(run.score, run.metric), colour::kText, fonts.title);
  ImGui::PopFont();
  draw_wrapped(fmt::format("{} of {}, {}", run.metric, run.model, run_where(run)), colour::kSoft, fonts.text);
  if (pill("items", "Open items", colour::kRaised, colour::kAccent, fonts)) {
    state.selection.run_a = run.id;
    state.go(Place::items);
  }
  heading("Score", fonts);
  fact("95 % interval", score_interval(run.low, run.high, run.metric), fonts);
  fact("n", count(run.n), fonts);
  fact("right / wrong",
       fmt::format("{} / {}{}", count(run.correct), count(run.wrong),
                   run.unjudged > 0 ? fmt::format(", {} not judged", count(run.unjudged)) : ""),
       fonts);
  fact("audit", audit_text(run), fonts, audit_tone(run));
  fact("seen", fmt::format("{} of {} expected", count(run.seen), count(run.expected)), fonts);
  if (run.router_ties > 0) fact("router ties", count(run.router_ties) + " decisions closer than 1e-5", fonts);
  heading("Cost", fonts);
  if (run.tokens_asked) fact("tokens asked", count(run.tokens_asked), fonts);
  if (run.tokens_computed) fact("computed", count(run.tokens_computed), fonts);
  if (run.tokens_generated) fact("generated", count(run.tokens_generated), fonts);
  if (run.seconds) fact("time", seconds(run.seconds), fonts);
  if (run.cost_usd)
    fact("cost", fmt::format("{} at {}/{}", dollars(run.cost_usd), dollars(run.usd_per_hour), run.price_unit),
         fonts);
  draw_subsets(store, run, fonts);
  draw_settings(run, fonts);
}

Evidence claim_evidence(const ClaimRow& claim) {
  return {
      fmt::format("Verdicts on {}", claim.key),
      fmt::format(
          "SELECT v.id, v.verdict, v.published, v.measured, v.n, v.test, v.p, v.fixed_low, v.fixed_high,\n"
          "       v.population_low, v.population_high, v.speaks_of, v.run_id, r.items_seen,\n"
          "       (SELECT sum(correct) FROM item_result WHERE run_id = v.run_id) AS correct\n"
          "FROM verdict v LEFT JOIN run r ON r.id = v.run_id\nWHERE v.claim_id = {} ORDER BY v.id DESC",
          claim.id)};
}

Evidence run_evidence(const RunRow& run) {
  return {
      fmt::format("Score of run {}", run.id),
      fmt::format("SELECT i.subset, count(*) AS n, sum(r.correct) AS correct, avg(r.score) AS mean_score,\n"
                  "       sum(r.extracted IS NULL) AS nothing_extracted, sum(r.router_ties) AS router_ties\n"
                  "FROM item_result r JOIN item i ON i.id = r.item_id\nWHERE r.run_id = {} GROUP BY i.subset "
                  "ORDER BY i.subset",
                  run.id)};
}

}  // namespace assay::gui
