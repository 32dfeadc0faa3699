// Runs with their score recomputed from item rows.
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/json.h"
#include "reports/query_rows.h"
#include "reports/run_score.h"

namespace assay::shown {
namespace {

// What the score of a run hangs on besides its items.
struct RunBasis {
  enum class Mean : std::uint8_t { items, ratio, subsets };
  Mean mean = Mean::items;
  bool greedy = true;  // one fixed answer an item
};

bool json_member_is(const std::string& text, const char* member, const char* value) {
  const Result<Json> document = parse_json(text, "");
  if (!document.ok() || !document->is_object() || !document->contains(member)) return false;
  const Json& found = (*document)[member];
  return found.is_string() && found.get<std::string>() == value;
}

bool samples_at_random(const std::string& sampling_json) {
  const Result<Json> document = parse_json(sampling_json, "");
  if (!document.ok() || !document->is_object() || !document->contains("temperature")) return false;
  const Json& found = (*document)["temperature"];
  return found.is_number() && found.get<double>() > 0;
}

RunRow read_run(Columns& in, RunBasis& basis) {
  RunRow row;
  row.id = in.integer();
  row.kind = in.text();
  row.model_id = in.integer();
  row.suite_id = in.integer();
  row.protocol_id = in.integer();
  row.model = in.text();
  row.suite = in.text();
  row.protocol = in.text();
  row.metric = in.text();
  row.outputs = in.text();
  row.status = in.text();
  row.expected = in.integer();
  row.seen = in.integer();
  row.malformed = in.integer();
  row.duplicated = in.integer();
  row.truncated = in.integer();
  row.unextractable = in.integer();
  row.fallback = in.integer();
  row.harness_faults = in.integer();
  row.tokens_asked = in.maybe_integer();
  row.tokens_computed = in.maybe_integer();
  row.tokens_generated = in.maybe_integer();
  row.limit_items = in.maybe_integer();
  row.seed = in.maybe_integer();
  row.threads = in.maybe_integer();
  row.seconds = in.maybe_real();
  row.cost_usd = in.maybe_real();
  row.usd_per_hour = in.maybe_real();
  row.price_unit = in.text();
  row.price_source = in.text();
  row.recipe = in.text();
  row.kernel_set = in.text();
  row.backend = in.text();
  row.device = in.text();
  row.sampling_json = in.text();
  row.started_at_utc = in.text();
  row.finished_at_utc = in.text();
  row.identity = in.text();
  row.weights_digest = in.text();
  row.tokenizer_digest = in.text();
  row.suite_digest = in.text();
  row.protocol_digest = in.text();
  const std::string definition = in.text();
  const bool bits = row.metric == "bits_per_byte";
  if (bits && json_member_is(definition, "aggregation", "micro")) basis.mean = RunBasis::Mean::ratio;
  if (!bits && json_member_is(definition, "aggregation", "macro")) basis.mean = RunBasis::Mean::subsets;
  basis.greedy = !samples_at_random(row.sampling_json);
  return row;
}

constexpr std::string_view kRunSql = R"(
  SELECT r.id, r.kind, r.model_id, r.suite_id, r.protocol_id, m.name, s.name, p.name, p.main_metric, o.name, r.status,
         r.items_expected, r.items_seen, r.malformed, r.duplicated, r.truncated, r.unextractable, r.fallback, r.harness_faults,
         r.tokens_asked, r.tokens_computed, r.tokens_generated, r.limit_items, r.seed, r.threads, r.wall_seconds,
         r.cost_usd, e.usd_per_hour, e.unit, e.source, r.recipe, r.kernel_set, r.backend, d.name, r.sampling_json,
         r.started_at_utc, r.finished_at_utc, r.identity, w.digest, t.digest, s.items_digest, p.digest, p.definition_json
  FROM main.run r
  LEFT JOIN main.model m ON m.id = r.model_id
  LEFT JOIN main.suite s ON s.id = r.suite_id
  LEFT JOIN main.protocol p ON p.id = r.protocol_id
  LEFT JOIN main.artifact o ON o.id = r.outputs_artifact_id
  LEFT JOIN main.price e ON e.id = r.price_id
  LEFT JOIN main.device d ON d.id = r.device_id
  LEFT JOIN main.artifact w ON w.id = m.weights_artifact_id
  LEFT JOIN main.artifact t ON t.id = m.tokenizer_artifact_id
  ORDER BY r.id)";

// Values in the order of the suite, so that sums round alike everywhere. Several samples of an item give the
// variance of their mean: p (1 - p) / (m - 1).
constexpr std::string_view kMeanSql = R"(
  SELECT coalesce(r.score, r.correct), 1.0, i.cluster, i.subset,
         (SELECT CASE WHEN count(s.correct) > 1
                 THEN avg(s.correct) * (1 - avg(s.correct)) / (count(s.correct) - 1) ELSE 0.0 END
          FROM main.sample s WHERE s.item_result_id = r.id)
  FROM main.item_result r LEFT JOIN main.item i ON i.id = r.item_id
  WHERE r.run_id = ?1 AND coalesce(r.score, r.correct) IS NOT NULL ORDER BY i.ordinal, r.id)";

