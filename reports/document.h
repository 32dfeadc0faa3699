// The report as data: sections of paragraphs, plots and tables, made once from query rows and written by every exporter.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "reports/plot/scene.h"
#include "reports/query.h"

namespace assay {

// What a cell shows to people and what it hands to programs.
struct Cell {
  std::string shown;
  std::variant<std::monostate, std::int64_t, double, std::string> value;
  plot::Ink ink = plot::Ink::text;  // a verdict's colour
  bool is_verdict = false;          // shown as a badge with its letter
};

struct Column {
  std::string key;    // CSV header and JSON member: "se_population"
  std::string title;  // for people: "standard error, population"
  bool numeric = false;
};

struct Table {
  std::string key, title, note;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // (rows, columns)
};

struct Section {
  std::string key, title;
  std::vector<std::string> paragraphs;
  std::vector<plot::PlotScene> plots;
  std::vector<Table> tables;
};

struct ReportDocument {
  std::string title, subtitle;
  std::vector<std::pair<std::string, std::size_t>>
      verdict_counts;  // in the order of the five verdicts, then "not decided"
  std::vector<Section> sections;
};

Result<ReportDocument> report_document(const Database& database);

// Tables of each section; used by report_document.
Section verdict_section(const std::vector<ClaimRow>& claims, const std::vector<PartRow>& parts);
Section run_section(const std::vector<RunRow>& runs, const std::vector<ComparisonRow>& comparisons);
Section similarity_section(const std::vector<SimilarityRow>& rows,
                           const std::vector<std::vector<TensorSimilarityRow>>& tensors);
Section cost_section(const std::vector<CostRow>& costs);
Section kernel_section(const std::vector<KernelRow>& kernels);
Section provenance_section(const std::vector<ModelRow>& models, const std::vector<RunRow>& runs,
                           const std::vector<ArtifactRow>& artifacts);
Section limits_section(const std::vector<ClaimRow>& claims, const std::vector<RunRow>& runs,
                       const std::vector<CostRow>& costs);

// Cells from values.
Cell text_cell(const std::string& text);
Cell verdict_cell(const std::string& verdict);
Cell integer_cell(MaybeInt value);
Cell real_cell(MaybeReal value, const std::string& shown);
Cell compact_cell(MaybeReal value);
Cell percent_cell(MaybeReal fraction);

}  // namespace assay
