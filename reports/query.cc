#include "reports/query.h"

#include "reports/query_rows.h"

namespace assay::shown {

char verdict_letter(const std::string& verdict) {
  if (verdict == "reproduced") return 'R';
  if (verdict == "contradicted") return 'C';
  if (verdict == "undecided") return 'U';
  if (verdict == "protocol-mismatch") return 'P';
  if (verdict == "impossible") return 'I';
  return '-';
}

namespace {

void read_claim(Columns& in, ClaimRow& row) {
  row.id = in.integer();
  row.key = in.text();
  row.text = in.text();
  row.claimant = in.text();
  row.model = in.text();
  row.suite = in.text();
  row.protocol = in.text();
  row.metric = in.text();
  row.subset = in.text();
  row.relation = in.text();
  row.published = in.text();
  row.value = in.real();
  row.scale = in.real();
  row.claimed_n = in.maybe_integer();
  row.claimed_samples = in.maybe_integer();
  row.against = in.text();
  row.source = in.text();
  row.expected_verdict = in.text();
}

void read_verdict(Columns& in, ClaimRow& row) {
  row.verdict_id = in.maybe_integer();
  row.verdict = in.text();
  row.run_id = in.maybe_integer();
  row.against_run_id = in.maybe_integer();
  row.holds_under_run_id = in.maybe_integer();
  row.measured = in.maybe_real();
  row.n = in.maybe_integer();
  row.test = in.text();
  row.p = in.maybe_real();
  row.p_adjusted = in.maybe_real();
  row.margin = in.maybe_real();
  row.margin_origin = in.text();
  row.level = in.maybe_real();
  row.fixed_low = in.maybe_real();
  row.fixed_high = in.maybe_real();
  row.population_low = in.maybe_real();
  row.population_high = in.maybe_real();
  row.speaks_of = in.text();
  row.reason = in.text();
  row.hangs_on = in.text();
  row.next = in.text();
  row.decided_at_utc = in.text();
}

}  // namespace

Result<std::vector<ClaimRow>> claim_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT c.id, c.key, c.text, c.claimant, c.model_name, c.suite_name, c.protocol_name, c.metric, c.subset, c.relation,
           c.published, c.value, c.scale, c.n, c.samples, c.against, c.source, c.expected_verdict,
           v.id, v.verdict, v.run_id, v.against_run_id, v.holds_under_run_id, v.measured, v.n, v.test, v.p, v.p_adjusted,
           v.margin, v.margin_origin, v.level, v.fixed_low, v.fixed_high, v.population_low, v.population_high, v.speaks_of,
           v.reason, v.hangs_on, v.next, v.decided_at_utc
    FROM main.claim c
    LEFT JOIN main.verdict v ON v.id = (SELECT max(w.id) FROM main.verdict w WHERE w.claim_id = c.id)
    ORDER BY c.id)";
  return collect<ClaimRow>(database, kSql, [](Columns& in) {
    ClaimRow row;
    read_claim(in, row);
    read_verdict(in, row);
    return row;
  });
}

Result<std::vector<PartRow>> part_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT c.key, y.suite_name, y.protocol_name, y.metric, y.subset, y.weight, c.scale, y.run_id, y.measured, y.se_population, y.n, y.of_items, y.missing
    FROM main.claim c
    JOIN main.verdict_part y ON y.verdict_id = (SELECT max(w.id) FROM main.verdict w WHERE w.claim_id = c.id)
    ORDER BY c.id, y.ordinal)";
  return collect<PartRow>(database, kSql, [](Columns& in) {
    PartRow row;
    row.claim = in.text();
    row.suite = in.text();
    row.protocol = in.text();
    row.metric = in.text();
    row.subset = in.text();
    row.weight = in.real();
    row.scale = in.real();
    row.run_id = in.maybe_integer();
    row.measured = in.maybe_real();
    row.se_population = in.maybe_real();
    row.n = in.maybe_integer();
    row.of_items = in.maybe_integer();
    row.missing = in.text();
    return row;
  });
}

