#include "eval/runs/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/sha256.h"

namespace assay {

void keep_shown(ResultRecord& record, const std::vector<std::string>& shown, const std::vector<int>& option_order) {
  if (!shown.empty()) record.shown_examples = dump_json(Json(shown));
  if (!std::ranges::is_sorted(option_order)) record.option_order = fmt::format("{}", fmt::join(option_order, " "));
}

struct Recorder::State {
  explicit State(Database& db) : database(db) {}

  Database& database;
  // One prepared statement for each text, made on first use.
  std::unordered_map<std::string, Statement> statements;

  Result<Statement*> statement(const std::string& sql) {
    const auto at = statements.find(sql);
    if (at != statements.end()) return &at->second;
    ASSAY_TRY(Statement made, database.prepare(sql));
    return &statements.emplace(sql, std::move(made)).first->second;
  }

  template <class... Values>
  Status run(const std::string& sql, const Values&... values) {
    ASSAY_TRY(Statement * found, statement(sql));
    return found->with(values...).run();
  }

  // Insert, then look the row up by its key: `select` must give one id.
  template <class... Values>
  Result<std::int64_t> id(const std::string& select, const Values&... values) {
    ASSAY_TRY(Statement * found, statement(select));
    found->with(values...);
    ASSAY_TRY(const bool there, found->next());
    ASSAY_CHECK(there);
    const std::int64_t value = found->integer(0);
    ASSAY_OK(found->run());
    return value;
  }

  static std::optional<std::int64_t> seed_value(const std::optional<std::uint64_t>& seed) {
    return seed ? std::optional(static_cast<std::int64_t>(*seed)) : std::nullopt;
  }

