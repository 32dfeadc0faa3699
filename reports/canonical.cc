// The canonical export. Left out on purpose: times, seconds, threads, devices, kernel sets, prices in use of measured hours, kernel
// measurements, row ids, rendered prompts (their digests stand for them).
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reports/export.h"

namespace assay {
namespace {

// A run's natural key. Runs of one identity are numbered in the order in which they were made.
constexpr std::string_view kRunKeys = R"(
  WITH keyed AS (
    SELECT r.id AS id, m.name || '/' || s.name || '/' || p.name || '/' || r.kind || '/' || substr(r.identity, 1, 16) || '/' ||
           row_number() OVER (PARTITION BY m.name, s.name, p.name, r.kind, substr(r.identity, 1, 16) ORDER BY r.id) AS key
    FROM main.run r JOIN main.model m ON m.id = r.model_id JOIN main.suite s ON s.id = r.suite_id
    JOIN main.protocol p ON p.id = r.protocol_id)
)";

struct CanonicalTable {
  const char* name;
  const char* sql;  // column names become members; the order is total
};

constexpr std::array<CanonicalTable, 11> kTables = {{
    {"artifact", "SELECT kind, name, digest, size_bytes FROM main.artifact ORDER BY kind, name, digest"},
    {"item",
     R"(SELECT s.name AS suite, s.items_digest, i.key, i.ordinal, i.subset, i.cluster, i.question, i.gold, i.digest
       FROM main.item i JOIN main.suite s ON s.id = i.suite_id ORDER BY s.name, s.items_digest, i.ordinal, i.key)"},
    {"item_result",
     R"(SELECT k.key AS run, i.key AS item, r.correct, r.score, r.extracted, r.extractor, r.why, r.chosen,
       r.prompt_digest, r.ids_digest, r.margin, r.router_ties
       FROM main.item_result r JOIN keyed k ON k.id = r.run_id JOIN main.item i ON i.id = r.item_id
       ORDER BY k.key, i.ordinal, i.key)"},
    {"token_logprob",
     R"(SELECT k.key AS run, i.key AS item, c.option_index, t.position, t.token_id, t.token_text, t.logprob_nats
       FROM main.token_logprob t JOIN main.continuation c ON c.id = t.continuation_id
       JOIN main.item_result r ON r.id = c.item_result_id JOIN keyed k ON k.id = r.run_id JOIN main.item i ON i.id = r.item_id
       ORDER BY k.key, i.ordinal, i.key, c.option_index, t.position)"},
    {"sample",
     R"(SELECT k.key AS run, i.key AS item, s.sample_index, s.output, s.finish_reason, s.tokens_generated, s.correct,
       s.extracted
       FROM main.sample s JOIN main.item_result r ON r.id = s.item_result_id JOIN keyed k ON k.id = r.run_id
       JOIN main.item i ON i.id = r.item_id ORDER BY k.key, i.ordinal, i.key, s.sample_index)"},
    {"verdict",
     R"(SELECT c.key AS claim, row_number() OVER (PARTITION BY c.id ORDER BY v.id) AS number, v.verdict, k.key AS run,
       a.key AS against_run, h.key AS holds_under_run, v.published, v.measured, v.n, v.test, v.p, v.p_adjusted, v.margin,
       v.margin_origin, v.level, v.fixed_low, v.fixed_high, v.population_low, v.population_high, v.speaks_of, v.reason,
       v.hangs_on, v.next
       FROM main.verdict v JOIN main.claim c ON c.id = v.claim_id LEFT JOIN keyed k ON k.id = v.run_id
       LEFT JOIN keyed a ON a.id = v.against_run_id LEFT JOIN keyed h ON h.id = v.holds_under_run_id
       ORDER BY c.key, number)"},
    {"verdict_part",
     R"(SELECT c.key AS claim, (SELECT count(*) FROM main.verdict w WHERE w.claim_id = c.id AND w.id <= v.id) AS number, y.ordinal, y.suite_name,
       y.protocol_name, y.metric, y.subset, y.weight, k.key AS run, a.key AS against_run, y.measured, y.se_population, y.n, y.of_items, y.missing
       FROM main.verdict_part y JOIN main.verdict v ON v.id = y.verdict_id JOIN main.claim c ON c.id = v.claim_id
       LEFT JOIN keyed k ON k.id = y.run_id LEFT JOIN keyed a ON a.id = y.against_run_id ORDER BY c.key, number, y.ordinal)"},
    {"comparison",
     R"(SELECT a.key AS run_a, b.key AS run_b, c.n, c.delta, c.gained, c.lost, c.test, c.p, c.low, c.high, c.level
       FROM main.comparison c JOIN keyed a ON a.id = c.run_a_id JOIN keyed b ON b.id = c.run_b_id
       ORDER BY a.key, b.key, c.test, c.id)"},
    {"similarity",
     R"(SELECT kind, a, b, test, statistic, effect, low, high, p, p_adjusted, p_min, n, panel, verdict,
       does_not_show FROM main.similarity ORDER BY kind, test, a, b, id)"},
    {"cost_estimate",
     R"(SELECT e.subject, e.stage, e.hours, e.cost_usd, e.low_usd, e.high_usd, e.level, p.device AS price_device,
       p.usd_per_hour, p.unit AS price_unit, p.as_of AS price_as_of, p.source AS price_source, e.verdict, e.reason
       FROM main.cost_estimate e LEFT JOIN main.price p ON p.id = e.price_id WHERE e.uses_measurements = 0
       ORDER BY e.subject, e.stage, e.level, e.id)"},
    {"cost_line", R"(SELECT e.subject, e.stage, e.level, l.ordinal, l.step, l.value, l.unit, l.source
       FROM main.cost_line l JOIN main.cost_estimate e ON e.id = l.cost_estimate_id WHERE e.uses_measurements = 0
       ORDER BY e.subject, e.stage, e.level, e.id, l.ordinal)"},
}};

Json column_value(const Statement& statement, int column) {
  switch (statement.kind(column)) {
    case Statement::Kind::null:
      return nullptr;
    case Statement::Kind::integer:
      return statement.integer(column);
    case Statement::Kind::real:
      return finite_or_null(statement.real(column));
    case Statement::Kind::text:
      return statement.text(column);
  }
  return nullptr;
}

Status export_table(const Database& database, const CanonicalTable& table,
                    const std::function<Status(std::string_view)>& write) {
  ASSAY_TRY(Statement statement, database.prepare(fmt::format("{} {}", kRunKeys, table.sql)));
  for (;;) {
    ASSAY_TRY(const bool found, statement.next());
    if (!found) return {};
    Json line = {{"table", table.name}};
    for (int column = 0; column < statement.columns(); ++column) {
      line[std::string(statement.column_name(column))] = column_value(statement, column);
    }
    ASSAY_OK(write(dump_json(line) + "\n"));
  }
}

}  // namespace

Status export_canonical(const Database& database, const std::function<Status(std::string_view)>& write) {
  for (const CanonicalTable& table : kTables) ASSAY_OK(export_table(database, table, write));
  return {};
}

}  // namespace assay
