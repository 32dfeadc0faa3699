// Similarity of outputs as rows, JSON and text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/compare/similarity_outputs.h"

namespace assay {
namespace {

Json number(const std::optional<double>& value) { return value ? finite_or_null(*value) : Json(nullptr); }

}  // namespace

Status record_output_similarity(Database& database, const std::vector<OutputSimilarity>& rows) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(database));
  ASSAY_TRY(Statement remove, database.prepare("DELETE FROM similarity WHERE kind = 'outputs' AND a = ? AND b = ? AND test = ?"));
  ASSAY_TRY(Statement insert, database.prepare("INSERT INTO similarity (kind, a, b, test, statistic, effect, low, high, p, p_adjusted, p_min, n, panel, "
                                               "verdict, does_not_show) VALUES ('outputs', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const OutputSimilarity& row : rows) {
    ASSAY_OK(remove.with(row.a, row.b, row.test).run());
    const std::optional<std::string> panel = row.panel.empty() ? std::nullopt : std::optional(row.panel);
    insert.with(row.a, row.b, row.test, row.statistic, row.effect, row.low, row.high, row.p, row.p_adjusted, row.p_min, row.n, panel, row.verdict,
                row.does_not_show);
    ASSAY_OK(insert.run());
  }
  return transaction.commit();
}

Json output_similarity_json(const std::vector<OutputSimilarity>& rows) {
  Json pairs = Json::array();
  for (const OutputSimilarity& row : rows) {
    pairs.push_back({{"a", row.a}, {"b", row.b}, {"test", row.test}, {"statistic", number(row.statistic)}, {"effect", number(row.effect)},
                     {"low", number(row.low)}, {"high", number(row.high)}, {"p", number(row.p)}, {"p_adjusted", number(row.p_adjusted)},
                     {"p_min", number(row.p_min)}, {"n", row.n}, {"panel", row.panel.empty() ? Json(nullptr) : Json(row.panel)},
                     {"verdict", row.verdict}, {"does_not_show", row.does_not_show}});
  }
  return {{"pairs", std::move(pairs)}};
}

std::string output_similarity_text(const std::vector<OutputSimilarity>& rows) {
  std::string text;
  for (const OutputSimilarity& row : rows) {
    text += fmt::format("{} and {}, {}: {:.4f} over {} prompts", row.a, row.b, row.test, row.statistic.value_or(0), row.n);
    if (row.effect) text += fmt::format(", {:+.3g} above the panel", *row.effect);
    if (row.p) text += fmt::format(", p {:.4f} (smallest possible {:.4f}), adjusted {:.4f}", *row.p, *row.p_min, *row.p_adjusted);
    text += fmt::format("\n  {}\n", row.verdict);
  }
  if (!rows.empty()) text += rows.front().does_not_show;
  return text;
}

}  // namespace assay
