#include "eval/verdicts/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/claims/claim_ledger.h"
#include "eval/verdicts/verify_case.h"
#include "suites/suite.h"

namespace assay {
namespace {

VerdictRecord verdict_record(const Verdict& v, std::int64_t claim_id) {
  VerdictRecord row{.claim_id = claim_id,
                    .verdict = std::string(name_of(v.outcome)),
                    .test = v.test,
                    .speaks_of = v.speaks_of,
                    .reason = v.reason};
  row.run_id = v.run_id;
  row.against_run_id = v.against_run_id;
  row.holds_under_run_id = v.holds_under_run_id;
  if (v.n > 0) row.n = v.n;
  row.published = v.published;
  row.level = v.level;
  row.measured = v.measured;
  row.p = v.p;
  row.p_adjusted = v.p_adjusted;
  row.margin = v.margin;
  if (v.fixed) row.fixed_low = v.fixed->low, row.fixed_high = v.fixed->high;
  if (v.population) row.population_low = v.population->low, row.population_high = v.population->high;
  const auto some = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  row.margin_origin = some(v.margin_origin);
  row.hangs_on = some(v.hangs_on);
  row.next = some(v.next);
  return row;
}

// The columns of migration 006: what the record knows about the figure, and the numbers behind `next`.
Status store_details(Database& database, const Claim& c, std::int64_t claim_id, const Verdict& v, std::int64_t verdict_id) {
  const auto some = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional<std::string>(text); };
  ASSAY_TRY(Statement claim, database.prepare("UPDATE claim SET kind = ?, dependence = ?, protocol_printed = ?, source_digest = ? WHERE id = ?"));
  ASSAY_OK(claim.with(some(c.kind), some(c.dependence), some(c.protocol_printed), some(c.source_digest), claim_id).run());
  ASSAY_TRY(Statement verdict, database.prepare("UPDATE verdict SET next_items = ?, next_samples = ?, next_seconds = ?, next_usd = ? WHERE id = ?"));
  return verdict.with(v.next_items, v.next_samples, v.next_seconds, v.next_usd, verdict_id).run();
}

// The columns and the table of migration 007: what the figure joins, and what stood in the place of the claimed weights.
Status store_parts(Database& database, const Claim& c, std::int64_t claim_id, const Verdict& v, std::int64_t verdict_id) {
  const auto some = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional<std::string>(text); };
  ASSAY_TRY(Statement claim, database.prepare("UPDATE claim SET weights_format = ? WHERE id = ?"));
  ASSAY_OK(claim.with(some(c.weights_format), claim_id).run());
  ASSAY_TRY(Statement verdict, database.prepare("UPDATE verdict SET fork = ?, unknown_json = ? WHERE id = ?"));
  ASSAY_OK(verdict.with(some(v.fork), v.unknown.empty() ? std::nullopt : std::optional(dump_json(Json(v.unknown))), verdict_id).run());
  ASSAY_TRY(Statement row, database.prepare("INSERT INTO verdict_part (verdict_id, ordinal, suite_name, protocol_name, metric, subset, weight, run_id, against_run_id, "
                                            "measured, se_population, n, of_items, missing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (std::size_t i = 0; i < v.parts.size(); ++i) {
    const VerdictPart& part = v.parts[i];
    ASSAY_OK(row.with(verdict_id, i, part.suite, part.protocol, part.metric, part.subset, part.weight, part.run_id, part.against_run_id, part.measured, part.se,
                      part.n > 0 ? std::optional(part.n) : std::nullopt, part.of_items, some(part.missing)).run());
  }
  return {};
}

Status store(Recorder& recorder, const std::vector<Claim>& claims, const std::vector<Verdict>& verdicts) {
  ASSAY_CHECK(claims.size() == verdicts.size());
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder.database()));
  for (std::size_t i = 0; i < claims.size(); ++i) {
    ClaimRecord row = claim_record(claims[i]);
    row.scale = verdicts[i].scale;
    ASSAY_TRY(const std::int64_t id, recorder.claim(row));
    ASSAY_TRY(const std::int64_t verdict_id, recorder.verdict(verdict_record(verdicts[i], id)));
    ASSAY_OK(store_details(recorder.database(), claims[i], id, verdicts[i], verdict_id));
    ASSAY_OK(store_parts(recorder.database(), claims[i], id, verdicts[i], verdict_id));
  }
  return transaction.commit();
}

}  // namespace

