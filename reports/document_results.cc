// Sections of the report on results: verdicts, runs, similarity.
#include <fmt/format.h>

#include "base/check.h"
#include "reports/document.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay {
namespace {

std::string unit_of(const ClaimRow& claim) { return claim.scale == 100 ? " %" : ""; }

std::string figure(MaybeReal value, const ClaimRow& claim) {
  if (!value) return "-";
  return claim.scale == 100 ? fmt::format("{:.1f} %", *value) : compact_number(*value);
}

Cell interval_cell(MaybeReal low, MaybeReal high, const ClaimRow& claim) {
  if (!low || !high) return {"-", {}};
  const std::string text = claim.scale == 100
                               ? fmt::format("{:.1f} to {:.1f} %", *low, *high)
                               : fmt::format("{} to {}", compact_number(*low), compact_number(*high));
  return {text, text};
}

std::string where(const ClaimRow& claim) {
  std::string text = claim.model;
  for (const std::string* part : {&claim.suite, &claim.protocol, &claim.subset}) {
    if (!part->empty()) text += ", " + *part;
  }
  return claim.against.empty() ? text : text + ", against " + claim.against;
}

std::vector<Cell> claim_cells(const ClaimRow& claim) {
  return {verdict_cell(claim.verdict),
          text_cell(claim.key),
          text_cell(claim.text),
          text_cell(claim.reason),
          {claim.published + unit_of(claim), claim.value},
          real_cell(claim.measured, figure(claim.measured, claim)),
          integer_cell(claim.n),
          interval_cell(claim.fixed_low, claim.fixed_high, claim),
          interval_cell(claim.population_low, claim.population_high, claim),
          text_cell(claim.speaks_of),
          text_cell(claim.test),
          real_cell(claim.p, p_text(claim.p)),
          real_cell(claim.p_adjusted, p_text(claim.p_adjusted)),
          real_cell(claim.margin, figure(claim.margin, claim)),
          text_cell(where(claim)),
          text_cell(claim.hangs_on),
          text_cell(claim.next),
          text_cell(claim.source),
          text_cell(claim.expected_verdict)};
}

std::string score_text(const RunRow& run) {
  if (!run.score) return "-";
  return run.metric == "bits_per_byte" || run.metric == "mean_logprob" ? fmt::format("{:.4f}", *run.score)
                                                                       : percent_text(run.score);
}

Cell error_cell(MaybeReal error, const RunRow& run) {
  const bool percent = score_text(run).ends_with("%");
  return real_cell(error,
                   error ? fmt::format("{:.{}f}", percent ? *error * 100 : *error, percent ? 1 : 4) : "");
}

std::vector<Cell> run_cells(const RunRow& run) {
  return {integer_cell(run.id),
          text_cell(run.kind),
          text_cell(run.model),
          text_cell(run.suite),
          text_cell(run.protocol),
          text_cell(run.metric),
          real_cell(run.score, score_text(run)),
          error_cell(run.se_population, run),
          error_cell(run.se_fixed, run),
          error_cell(run.low, run),
          error_cell(run.high, run),
          integer_cell(run.n),
          text_cell(run.status)};
}

std::vector<Cell> audit_cells(const RunRow& run) {
  return {integer_cell(run.id),
          text_cell(run.model + ", " + run.suite + ", " + run.protocol),
          integer_cell(run.expected),
          integer_cell(run.seen),
          integer_cell(run.correct),
          integer_cell(run.wrong),
          integer_cell(run.unjudged),
          integer_cell(run.malformed),
          integer_cell(run.duplicated),
          integer_cell(run.truncated),
          integer_cell(run.unextractable),
          integer_cell(run.fallback),
          integer_cell(run.harness_faults),
          integer_cell(run.router_ties)};
}

std::vector<Cell> effort_cells(const RunRow& run) {
  return {integer_cell(run.id),
          text_cell(run.model + ", " + run.suite + ", " + run.protocol),
          integer_cell(run.tokens_asked),
          integer_cell(run.tokens_computed),
          integer_cell(run.tokens_generated),
          real_cell(run.seconds, maybe_text(run.seconds, 2)),
          real_cell(run.cost_usd, run.cost_usd ? fmt::format("{:.6f}", *run.cost_usd) : ""),
          real_cell(run.usd_per_hour, maybe_text(run.usd_per_hour, 4)),
          text_cell(run.price_source),
          text_cell(run.recipe),
          text_cell(run.kernel_set),
          text_cell(run.backend),
          integer_cell(run.threads),
          text_cell(run.device)};
}

Table comparison_table(const std::vector<ComparisonRow>& rows) {
  Table table{.key = "comparisons",
              .title = "Comparisons on the same items",
              .note = "Difference: second minus first.",
              .columns = {{"a", "first"},
                          {"b", "second"},
                          {"suite", "suite"},
                          {"protocol", "protocol"},
                          {"n", "n", true},
                          {"delta", "difference", true},
                          {"gained", "gained", true},
                          {"lost", "lost", true},
                          {"test", "test"},
                          {"p", "p", true},
                          {"low", "low", true},
                          {"high", "high", true}},
              .rows = {}};
  for (const ComparisonRow& row : rows) {
    table.rows.push_back({text_cell(row.a), text_cell(row.b), text_cell(row.suite), text_cell(row.protocol),
                          integer_cell(row.n), percent_cell(row.delta), integer_cell(row.gained),
                          integer_cell(row.lost), text_cell(row.test), real_cell(row.p, p_text(row.p)),
                          percent_cell(row.low), percent_cell(row.high)});
  }
  return table;
}

Table tensor_table(const SimilarityRow& pair, const std::vector<TensorSimilarityRow>& rows) {
  Table table{.key = fmt::format("tensors-{}", pair.id),
              .title = fmt::format("Tensors of {} and {} that differ most", pair.a, pair.b),
              .note = "",
              .columns = {{"name", "tensor"},
                          {"status", "status"},
                          {"rel_error", "relative error", true},
                          {"cosine", "cosine", true},
                          {"max_abs", "largest difference", true}},
              .rows = {}};
  for (const TensorSimilarityRow& row : rows) {
    table.rows.push_back({text_cell(row.name), text_cell(row.status), compact_cell(row.rel_error),
                          real_cell(row.cosine, maybe_text(row.cosine, 6)), compact_cell(row.max_abs)});
  }
  return table;
}

std::string part_figure(MaybeReal value, const PartRow& part) {
  if (!value) return "-";
  return part.scale == 100 ? fmt::format("{:.2f}", *value) : fmt::format("{:.4g}", *value);
}

Table parts_table(const std::vector<PartRow>& parts) {
  Table table{.key = "parts",
              .title = "Figures that join several measurements, part by part",
              .note = "The whole is the sum of weight times part. Parts on the same items move together, which the interval of the whole holds.",
              .columns = {{"claim", "claim"}, {"suite", "suite"}, {"subset", "sub-task"}, {"protocol", "protocol"}, {"metric", "metric"}, {"weight", "weight", true},
                          {"measured", "measured", true}, {"se", "standard error", true}, {"n", "items", true}, {"of", "drawn from", true}, {"run", "run", true},
                          {"missing", "why it was not measured"}},
              .rows = {}};
  for (const PartRow& part : parts) {
    table.rows.push_back({text_cell(part.claim), text_cell(part.suite), text_cell(part.subset), text_cell(part.protocol), text_cell(part.metric),
                          compact_cell(part.weight), real_cell(part.measured, part_figure(part.measured, part)),
                          real_cell(part.se_population, part_figure(part.se_population, part)), integer_cell(part.n), integer_cell(part.of_items),
                          integer_cell(part.run_id), text_cell(part.missing)});
  }
  return table;
}

}  // namespace

