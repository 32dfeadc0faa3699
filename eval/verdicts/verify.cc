#include "eval/verdicts/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/claims/claim_ledger.h"
#include "suites/suite.h"

namespace assay {
namespace {

std::string mapped(const VerifyOptions& options, const std::string& model) {
  const auto it = options.models.find(model);
  return it == options.models.end() ? model : it->second;
}

// A figure of the published record names a model that the user need not have; his own claims name one that he has.
bool may_measure(const VerifyOptions& options, const Claim& claim, const std::string& model) {
  return options.measure && (claim.kind.empty() || options.models.contains(model));
}

// Loads one side of a claim, measuring it first where it is missing and can be; no value: it cannot.
Result<std::optional<Measurement>> obtain(const Database& database, const VerifyOptions& options,
                                          const Claim& claim, const std::string& model,
                                          const std::string& protocol) {
  ASSAY_TRY(auto run, find_run(database, names_of(options, model), claim.suite, protocol));
  if (!run && may_measure(options, claim, model)) {
    ASSAY_TRY(run, options.measure(mapped(options, model), claim.suite, protocol));
  }
  if (!run && options.parts_too) {
    ASSAY_TRY(run, find_part_run(database, names_of(options, model), claim.suite, protocol));
  }
  if (!run) return std::optional<Measurement>();
  ASSAY_TRY(Measurement measurement, load_measurement(database, *run, claim.metric));
  measurement.model = model;
  return std::optional<Measurement>(std::move(measurement));
}

Result<ParameterCounts> stored_counts(const Database& database, const std::vector<std::string>& models) {
  ParameterCounts counts;
  for (const std::string& model : models) {
    ASSAY_TRY(Statement row,
              database.prepare("SELECT params_stored, params_total, params_active FROM main.model WHERE name "
                               "= ?1 AND params_total IS NOT NULL ORDER BY id DESC"));
    row.with(model);
    ASSAY_TRY(const bool there, row.next());
    if (there) return ParameterCounts{row.maybe_integer(0), row.maybe_integer(1), row.maybe_integer(2)};
  }
  return counts;
}

Status add_other_protocols(const Database& database, const VerifyOptions& options,
                           const std::vector<std::string>& protocols, Case& one) {
  for (const std::string& protocol : protocols) {
    if (protocol == one.main->protocol) continue;
    ASSAY_TRY(auto other, obtain(database, options, one.claim, one.claim.model, protocol));
    if (other) one.others.push_back(std::move(*other));
  }
  return {};
}

void add_scale(std::span<const Benchmark> known, Case& one) {
  const Benchmark* benchmark = find_benchmark(known, one.claim.suite);
  if (benchmark == nullptr) return;
  one.scale_low = benchmark->low, one.scale_high = benchmark->high, one.suite_items = benchmark->items;
  if (benchmark->source.starts_with("scale: ")) one.scale_source = benchmark->source.substr(7);
}

Result<Case> build_case(const Database& database, const VerifyOptions& options, std::span<const Benchmark> known_suites, const Claim& claim) {
  Case one{.claim = claim};
  if (!claim.about_parameters) add_scale(known_suites, one);
  if (claim.about_parameters) {
    if (options.count) {
      ASSAY_TRY(one.counts, options.count(mapped(options, claim.model)));
    } else {
      ASSAY_TRY(one.counts, stored_counts(database, names_of(options, claim.model)));
    }
    return one;
  }
  ASSAY_TRY(const auto protocols, protocols_of(database, options, claim.suite));
  if (protocols.empty()) {
    one.missing = "no suite of that name is defined here or in the database";
    return one;
  }
  const auto known = [&](const std::string& name) {
    return std::find(protocols.begin(), protocols.end(), name) != protocols.end();
  };
  if (!claim.protocol.empty() && !known(claim.protocol)) {
    return Error{.code = Code::not_found,
                 .message = "the claim names a protocol that its suite does not have",
                 .field = "protocol",
                 .expected = protocols.front() + " or another of its protocols",
                 .got = claim.protocol};
  }
  const std::string protocol = claim.protocol.empty() ? protocols.front() : claim.protocol;
  ASSAY_TRY(one.main, obtain(database, options, claim, claim.model, protocol));
  if (!one.main && !may_measure(options, claim, claim.model)) one.missing = fmt::format("no model is given for it (--model {}=MODEL)", claim.model);
  if (!claim.against.empty()) {
    const bool other_protocol = known(claim.against);
    ASSAY_TRY(one.against, obtain(database, options, claim, other_protocol ? claim.model : claim.against,
                                  other_protocol ? claim.against : protocol));
  } else if (one.main && wants_other_protocols(one)) {
    ASSAY_OK(add_other_protocols(database, options, protocols, one));
  }
  return one;
}

// Metrics that are the mean over all answers; pass@k, maj@k and the like are not.
bool averages(const std::string& metric) { return metric.empty() || metric == "accuracy" || metric == "pass@1" || metric.starts_with("avg@"); }

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

Status store(Recorder& recorder, const std::vector<Claim>& claims, const std::vector<Verdict>& verdicts) {
  ASSAY_CHECK(claims.size() == verdicts.size());
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder.database()));
  for (std::size_t i = 0; i < claims.size(); ++i) {
    ClaimRecord row = claim_record(claims[i]);
    row.scale = verdicts[i].scale;
    ASSAY_TRY(const std::int64_t id, recorder.claim(row));
    ASSAY_TRY(const std::int64_t verdict_id, recorder.verdict(verdict_record(verdicts[i], id)));
    ASSAY_OK(store_details(recorder.database(), claims[i], id, verdicts[i], verdict_id));
  }
  return transaction.commit();
}

}  // namespace