constexpr std::string_view kRatioSql = R"(
  SELECT -sum(c.logprob_nats), sum(c.bytes), i.cluster, i.subset, 0.0
  FROM main.item_result r JOIN main.continuation c ON c.item_result_id = r.id
  LEFT JOIN main.item i ON i.id = r.item_id
  WHERE r.run_id = ?1 GROUP BY r.id ORDER BY i.ordinal, r.id)";

Result<RunScore> recompute(const Database& database, Id run_id, RunBasis::Mean mean) {
  const bool ratio = mean == RunBasis::Mean::ratio;
  ASSAY_TRY(Statement statement, database.prepare(ratio ? kRatioSql : kMeanSql));
  statement.bind(1, run_id);
  const auto read = [ratio](Columns& in) {
    ItemValue item;
    item.value = in.real() / (ratio ? std::numbers::ln2 : 1.0);  // nats to bits
    item.weight = in.real();
    item.cluster = in.text();
    item.subset = in.text();
    item.variance_within = in.real();
    return item;
  };
  ASSAY_TRY(const std::vector<ItemValue> values, collect<ItemValue>(statement, read, 10'000'000));
  if (mean == RunBasis::Mean::subsets) return score_of_subset_means(values);
  return ratio ? score_of_ratio(values) : score_of_mean(values);
}

Status add_score(const Database& database, RunRow& row, const RunBasis& basis) {
  ASSAY_TRY(RunScore score, recompute(database, row.id, basis.mean));
  if (basis.mean == RunBasis::Mean::ratio &&
      score.n == 0) {  // replayed values without their log-probabilities
    ASSAY_TRY(score, recompute(database, row.id, RunBasis::Mean::items));
  }
  row.n = score.n;
  row.score = score.score;
  row.se_population = score.se_population;
  const bool one_random_answer =
      !basis.greedy && score.se_fixed == 0.0;  // its error on these items is not known
  if (!one_random_answer) row.se_fixed = score.se_fixed;
  row.low = score.low;
  row.high = score.high;
  return {};
}

Status add_counts(const Database& database, RunRow& row) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT count(*) FILTER (WHERE correct = 1), count(*) FILTER (WHERE correct = 0),
           count(*) FILTER (WHERE correct IS NULL), coalesce(sum(router_ties), 0)
    FROM main.item_result WHERE run_id = ?)"));
  statement.bind(1, row.id);
  ASSAY_TRY(const bool found, statement.next());
  ASSAY_CHECK(found);
  Columns in(statement);
  row.correct = in.integer();
  row.wrong = in.integer();
  row.unjudged = in.integer();
  row.router_ties = in.integer();
  return {};
}

}  // namespace

Result<std::vector<RunRow>> run_rows(const Database& database) {
  std::vector<RunBasis> bases;
  const auto read = [&bases](Columns& in) { return read_run(in, bases.emplace_back()); };
  ASSAY_TRY(std::vector<RunRow> rows, collect<RunRow>(database, kRunSql, read));
  ASSAY_CHECK(rows.size() == bases.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSAY_OK(add_score(database, rows[i], bases[i]));
    ASSAY_OK(add_counts(database, rows[i]));
  }
  return rows;
}

Result<std::vector<SubsetRow>> subset_rows(const Database& database, Id run_id) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT i.subset, count(coalesce(r.score, r.correct)), count(*) FILTER (WHERE r.correct = 1),
           avg(coalesce(r.score, r.correct))
    FROM main.item_result r LEFT JOIN main.item i ON i.id = r.item_id
    WHERE r.run_id = ? GROUP BY i.subset ORDER BY min(i.ordinal))"));
  statement.bind(1, run_id);
  return collect<SubsetRow>(statement, [](Columns& in) {
    SubsetRow row;
    row.subset = in.text();
    row.n = in.integer();
    row.correct = in.integer();
    row.score = in.maybe_real();
    return row;
  });
}

}  // namespace assay::shown
