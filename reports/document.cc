#include "reports/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/check.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay {
namespace {

constexpr std::array<const char*, 5> kVerdicts = {"reproduced", "contradicted", "undecided",
                                                  "protocol-mismatch", "impossible"};
constexpr std::size_t kShownTensors = 60;  // those that differ most; the database has all

std::vector<std::pair<std::string, std::size_t>> count_verdicts(const std::vector<ClaimRow>& claims) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  std::size_t decided = 0;
  for (const char* verdict : kVerdicts) {
    const auto n = std::count_if(claims.begin(), claims.end(),
                                 [&](const ClaimRow& claim) { return claim.verdict == verdict; });
    counts.emplace_back(verdict, static_cast<std::size_t>(n));
    decided += static_cast<std::size_t>(n);
  }
  ASSAY_CHECK(decided <= claims.size());
  counts.emplace_back("not decided", claims.size() - decided);
  return counts;
}

}  // namespace

Cell text_cell(const std::string& text) { return {text, text.empty() ? decltype(Cell::value)() : text}; }

Cell verdict_cell(const std::string& verdict) {
  Cell cell{verdict.empty() ? "not decided" : verdict, verdict};
  cell.ink = plot::ink_of_verdict(verdict);
  cell.is_verdict = true;
  return cell;
}

Cell integer_cell(MaybeInt value) { return value ? Cell{std::to_string(*value), *value} : Cell{"-", {}}; }
Cell real_cell(MaybeReal value, const std::string& shown) {
  return value ? Cell{shown, *value} : Cell{"-", {}};
}
Cell compact_cell(MaybeReal value) { return real_cell(value, value ? compact_number(*value) : ""); }
Cell percent_cell(MaybeReal fraction) { return real_cell(fraction, percent_text(fraction)); }

Result<ReportDocument> report_document(const Database& database) {
  ASSAY_TRY(const std::vector<ClaimRow> claims, claim_rows(database));
  ASSAY_TRY(const std::vector<PartRow> parts, part_rows(database));
  ASSAY_TRY(const std::vector<RunRow> runs, run_rows(database));
  ASSAY_TRY(const std::vector<ComparisonRow> comparisons, comparison_rows(database));
  ASSAY_TRY(const std::vector<SimilarityRow> similarities, similarity_rows(database));
  ASSAY_TRY(const std::vector<CostRow> costs, cost_rows(database));
  ASSAY_TRY(const std::vector<KernelRow> kernels, kernel_rows(database));
  ASSAY_TRY(const std::vector<ModelRow> models, model_rows(database));
  ASSAY_TRY(const std::vector<ArtifactRow> artifacts, artifact_rows(database));
  std::vector<std::vector<TensorSimilarityRow>> tensors;
  for (const SimilarityRow& row : similarities) {
    ASSAY_TRY(std::vector<TensorSimilarityRow> found, tensor_similarity_rows(database, row.id));
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a.rel_error.value_or(2) > b.rel_error.value_or(2);
    });
    if (found.size() > kShownTensors) found.resize(kShownTensors);
    tensors.push_back(std::move(found));
  }
  ReportDocument document;
  document.title = "assay report";
  document.subtitle = fmt::format("{} claims, {} runs, from {}", claims.size(), runs.size(),
                                  std::filesystem::path(database.path()).filename().string());
  document.verdict_counts = count_verdicts(claims);
  document.sections = {verdict_section(claims, parts),
                       run_section(runs, comparisons),
                       similarity_section(similarities, tensors),
                       cost_section(costs),
                       kernel_section(kernels),
                       provenance_section(models, runs, artifacts),
                       limits_section(claims, runs, costs)};
  return document;
}

}  // namespace assay