Section verdict_section(const std::vector<ClaimRow>& claims, const std::vector<PartRow>& parts) {
  Section section{.key = "verdicts", .title = "Verdicts", .paragraphs = {}, .plots = {}, .tables = {}};
  if (claims.empty()) {
    section.paragraphs.push_back("The database holds no claims yet; assay verify decides them.");
    return section;
  }
  section.plots.push_back(plot::forest_plot(claims));
  Table table{.key = "claims",
              .title = "Every claim with the reason of its verdict",
              .note =
                  "Intervals at 95 % unless the test says otherwise. \"These items\" asks about exactly the "
                  "questions that were put, "
                  "\"population\" about questions of their kind.",
              .columns = {{"verdict", "verdict"},
                          {"claim", "claim"},
                          {"text", "what is claimed"},
                          {"reason", "reason"},
                          {"published", "published", true},
                          {"measured", "measured", true},
                          {"n", "n", true},
                          {"interval_fixed", "these items"},
                          {"interval_population", "population"},
                          {"speaks_of", "speaks of"},
                          {"test", "test"},
                          {"p", "p", true},
                          {"p_adjusted", "p adjusted", true},
                          {"margin", "margin", true},
                          {"where", "model, suite, protocol"},
                          {"hangs_on", "hangs on"},
                          {"next", "next"},
                          {"source", "source"},
                          {"expected_verdict", "expected"}},
              .rows = {}};
  for (const ClaimRow& claim : claims) table.rows.push_back(claim_cells(claim));
  section.tables.push_back(std::move(table));
  if (!parts.empty()) section.tables.push_back(parts_table(parts));
  return section;
}