std::vector<std::string> names_of(const VerifyOptions& options, const std::string& model) {
  std::string path = mapped(options, model);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  return {model, path, slash == std::string::npos ? path : path.substr(slash + 1)};
}

Result<std::vector<std::string>> protocols_of(const Database& database, const VerifyOptions& options,
                                              const std::string& suite) {
  std::vector<std::string> names;
  const Result<Suite> loaded = load_suite(suite, options.data_dir);
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

Result<Measurement> load_measurement(const Database& database, std::int64_t run_id,
                                     const std::string& metric) {
  ASSAY_TRY(Statement head, database.prepare(R"sql(
    SELECT m.name, s.name, p.name, p.main_metric, p.definition_json, r.limit_items, s.n_items, r.wall_seconds, r.items_seen, r.cost_usd FROM main.run r JOIN main.model m ON m.id = r.model_id
    JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id WHERE r.id = ?1)sql"));
  head.with(run_id);
  ASSAY_TRY(const bool there, head.next());
  if (!there)
    return Error{.code = Code::not_found,
                 .message = "no such run",
                 .file = database.path(),
                 .got = std::to_string(run_id)};
  Measurement out{.model = head.text(0), .suite = head.text(1), .protocol = head.text(2), .run_id = run_id};
  if (!head.is_null(5) && head.integer(6) > 0) out.of_items = head.integer(6);
  if (!head.is_null(7) && head.real(7) > 0 && head.integer(8) > 0) {
    out.seconds_per_item = head.real(7) / static_cast<double>(head.integer(8));
    if (!head.is_null(9)) out.usd_per_item = head.real(9) / static_cast<double>(head.integer(8));
  }
  ASSAY_TRY(const Json definition, parse_json(head.text(4), database.path()));
  const bool macro = definition.is_object() && definition.value("aggregation", "") == "macro";
  const bool bits = head.text(3) == "bits_per_byte", unanswered = metric == "no_answer";
  ASSAY_TRY(Statement rows, database.prepare(R"sql(
    SELECT i.key, i.subset, x.correct, x.score, x.margin, c.logprob_nats, c.bytes, x.extracted,
      (SELECT count(*) FROM main.sample y WHERE y.item_result_id = x.id AND y.correct IS NOT NULL),
      (SELECT sum(y.correct) FROM main.sample y WHERE y.item_result_id = x.id AND y.correct IS NOT NULL) FROM main.item_result x JOIN main.item i ON i.id = x.item_id
    LEFT JOIN main.continuation c ON c.item_result_id = x.id AND c.option_index = 0 WHERE x.run_id = ?1 ORDER BY i.ordinal)sql"));
  rows.with(run_id);
  out.score = !bits ? Score::share : macro ? Score::mean : Score::ratio;
  for (;;) {
    ASSAY_TRY(const bool more, rows.next());
    if (!more) break;
    MeasuredItem item{.key = rows.text(0), .subset = rows.text(1), .margin = rows.maybe_real(4)};
    if (unanswered) {
      item.value = rows.is_null(7) ? 1 : 0;
    } else if (out.score == Score::ratio) {
      if (rows.is_null(5) || !(rows.real(6) > 0)) continue;
      item.value = -rows.real(5) / std::log(2.0);
      item.weight = rows.real(6);
    } else if (!bits && averages(metric) && rows.integer(8) > 1) {
      item.samples = rows.integer(8);
      item.value = static_cast<double>(rows.integer(9)) / static_cast<double>(item.samples);
      out.score = Score::mean;
    } else if (!bits && !rows.is_null(2)) {
      item.value = static_cast<double>(rows.integer(2));
    } else if (!rows.is_null(3)) {
      item.value = rows.real(3);
      if (item.value != 0 && item.value != 1) out.score = Score::mean;
    } else {
      continue;
    }
    out.items.push_back(std::move(item));
  }
  return out;
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