std::string model_to_run(const VerifyOptions& options, const std::string& model) {
  const auto it = options.models.find(model);
  return it == options.models.end() ? model : it->second;
}

std::vector<std::string> names_of(const VerifyOptions& options, const std::string& model) {
  std::string path = model_to_run(options, model);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  return {model, path, slash == std::string::npos ? path : path.substr(slash + 1)};
}

Result<std::vector<std::string>> protocols_of(const Database& database, const std::string& suite) {
  std::vector<std::string> names;
  const Result<Suite> loaded = load_suite(suite);  // names are in the definition: no data is read
  if (loaded.ok()) {
    names.push_back(loaded->main_protocol().name);
    for (const Protocol& p : loaded->protocols) {
      if (p.name != names.front()) names.push_back(p.name);
    }
    return names;
  }
  ASSAY_TRY(Statement rows, database.prepare("SELECT DISTINCT p.name FROM main.protocol p JOIN main.suite s "
                                             "ON s.id = p.suite_id WHERE s.name = ?1 ORDER BY p.id"));
  rows.with(suite);
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (!more) break;
    names.push_back(rows.text(0));
  }
  if (names.empty() && loaded.error().code != Code::not_found) return loaded.error();
  return names;
}

Result<std::optional<std::int64_t>> find_part_run(const Database& database, const std::vector<std::string>& models,
                                                  const std::string& suite, const std::string& protocol) {
  for (const std::string& model : models) {
    ASSAY_TRY(Statement find, database.prepare(R"sql(
      SELECT r.id FROM main.run r JOIN main.model m ON m.id = r.model_id JOIN main.suite s ON s.id = r.suite_id
      JOIN main.protocol p ON p.id = r.protocol_id
      WHERE m.name = ?1 AND s.name = ?2 AND p.name = ?3 AND r.status = 'complete' AND r.limit_items IS NOT NULL
      ORDER BY r.items_seen DESC, r.id DESC)sql"));
    find.with(model, suite, protocol);
    ASSAY_TRY(const auto id, database.find_integer(find));
    if (id) return id;
  }
  return std::optional<std::int64_t>();
}

Result<std::optional<std::int64_t>> find_run(const Database& database, const std::vector<std::string>& models,
                                             const std::string& suite, const std::string& protocol) {
  for (const std::string& model : models) {
    ASSAY_TRY(Statement find, database.prepare(R"sql(
      SELECT r.id FROM main.run r JOIN main.model m ON m.id = r.model_id JOIN main.suite s ON s.id = r.suite_id
      JOIN main.protocol p ON p.id = r.protocol_id
      WHERE m.name = ?1 AND s.name = ?2 AND p.name = ?3 AND r.status = 'complete' AND r.limit_items IS NULL
      ORDER BY r.id DESC)sql"));
    find.with(model, suite, protocol);
    ASSAY_TRY(const auto id, database.find_integer(find));
    if (id) return id;
  }
  return std::optional<std::int64_t>();
}

Result<std::vector<Verdict>> verify_claims(Recorder& recorder, const std::vector<Claim>& claims,
                                           const VerifyOptions& options) {
  ASSAY_TRY(const std::vector<Benchmark> known, known_benchmarks());
  std::vector<Case> cases;
  for (const Claim& claim : claims) {
    ASSAY_TRY(Case one, build_case(recorder.database(), options, known, claim));
    cases.push_back(std::move(one));
  }
  std::vector<Verdict> verdicts = decide(cases);
  ASSAY_OK(store(recorder, claims, verdicts));
  return verdicts;
}

int exit_code_of(const std::vector<Verdict>& verdicts) {
  int code = 0;
  for (const Verdict& v : verdicts) {
    if (v.outcome == Outcome::contradicted || v.outcome == Outcome::impossible) return 1;
    if (v.outcome != Outcome::reproduced) code = 4;
  }
  return code;
}

}  // namespace assay