Result<std::vector<ModelRow>> model_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT m.id, m.name, m.family, m.architecture, m.identity, m.conventions_json, m.params_stored, m.params_total,
           m.params_active, m.context_length_tokens, w.digest, c.digest, t.digest, p.digest
    FROM main.model m
    LEFT JOIN main.artifact w ON w.id = m.weights_artifact_id
    LEFT JOIN main.artifact c ON c.id = m.config_artifact_id
    LEFT JOIN main.artifact t ON t.id = m.tokenizer_artifact_id
    LEFT JOIN main.artifact p ON p.id = m.template_artifact_id
    ORDER BY m.id)";
  return collect<ModelRow>(database, kSql, [](Columns& in) {
    ModelRow row;
    row.id = in.integer();
    row.name = in.text();
    row.family = in.text();
    row.architecture = in.text();
    row.identity = in.text();
    row.conventions_json = in.text();
    row.params_stored = in.maybe_integer();
    row.params_total = in.maybe_integer();
    row.params_active = in.maybe_integer();
    row.context_length_tokens = in.maybe_integer();
    row.weights_digest = in.text();
    row.config_digest = in.text();
    row.tokenizer_digest = in.text();
    row.template_digest = in.text();
    return row;
  });
}

Result<std::vector<ComparisonRow>> comparison_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT c.id, c.run_a_id, c.run_b_id, ma.name, mb.name, s.name, p.name, c.n, c.delta, c.gained, c.lost, c.test, c.p,
           c.low, c.high, c.level
    FROM main.comparison c
    LEFT JOIN main.run a ON a.id = c.run_a_id LEFT JOIN main.run b ON b.id = c.run_b_id
    LEFT JOIN main.model ma ON ma.id = a.model_id LEFT JOIN main.model mb ON mb.id = b.model_id
    LEFT JOIN main.suite s ON s.id = a.suite_id LEFT JOIN main.protocol p ON p.id = a.protocol_id
    ORDER BY c.id)";
  return collect<ComparisonRow>(database, kSql, [](Columns& in) {
    ComparisonRow row;
    row.id = in.integer();
    row.run_a_id = in.integer();
    row.run_b_id = in.integer();
    row.a = in.text();
    row.b = in.text();
    row.suite = in.text();
    row.protocol = in.text();
    row.n = in.integer();
    row.delta = in.real();
    row.gained = in.maybe_integer();
    row.lost = in.maybe_integer();
    row.test = in.text();
    row.p = in.maybe_real();
    row.low = in.maybe_real();
    row.high = in.maybe_real();
    row.level = in.real();
    return row;
  });
}

Result<std::vector<SimilarityRow>> similarity_rows(const Database& database) {
  constexpr std::string_view kSql = R"(
    SELECT id, kind, a, b, test, statistic, effect, low, high, p, p_adjusted, p_min, n, panel, verdict, does_not_show
    FROM main.similarity ORDER BY id)";
  return collect<SimilarityRow>(database, kSql, [](Columns& in) {
    SimilarityRow row;
    row.id = in.integer();
    row.kind = in.text();
    row.a = in.text();
    row.b = in.text();
    row.test = in.text();
    row.statistic = in.maybe_real();
    row.effect = in.maybe_real();
    row.low = in.maybe_real();
    row.high = in.maybe_real();
    row.p = in.maybe_real();
    row.p_adjusted = in.maybe_real();
    row.p_min = in.maybe_real();
    row.n = in.integer();
    row.panel = in.text();
    row.verdict = in.text();
    row.does_not_show = in.text();
    return row;
  });
}

Result<std::vector<TensorSimilarityRow>> tensor_similarity_rows(const Database& database, Id similarity_id) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT name, status, rel_error, cosine, max_abs FROM main.tensor_similarity WHERE similarity_id = ? ORDER BY name)"));
  statement.bind(1, similarity_id);
  return collect<TensorSimilarityRow>(statement, [](Columns& in) {
    TensorSimilarityRow row;
    row.name = in.text();
    row.status = in.text();
    row.rel_error = in.maybe_real();
    row.cosine = in.maybe_real();
    row.max_abs = in.maybe_real();
    return row;
  });
}

Result<std::vector<ArtifactRow>> artifact_rows(const Database& database) {
  constexpr std::string_view kSql =
      "SELECT kind, name, digest, size_bytes FROM main.artifact ORDER BY kind, name, digest";
  return collect<ArtifactRow>(database, kSql, [](Columns& in) {
    ArtifactRow row;
    row.kind = in.text();
    row.name = in.text();
    row.digest = in.text();
    row.size_bytes = in.maybe_integer();
    return row;
  });
}

Result<std::vector<EventRow>> event_rows(const Database& database, int limit) {
  ASSAY_TRY(
      Statement statement,
      database.prepare("SELECT id, at_utc, kind, message, run_id FROM main.event ORDER BY id DESC LIMIT ?"));
  statement.bind(1, limit);
  return collect<EventRow>(statement, [](Columns& in) {
    EventRow row;
    row.id = in.integer();
    row.at_utc = in.text();
    row.kind = in.text();
    row.message = in.text();
    row.run_id = in.maybe_integer();
    return row;
  });
}

}  // namespace assay::shown