  Status add_sample(std::int64_t result_id, std::size_t index, const SampleRecord& s) {
    return run(
        "INSERT INTO sample (item_result_id, sample_index, output, finish_reason, tokens_generated, correct, "
        "extracted, score, seed, input_cut)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        result_id, index, s.output, s.finish_reason, s.tokens_generated, s.correct, s.extracted, s.score, seed_value(s.seed), s.input_cut);
  }

  Status add_continuation(std::int64_t result_id, std::size_t option, const ContinuationRecord& c) {
    ASSAY_OK(run(
        "INSERT INTO continuation (item_result_id, option_index, text, logprob_nats, greedy, tokens, chars, "
        "bytes,"
        " truncated_tokens, unconditional_nats) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        result_id, option, c.text, c.logprob_nats, c.greedy, c.tokens, c.chars, c.bytes, c.truncated_tokens, c.unconditional_nats));
    const std::int64_t continuation_id = database.last_id();
    for (std::size_t t = 0; t < c.token_logprobs.size(); ++t) {
      const TokenRecord& token = c.token_logprobs[t];
      ASSAY_OK(
          run("INSERT INTO token_logprob (continuation_id, position, token_id, token_text, logprob_nats)"
              " VALUES (?, ?, ?, ?, ?)",
              continuation_id, t, token.token_id, token.text, token.logprob_nats));
    }
    return {};
  }
};

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recorder::Recorder(Recorder&&) noexcept = default;
Recorder& Recorder::operator=(Recorder&&) noexcept = default;
Recorder::~Recorder() = default;

Result<Recorder> Recorder::open(Database& database) { return Recorder(std::make_unique<State>(database)); }
Database& Recorder::database() { return state_->database; }

Result<std::int64_t> Recorder::artifact(std::string_view kind, std::string_view name, std::string_view digest,
                                        std::optional<std::int64_t> size_bytes) {
  ASSAY_CHECK(name.find('/') == std::string_view::npos);
  ASSAY_OK(state_->run("INSERT OR IGNORE INTO artifact (kind, name, digest, size_bytes) VALUES (?, ?, ?, ?)",
                       kind, name, digest, size_bytes));
  return state_->id("SELECT id FROM artifact WHERE kind = ? AND name = ? AND digest = ?", kind, name, digest);
}

Result<std::int64_t> Recorder::model(const ModelRecord& row) {
  const std::string identity =
      row.identity.empty() ? Sha256().add_field("name").add_field(row.name).hex() : row.identity;
  ASSAY_OK(state_->run(
      "INSERT OR IGNORE INTO model (name, family, architecture, weights_artifact_id, config_artifact_id,"
      " tokenizer_artifact_id, template_artifact_id, params_stored, params_total, params_active, "
      "context_length_tokens,"
      " conventions_json, weights_formats, identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row.name, row.family, row.architecture, row.weights_artifact_id, row.config_artifact_id,
      row.tokenizer_artifact_id, row.template_artifact_id, row.params_stored, row.params_total,
      row.params_active, row.context_length_tokens, row.conventions_json, row.weights_formats, identity));
  return state_->id("SELECT id FROM model WHERE identity = ?", identity);
}

Result<std::int64_t> Recorder::suite(const Suite& suite) {
  ASSAY_OK(
      state_->run("INSERT OR IGNORE INTO suite (name, title, source, licence, items_digest, n_items) VALUES "
                  "(?, ?, ?, ?, ?, ?)",
                  suite.name, suite.title, suite.source, suite.licence, suite.items_digest, suite.n_items));
  return state_->id("SELECT id FROM suite WHERE name = ? AND items_digest = ?", suite.name,
                    suite.items_digest);
}

Result<std::int64_t> Recorder::protocol(std::int64_t suite_id, const Protocol& protocol) {
  ASSAY_CHECK(!protocol.metrics.empty());
  ASSAY_OK(state_->run(
      "INSERT OR IGNORE INTO protocol (suite_id, name, definition_json, digest, main_metric, template_digest) VALUES (?, ?, "
      "?, ?, ?, nullif(?, ''))",
      suite_id, protocol.name, protocol.definition_json, protocol.digest, protocol.metrics.front(), protocol.template_digest));
  return state_->id("SELECT id FROM protocol WHERE suite_id = ? AND name = ? AND digest = ?", suite_id,
                    protocol.name, protocol.digest);
}

Result<std::int64_t> Recorder::item(std::int64_t suite_id, const Item& item, std::int64_t ordinal) {
  const std::string digest = item.digest();
  const std::string& question = item.question.empty() ? item.text : item.question;
  ASSAY_OK(state_->run(
      "INSERT OR IGNORE INTO item (suite_id, key, ordinal, subset, cluster, question, gold, digest)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      suite_id, item.id, ordinal, item.subset, item.cluster, question, item.gold, digest));
  ASSAY_TRY(Statement * found,
            state_->statement("SELECT id, digest FROM item WHERE suite_id = ? AND key = ?"));
  found->with(suite_id, item.id);
  ASSAY_TRY(const bool there, found->next());
  ASSAY_CHECK(there);
  const std::int64_t id = found->integer(0);
  const std::string stored = found->text(1);
  ASSAY_OK(found->run());
  if (stored == digest) return id;
  return Error{.code = Code::digest_changed,
               .message = "the database holds an item of that id with another question or answer",
               .field = item.id,
               .expected = stored,
               .got = digest};
}

Result<std::unordered_map<std::string, std::int64_t>> Recorder::items(std::int64_t suite_id,
                                                                      const Suite& suite) {
  ASSAY_CHECK(suite.items_loaded);
  std::unordered_map<std::string, std::int64_t> rows;
  for (std::size_t i = 0; i < suite.items.size(); ++i) {
    ASSAY_TRY(rows[suite.items[i].id], item(suite_id, suite.items[i], static_cast<std::int64_t>(i)));
  }
  return rows;
}

Result<std::int64_t> Recorder::begin_run(const RunRecord& row) {
  ASSAY_OK(
      state_->run("INSERT INTO run (kind, model_id, suite_id, protocol_id, outputs_artifact_id, identity, "
                  "recipe, kernel_set, backend,"
                  " sampling_json, seed, limit_items, model_source, data_source, status, started_at_utc, device_id, "
                  "threads, price_id, items_expected, identity_json, server_json)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)",
                  row.kind, row.model_id, row.suite_id, row.protocol_id, row.outputs_artifact_id,
                  row.identity, row.recipe, row.kernel_set, row.backend, row.sampling_json, row.seed,
                  row.limit_items, row.model_source, row.data_source, now_utc(), row.device_id, row.threads, row.price_id, row.items_expected, row.identity_json,
                  row.server_json));
  return state_->database.last_id();
}

Result<std::optional<std::int64_t>> Recorder::complete_run(std::string_view identity) {
  ASSAY_TRY(Statement * found,
            state_->statement("SELECT max(id) FROM run WHERE identity = ? AND status = 'complete'"));
  found->with(identity);
  ASSAY_TRY(const bool there, found->next());
  ASSAY_CHECK(there);
  const auto id = found->maybe_integer(0);
  ASSAY_OK(found->run());
  return id;
}

Status Recorder::result(std::int64_t run_id, std::int64_t item_id, const ResultRecord& row) {
  ASSAY_CHECK(row.score != nullptr);
  const ItemScore& score = *row.score;
  constexpr const char* kInsert =
      "INSERT INTO item_result (run_id, item_id, correct, score, extracted, extractor, why, chosen, "
      "prompt_digest,"
      " ids_digest, prompt, margin, router_ties, shown_examples, option_order) VALUES (?, ?, ?, ?, ?, nullif(?, ''), ?, nullif(?, -1), ?, "
      "?, ?, ?, ?, ?, ?)";
  ASSAY_OK(state_->run(kInsert, run_id, item_id, score.correct, score.score, score.extracted, score.extractor,
                       score.why, score.chosen, row.prompt_digest, row.ids_digest, row.prompt, score.margin,
                       row.router_ties, row.shown_examples, row.option_order));
  const std::int64_t result_id = state_->database.last_id();
  for (std::size_t i = 0; i < row.samples.size(); ++i)
    ASSAY_OK(state_->add_sample(result_id, i, row.samples[i]));
  for (std::size_t i = 0; i < row.continuations.size(); ++i) {
    ASSAY_OK(state_->add_continuation(result_id, i, row.continuations[i]));
  }
  return {};
}

Status Recorder::end_run(std::int64_t run_id, const RunEnd& end) {
  ASSAY_CHECK(end.status == "complete" || end.status == "interrupted");
  const Audit& a = end.audit;
  return state_->run(
      "UPDATE run SET status = ?, finished_at_utc = ?, wall_seconds = ?, cost_usd = ?, tokens_asked = ?, "
      "tokens_computed = ?,"
      " tokens_generated = ?, items_seen = ?, malformed = ?, duplicated = ?, truncated = ?, unextractable = "
      "?, fallback = ?, harness_faults = ?"
      " WHERE id = ?",
      end.status, now_utc(), end.wall_seconds, end.cost_usd, end.tokens_asked, end.tokens_computed,
      end.tokens_generated, a.seen, a.malformed, a.duplicated, a.truncated, a.unextractable, a.fallback,
      a.harness_faults, run_id);
}

Status Recorder::event(std::optional<std::int64_t> run_id, std::string_view kind, std::string_view message) {
  return state_->run("INSERT INTO event (at_utc, run_id, kind, message) VALUES (?, ?, ?, ?)", now_utc(),
                     run_id, kind, message);
}

Result<std::int64_t> Recorder::claim(const ClaimRecord& r) {
  ASSAY_OK(state_->run(
      "INSERT INTO claim (key, text, claimant, model_name, suite_name, protocol_name, metric, subset, "
      "relation, published,"
      " value, scale, n, samples, against, source, expected_verdict, definition_json)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (key) DO UPDATE SET text = excluded.text, claimant = excluded.claimant,"
      " model_name = excluded.model_name, suite_name = excluded.suite_name, protocol_name = "
      "excluded.protocol_name,"
      " metric = excluded.metric, subset = excluded.subset, relation = excluded.relation, published = "
      "excluded.published,"
      " value = excluded.value, scale = excluded.scale, n = excluded.n, samples = excluded.samples,"
      " against = excluded.against, source = excluded.source, expected_verdict = excluded.expected_verdict,"
      " definition_json = excluded.definition_json",
      r.key, r.text, r.claimant, r.model_name, r.suite_name, r.protocol_name, r.metric, r.subset, r.relation,
      r.published, r.value, r.scale, r.n, r.samples, r.against, r.source, r.expected_verdict,
      r.definition_json));
  return state_->id("SELECT id FROM claim WHERE key = ?", r.key);
}

Result<std::int64_t> Recorder::verdict(const VerdictRecord& r) {
  ASSAY_OK(state_->run(
      "INSERT INTO verdict (claim_id, verdict, run_id, against_run_id, holds_under_run_id, published, "
      "measured, n, test, p,"
      " p_adjusted, margin, margin_origin, level, fixed_low, fixed_high, population_low, population_high, "
      "speaks_of, reason,"
      " hangs_on, next, decided_at_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
      "?, ?, ?)",
      r.claim_id, r.verdict, r.run_id, r.against_run_id, r.holds_under_run_id, r.published, r.measured, r.n,
      r.test, r.p, r.p_adjusted, r.margin, r.margin_origin, r.level, r.fixed_low, r.fixed_high,
      r.population_low, r.population_high, r.speaks_of, r.reason, r.hangs_on, r.next, now_utc()));
  return state_->database.last_id();
}

Json metrics_json(const std::vector<Metric>& metrics) {
  const auto number = [](const std::optional<double>& value) {
    return value ? finite_or_null(*value) : Json(nullptr);
  };
  Json out = Json::object();
  for (const auto& m : metrics) {
    out[m.name] = {{"value", finite_or_null(m.value)},
                   {"se_fixed", number(m.se_fixed)},
                   {"se_population", number(m.se_population)},
                   {"low", number(m.low)},
                   {"high", number(m.high)},
                   {"n", m.n}};
  }
  return out;
}

Json audit_json(const Audit& a) {
  return Json{{"expected", a.expected},     {"seen", a.seen},           {"malformed", a.malformed},
              {"duplicated", a.duplicated}, {"truncated", a.truncated}, {"unextractable", a.unextractable},
              {"fallback", a.fallback},     {"harness_faults", a.harness_faults}};
}

std::string audit_text(const Audit& a) {
  std::string text = fmt::format("{} of {} items", a.seen, a.expected);
  const auto add = [&](std::int64_t n, std::string_view what) {
    if (n > 0) text += fmt::format(", {} {}", n, what);
  };
  add(a.malformed, "malformed");
  add(a.duplicated, "duplicated");
  add(a.truncated, "truncated");
  add(a.unextractable, "without an answer");
  add(a.fallback, "by fallback");
  add(a.harness_faults, "not judged for a fault of the harness");
  return text;
}

}  // namespace assay