Section run_section(const std::vector<RunRow>& runs, const std::vector<ComparisonRow>& comparisons) {
  Section section{.key = "runs", .title = "Runs", .paragraphs = {}, .plots = {}, .tables = {}};
  if (runs.empty()) section.paragraphs.push_back("No run is recorded yet.");
  Table scores{.key = "runs",
               .title = "Scores, recomputed from the items",
               .note =
                   "Standard errors in the score's unit. The interval is on the population, 95 %: Wilson's "
                   "for right-or-wrong scores.",
               .columns = {{"run", "run", true},
                           {"kind", "kind"},
                           {"model", "model"},
                           {"suite", "suite"},
                           {"protocol", "protocol"},
                           {"metric", "metric"},
                           {"score", "score", true},
                           {"se_population", "s.e. population", true},
                           {"se_fixed", "s.e. these items", true},
                           {"low", "low", true},
                           {"high", "high", true},
                           {"n", "n", true},
                           {"status", "status"}},
               .rows = {}};
  Table audit{.key = "audit",
              .title = "Audit: what each score rests on",
              .note = "Router ties: decisions of the expert router closer than 1e-5.",
              .columns = {{"run", "run", true},
                          {"what", "run of"},
                          {"expected", "expected", true},
                          {"seen", "seen", true},
                          {"right", "right", true},
                          {"wrong", "wrong", true},
                          {"unjudged", "not judged", true},
                          {"malformed", "malformed", true},
                          {"duplicated", "duplicated", true},
                          {"truncated", "truncated", true},
                          {"unextractable", "no answer found", true},
                          {"fallback", "by fallback", true},
                          {"harness_faults", "harness faults", true},
                          {"router_ties", "router ties", true}},
              .rows = {}};
  Table effort{.key = "effort",
               .title = "Tokens, time and cost",
               .note = "",
               .columns = {{"run", "run", true},
                           {"what", "run of"},
                           {"tokens_asked", "tokens asked", true},
                           {"tokens_computed", "computed", true},
                           {"tokens_generated", "generated", true},
                           {"seconds", "seconds", true},
                           {"cost_usd", "USD", true},
                           {"usd_per_hour", "USD per hour", true},
                           {"price_source", "price from"},
                           {"recipe", "recipe"},
                           {"kernel_set", "kernels"},
                           {"backend", "backend"},
                           {"threads", "threads", true},
                           {"device", "machine"}},
               .rows = {}};
  for (const RunRow& run : runs) {
    scores.rows.push_back(run_cells(run));
    audit.rows.push_back(audit_cells(run));
    effort.rows.push_back(effort_cells(run));
  }
  if (!runs.empty()) section.tables = {std::move(scores), std::move(audit), std::move(effort)};
  if (!comparisons.empty()) section.tables.push_back(comparison_table(comparisons));
  return section;
}

Section similarity_section(const std::vector<SimilarityRow>& rows,
                           const std::vector<std::vector<TensorSimilarityRow>>& tensors) {
  ASSAY_CHECK(tensors.size() == rows.size());
  Section section{.key = "similarity", .title = "Similarity", .paragraphs = {}, .plots = {}, .tables = {}};
  if (rows.empty()) {
    section.paragraphs.push_back("No outputs or weights were held against each other.");
    return section;
  }
  for (const plot::SimilarityMatrix& matrix : plot::similarity_matrices(rows)) {
    section.plots.push_back(plot::similarity_plot(matrix, rows));
  }
  Table table{
      .key = "similarity",
      .title = "Pairs",
      .note = "Without a panel of unrelated models there is no null, and the verdict stays INCONCLUSIVE.",
      .columns = {{"kind", "of"},
                  {"a", "first"},
                  {"b", "second"},
                  {"test", "test"},
                  {"statistic", "statistic", true},
                  {"effect", "effect", true},
                  {"low", "low", true},
                  {"high", "high", true},
                  {"p", "p", true},
                  {"p_adjusted", "p adjusted", true},
                  {"p_min", "smallest p possible", true},
                  {"n", "n", true},
                  {"panel", "panel"},
                  {"verdict", "verdict"},
                  {"does_not_show", "does not show"}},
      .rows = {}};
  for (const SimilarityRow& row : rows) {
    table.rows.push_back({text_cell(row.kind), text_cell(row.a), text_cell(row.b), text_cell(row.test),
                          compact_cell(row.statistic), compact_cell(row.effect), compact_cell(row.low),
                          compact_cell(row.high), real_cell(row.p, p_text(row.p)),
                          real_cell(row.p_adjusted, p_text(row.p_adjusted)),
                          real_cell(row.p_min, p_text(row.p_min)), integer_cell(row.n), text_cell(row.panel),
                          text_cell(row.verdict), text_cell(row.does_not_show)});
  }
  section.tables.push_back(std::move(table));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!tensors[i].empty()) section.tables.push_back(tensor_table(rows[i], tensors[i]));
  }
  return section;
}

}  // namespace assay
