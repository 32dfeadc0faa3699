// What `verify` and `claim list` read and print.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "eval/claims/claim_ledger.h"
#include "eval/verdicts/verify.h"
#include "suites/locate.h"

namespace assay {
namespace {

Json figure_or_blank(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }
Json bounds(const std::optional<Bounds>& b) {
  return b ? Json::array({finite_or_null(b->low), finite_or_null(b->high)}) : Json(nullptr);
}
Json text_or_blank(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Result<std::vector<Claim>> bundled_claims() {
  ASSAY_TRY(const std::string path, data_path("demo/claims/claims.json"));
  return read_claims(path);
}

// Ledgers about models of others that come along: claims/NAME.json.
constexpr std::array<const char*, 1> kLedgers = {"smollm2"};

Result<std::vector<Claim>> ledger_named(const std::string& name) {
  if (std::find(kLedgers.begin(), kLedgers.end(), name) == kLedgers.end()) return std::vector<Claim>{};
  ASSAY_TRY(const std::string path, data_path("claims/" + name + ".json"));
  return read_claims(path);
}

Result<std::vector<Claim>> all_ledgers() {
  ASSAY_TRY(std::vector<Claim> all, bundled_claims());
  for (const char* name : kLedgers) {
    ASSAY_TRY(const std::vector<Claim> more, ledger_named(name));
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

const Claim* with_id(const std::vector<Claim>& claims, const std::string& id) {
  for (const Claim& claim : claims) {
    if (claim.id == id) return &claim;
  }
  return nullptr;
}

// Ids of the published record look like C00462; nothing else is looked up there.
bool may_be_published(const std::string& id) { return id.size() == 6 && id.front() == 'C' && id.find_first_not_of("0123456789", 1) == std::string::npos; }

Result<std::vector<Claim>> published_claim(const std::string& id) {
  ASSAY_TRY(const Ledger ledger, published_ledger());
  const LedgerClaim* entry = ledger.find(id);
  if (entry == nullptr) return std::vector<Claim>{};
  ASSAY_TRY(const std::vector<Benchmark> known, known_benchmarks());
  ASSAY_TRY(Claim claim, as_claim(ledger, *entry, known));
  return std::vector<Claim>{std::move(claim)};
}

Result<std::vector<Claim>> claims_of(const std::string& argument, const Database* database) {
  if (argument.find('/') != std::string::npos || argument.ends_with(".json")) return read_claims(argument);
  ASSAY_TRY(std::vector<Claim> known, ledger_named(argument));
  if (!known.empty()) return known;
  if (argument == "demo") return bundled_claims();
  ASSAY_TRY(known, all_ledgers());
  if (const Claim* claim = with_id(known, argument)) return std::vector<Claim>{*claim};
  if (may_be_published(argument)) {
    ASSAY_TRY(std::vector<Claim> published, published_claim(argument));
    if (!published.empty()) return published;
  }
  if (database != nullptr) {
    ASSAY_TRY(known, load_claims(*database));
    if (const Claim* claim = with_id(known, argument)) return std::vector<Claim>{*claim};
  }
  return Error{
      .code = Code::not_found,
      .message =
          "no claim of that id is known; `assay claim list` shows those that are, a file is named with .json",
      .got = argument};
}

Json parts_json(const std::vector<VerdictPart>& parts) {
  const auto count_or_blank = [](const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(nullptr); };
  Json out = Json::array();
  for (const VerdictPart& part : parts) {
    out.push_back({{"suite", part.suite}, {"protocol", part.protocol}, {"metric", part.metric}, {"subset", text_or_blank(part.subset)}, {"weight", part.weight},
                   {"measured", figure_or_blank(part.measured)}, {"se", figure_or_blank(part.se)}, {"n", part.n}, {"of_items", count_or_blank(part.of_items)},
                   {"run", count_or_blank(part.run_id)}, {"missing", text_or_blank(part.missing)}});
  }
  return out;
}

std::string cell(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; }

std::string cost_words(const Verdict& v) {
  std::string out;
  if (v.next_seconds) out = fmt::format("; about {} at the speed measured here", duration_text(*v.next_seconds));
  return v.next_usd ? fmt::format("{}, {:.2g} USD", out, *v.next_usd) : out;
}

}  // namespace

std::string duration_text(double seconds) {
  return seconds < 120 ? fmt::format("{:.0f} s", std::ceil(seconds)) : seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

Result<std::vector<Claim>> gather_claims(const std::vector<std::string>& arguments,
                                         const Database* database) {
  std::vector<Claim> all;
  std::set<std::string> ids;
  for (const std::string& argument : arguments) {
    ASSAY_TRY(const std::vector<Claim> claims, claims_of(argument, database));
    for (const Claim& claim : claims) {
      if (!ids.insert(claim.id).second)
        return Error{.code = Code::duplicate,
                     .message = "two claims have the same id",
                     .file = argument,
                     .field = "id",
                     .got = claim.id};
      all.push_back(claim);
    }
  }
  return all;
}

Result<std::vector<Claim>> claims_about(const std::string& name, const Database* database) {
  ASSAY_TRY(std::vector<Claim> all, all_ledgers());
  if (database != nullptr) {
    ASSAY_TRY(const std::vector<Claim> stored, load_claims(*database));
    all.insert(all.end(), stored.begin(), stored.end());
  }
  ASSAY_TRY(const Ledger ledger, published_ledger());
  ASSAY_TRY(const std::vector<Benchmark> known, known_benchmarks());
  for (const LedgerClaim& entry : ledger.claims) {
    if (squashed(entry.model) != squashed(name) || entry.dependence == Dependence::quoted) continue;
    ASSAY_TRY(all.emplace_back(), as_claim(ledger, entry, known));
  }
  std::vector<Claim> out;
  std::set<std::string> ids;
  for (Claim& claim : all) {
    if (squashed(claim.model) == squashed(name) && ids.insert(claim.id).second) out.push_back(std::move(claim));
  }
  if (!out.empty()) return out;
  return Error{.code = Code::not_found, .message = "nothing is claimed about a model of that name; `assay claim list --model` shows names", .field = "--about", .got = name};
}

Json verdicts_json(const std::vector<Claim>& claims, const std::vector<Verdict>& verdicts) {
  Json out = Json::array();
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& v = verdicts[i];
    Json row = {{"claim", v.claim_id},
                {"verdict", name_of(v.outcome)},
                {"published", finite_or_null(v.published)},
                {"measured", figure_or_blank(v.measured)},
                {"n", v.n},
                {"test", v.test}};
    row["p"] = figure_or_blank(v.p);
    row["p_adjusted"] = figure_or_blank(v.p_adjusted);
    row["margin"] = figure_or_blank(v.margin);
    row["margin_origin"] = text_or_blank(v.margin_origin);
    row["interval_fixed"] = bounds(v.fixed);
    row["interval_population"] = bounds(v.population);
    row["level"] = v.level;
    row["scale"] = v.scale;
    row["speaks_of"] = v.speaks_of;
    row["reason"] = v.reason;
    row["hangs_on"] = text_or_blank(v.hangs_on);
    row["next"] = text_or_blank(v.next);
    row["next_items"] = v.next_items ? Json(*v.next_items) : Json(nullptr);
    row["next_samples"] = v.next_samples ? Json(*v.next_samples) : Json(nullptr);
    row["next_seconds"] = figure_or_blank(v.next_seconds);
    row["next_usd"] = figure_or_blank(v.next_usd);
    row["holds_under"] = text_or_blank(v.holds_under);
    row["fork"] = text_or_blank(v.fork);
    row["unknown"] = v.unknown;
    row["parts"] = parts_json(v.parts);
    row["expected_verdict"] = text_or_blank(claims[i].expected_verdict);
    out.push_back(std::move(row));
  }
  return out;
}

std::string verdicts_text(const std::vector<Claim>& claims, const std::vector<Verdict>& verdicts) {
  std::string out = fmt::format("{:<24} {:<18} {:>10} {:>10} {:>5} {:>9}\n", "claim", "verdict", "published",
                                "measured", "n", "p adj.");
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const Verdict& v = verdicts[i];
    out += fmt::format("{:<24} {:<18} {:>10} {:>10} {:>5} {:>9}\n    {}\n", v.claim_id, name_of(v.outcome),
                       claims[i].figure().text, cell(v.measured), v.n,
                       v.p_adjusted ? fmt::format("{:.2g}", *v.p_adjusted) : "-", v.reason);
    if (!v.hangs_on.empty()) out += fmt::format("    hangs on: {}\n", v.hangs_on);
    if (!v.next.empty()) out += fmt::format("    next: {}{}\n", v.next, cost_words(v));
  }
  if (!out.empty()) out.pop_back();
  return out;
}

Json claims_json(const std::vector<Claim>& claims) {
  Json out = Json::array();
  for (const Claim& c : claims) {
    out.push_back({{"id", c.id},
                   {"text", c.text},
                   {"model", c.model},
                   {"suite", text_or_blank(c.suite)},
                   {"protocol", text_or_blank(c.protocol)},
                   {"metric", text_or_blank(c.metric)},
                   {"subset", text_or_blank(c.subset)},
                   {"relation", name_of(c.relation)},
                   {"value", c.published()},
                   {"n", c.n ? Json(*c.n) : Json(nullptr)},
                   {"samples", c.samples ? Json(*c.samples) : Json(nullptr)},
                   {"against", text_or_blank(c.against)},
                   {"claimant", text_or_blank(c.claimant)},
                   {"dependence", text_or_blank(c.dependence)},
                   {"digest", text_or_blank(c.source_digest)},
                   {"source", text_or_blank(c.source)}});
  }
  return out;
}

}  // namespace assay
