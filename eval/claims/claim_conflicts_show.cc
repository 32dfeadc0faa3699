// How contradictions of the published record are printed.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/claims/claim_conflicts.h"

namespace assay {
namespace {

Json some(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json side(const LedgerClaim* claim) {
  if (claim == nullptr) return nullptr;
  const PrintedProtocol p = printed_protocol(*claim);
  return {{"id", claim->id},
          {"claimant", claim->claimant},
          {"kind", name_of(claim->kind)},
          {"value", claim->score},
          {"dependence", name_of(claim->dependence)},
          {"source", claim->source.text()},
          {"protocol",
           {{"shots", some(p.shots)}, {"metric", some(p.metric)}, {"window", some(p.window)}, {"mode", some(p.mode)}, {"samples", some(p.samples)}, {"harness", some(p.harness)}}}};
}

Json sampling_json(const SamplingTest& test) {
  return {{"verdict", test.verdict.empty() ? "undecided" : test.verdict},
          {"z_fewest", finite_or_null(test.z_fewest)},
          {"z_most", finite_or_null(test.z_most)},
          {"p_fewest", test.p_fewest},
          {"p_most", test.p_most},
          {"contradicted_from_samples", test.from_samples ? Json(*test.from_samples) : Json(nullptr)},
          {"hangs_on", some(test.hangs_on)}};
}

std::string spoken(const LedgerClaim& claim) {
  return fmt::format("{} {}{} ({})", claim.score, claim.claimant, claim.dependence == Dependence::quoted ? ", quoted" : "", claim.source.text());
}

std::string explanation(const Conflict& c) {
  const std::string by = c.difference.explained_by();
  std::string out = by.empty() ? "no printed field explains it" : by == "kind" ? "nothing but who measured differs" : fmt::format("explained by {}", fmt::join(c.difference.differs, ", "));
  if (!c.difference.unknown.empty()) out += fmt::format("; only one side prints {}", fmt::join(c.difference.unknown, ", "));
  return out;
}

std::string sampling_words(const SamplingTest& test) {
  if (test.verdict == "contradicted") return fmt::format("sampling does not explain it (z at least {:.1f})", test.z_fewest);
  if (test.verdict == "undecided") return fmt::format("sampling may explain it (z at most {:.1f})", test.z_most);
  const std::string from = test.from_samples ? fmt::format(": contradicted from {} on", *test.from_samples) : "";
  return fmt::format("hangs on {}{}", test.hangs_on, from);
}

Json spread_json(const SpreadCount& count) {
  Json over = Json::object(), exact = Json::object();
  for (std::size_t i = 0; i < std::size(kSpreads); ++i) {
    const std::string name = fmt::format("{}", kSpreads[i]);
    over[name] = count.over[i], exact[name] = count.over_exact[i];
  }
  return {{"pairs", count.pairs}, {"median", count.median}, {"over", over}, {"over_exact", exact}};
}

}  // namespace

Json conflicts_json(std::span<const Conflict> conflicts) {
  Json out = Json::array();
  for (const Conflict& c : conflicts) {
    ASSAY_CHECK(c.low != nullptr && c.high != nullptr);
    Json one = {{"scope", c.scope == Scope::claimants ? "claimants" : "own-files"}, {"model", c.model}, {"suite", c.benchmark}, {"spread", c.spread}};
    one["explained_by"] = some(c.difference.explained_by());
    one["differs"] = c.difference.differs;
    one["printed_on_one_side"] = c.difference.unknown;
    one["low"] = side(c.low);
    one["high"] = side(c.high);
    one["same_protocol"] = c.unexplained_low == nullptr ? Json(nullptr)
                                                        : Json{{"spread", c.unexplained_spread}, {"low", side(c.unexplained_low)}, {"high", side(c.unexplained_high)}};
    one["figures"] = c.figures;
    one["claimants"] = c.claimants;
    one["independent_claimants"] = c.independent;
    one["sampling"] = c.sampling ? sampling_json(*c.sampling) : Json(nullptr);
    out.push_back(std::move(one));
  }
  return out;
}

std::string conflicts_text(std::span<const Conflict> conflicts, std::size_t top) {
  std::string out;
  for (const Conflict& c : conflicts.first(std::min(top, conflicts.size()))) {
    out += fmt::format("{:.4g} points: {}, {}{}\n    {}\n    {}\n    {}\n", c.spread, c.model, c.benchmark, c.scope == Scope::own_files ? ", one claimant" : "", spoken(*c.low),
                       spoken(*c.high), explanation(c));
    if (c.sampling) out += "    " + sampling_words(*c.sampling) + "\n";
    const std::string by = c.difference.explained_by();
    if (!by.empty() && by != "kind" && c.unexplained_low != nullptr) {
      out += fmt::format("    {:.4g} points under one protocol as printed: {} and {}\n", c.unexplained_spread, spoken(*c.unexplained_low), spoken(*c.unexplained_high));
    }
  }
  if (conflicts.size() > top) out += fmt::format("{} more; --top N shows them\n", conflicts.size() - top);
  std::array<std::size_t, 3> counts{};
  for (const Conflict& c : conflicts) {
    const std::string by = c.difference.explained_by();
    ++counts.at(by.empty() ? 0 : by == "kind" ? 1 : 2);
  }
  return out + fmt::format("{} contradictions: {} with a printed field that differs, {} where only who measured differs, {} with none", conflicts.size(), counts[2], counts[1], counts[0]);
}

Json census_json(const Census& c) {
  Json copying = Json::array();
  std::size_t equal = 0, shared = 0;
  for (const Copying& one : c.copying) {
    copying.push_back({{"claimant", one.claimant}, {"maker", one.maker}, {"model", one.model}, {"equal", one.equal}, {"shared", one.shared}, {"copied", one.copied}});
    if (one.copied) equal += one.equal, shared += one.shared;
  }
  return {{"claims", c.claims},
          {"compared", c.compared},
          {"claimants", spread_json(c.claimants)},
          {"independent_claimants", spread_json(c.independent)},
          {"own_files", spread_json(c.own_files)},
          {"dependence", c.dependence},
          {"copies", {{"equal", equal}, {"shared", shared}, {"by_model", copying}}}};
}

}  // namespace assay
