// What `verify` and `claim list` read and print.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "eval/verify.h"
#include "suites/locate.h"

namespace assay {
namespace {

Json figure_or_blank(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }
Json bounds(const std::optional<Bounds>& b) {
  return b ? Json::array({finite_or_null(b->low), finite_or_null(b->high)}) : Json(nullptr);
}
Json some(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Result<std::vector<Claim>> bundled_claims() {
  ASSAY_TRY(const std::string path, data_path("demo/claims/claims.json"));
  return read_claims(path);
}

const Claim* with_id(const std::vector<Claim>& claims, const std::string& id) {
  for (const Claim& claim : claims) {
    if (claim.id == id) return &claim;
  }
  return nullptr;
}

Result<std::vector<Claim>> claims_of(const std::string& argument, const Database* database) {
  if (argument.find('/') != std::string::npos || argument.ends_with(".json")) return read_claims(argument);
  ASSAY_TRY(std::vector<Claim> known, bundled_claims());
  if (argument == "demo") return known;
  if (const Claim* claim = with_id(known, argument)) return std::vector<Claim>{*claim};
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

std::string cell(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; }

}  // namespace

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
    row["margin_origin"] = some(v.margin_origin);
    row["interval_fixed"] = bounds(v.fixed);
    row["interval_population"] = bounds(v.population);
    row["level"] = v.level;
    row["scale"] = v.scale;
    row["speaks_of"] = v.speaks_of;
    row["reason"] = v.reason;
    row["hangs_on"] = some(v.hangs_on);
    row["next"] = some(v.next);
    row["holds_under"] = some(v.holds_under);
    row["expected_verdict"] = some(claims[i].expected_verdict);
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
    if (!v.next.empty()) out += fmt::format("    next: {}\n", v.next);
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
                   {"suite", some(c.suite)},
                   {"protocol", some(c.protocol)},
                   {"metric", some(c.metric)},
                   {"subset", some(c.subset)},
                   {"relation", name_of(c.relation)},
                   {"value", c.published()},
                   {"n", c.n ? Json(*c.n) : Json(nullptr)},
                   {"samples", c.samples ? Json(*c.samples) : Json(nullptr)},
                   {"against", some(c.against)},
                   {"source", some(c.source)}});
  }
  return out;
}

}  // namespace assay
