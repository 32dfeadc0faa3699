#include "eval/replay/replay_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "suites/input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTableBytes = std::size_t{64} << 20;
constexpr double kTablePercent = 100;

// ZeroEval's tables print other names than its files have.
const std::map<std::string, std::string>& table_names() {
  static const std::map<std::string, std::string> kNames = {
      {"DeepSeek-Coder-V2-0724", "deepseek-v2-coder-0724"},
      {"Llama-3.1-405B-Inst-fp8", "Llama-3.1-405B-Inst-fp8@together"},
      {"Llama-3.1-405B-Instruct-Turbo", "Llama-3.1-405B-Inst-fp8@together"},
      {"Meta-Llama-3.1-405B-Instruct@hyperbolic", "Llama-3.1-405B-Inst@hyperbolic"},
      {"deepseek-chat", "deepseek-v2-chat-0628"},
      {"deepseek-coder", "deepseek-v2-coder-0614"},
  };
  return kNames;
}

struct Table {
  std::string path, text;
};

// `name` in the folder of the outputs or in one above it, plain or packed.
std::optional<Table> find_table(const std::string& outputs, const std::string& name, int levels) {
  fs::path folder = fs::absolute(outputs).parent_path();
  for (int up = 0; up <= levels; ++up, folder = folder.parent_path()) {
    const auto path = find_packed((folder / name).string());
    if (!path.ok()) continue;
    auto members = read_members(*path, "", kMaxTableBytes);
    if (!members.ok() || members->size() != 1) return std::nullopt;
    return Table{*path, std::move(members->front().text)};
  }
  return std::nullopt;
}

struct JsonTable {
  std::string path;
  Json rows;
};

std::optional<JsonTable> find_json_table(const std::string& outputs, const std::string& name, int levels) {
  const auto table = find_table(outputs, name, levels);
  if (!table) return std::nullopt;
  auto rows = parse_json(table->text, table->path);
  return rows.ok() ? std::optional(JsonTable{table->path, std::move(*rows)}) : std::nullopt;
}

PublishedFigure total_figure(const ReplayResult& result, const std::string& printed, const std::string& source) {
  PublishedFigure figure{"total", printed, fmt::format("{}", result.audit.seen), source, 1, false};
  figure.agrees = figure.ours == figure.published;
  return figure;
}

// A member of `row` that is a number against our metric; nothing where either is missing.
void add_figure(std::vector<PublishedFigure>& out, const ReplayResult& result, const Json& row, const char* member, const char* metric, double scale,
                bool exact, const std::string& source) {
  const auto printed = record_text(row, member);
  const Metric* own = find_metric(result, metric);
  if (printed && own != nullptr) out.push_back(hold_against(metric, own->value, *printed, exact, scale, source));
}

// published/SUITE.summary.json lies beside the suite's folder; `mode` is a folder below that: sampling, greedy@no_cot; greedy for its own.
struct ZeroevalPlace {
  std::string table, mode;
};

std::optional<ZeroevalPlace> find_zeroeval_table(const fs::path& file) {
  std::string mode = "greedy";
  fs::path folder = file.parent_path();
  for (int up = 0; up < 2; ++up) {
    const fs::path table = folder.parent_path() / "published" / (folder.filename().string() + ".summary.json");
    std::error_code ignored;
    if (fs::is_regular_file(table, ignored)) return ZeroevalPlace{table.string(), mode};
    mode = folder.filename().string();
    folder = folder.parent_path();
  }
  return std::nullopt;
}

// Names of models as tables spell them: without a maker's prefix, ASCII letters small.
std::string plain_name(std::string name) {
  if (name.starts_with("Meta-")) name.erase(0, 5);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

std::vector<std::string> table_cells(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto begin = cell.find_first_not_of(" \t\r");
    if (begin != std::string::npos) cells.push_back(cell.substr(begin, cell.find_last_not_of(" \t\r") - begin + 1));
  }
  return cells;
}

}  // namespace

std::vector<PublishedFigure> zeroeval_figures(const ReplayResult& result) {
  const auto place = find_zeroeval_table(fs::absolute(result.file));
  if (!place) return {};
  const auto table = read_json_file(place->table);
  if (!table.ok() || !table->is_array()) return {};
  const auto alias = table_names().find(result.model);
  const std::string& name = alias == table_names().end() ? result.model : alias->second;
  std::vector<PublishedFigure> figures;
  for (const auto& row : *table) {
    if (!row.is_object() || record_text(row, "Model") != name || record_text(row, "Mode") != place->mode) continue;
    add_figure(figures, result, row, "Acc", "accuracy", kTablePercent, false, place->table);
    add_figure(figures, result, row, "No answer", "no_answer", kTablePercent, false, place->table);
    if (const auto total = record_text(row, "Total")) figures.push_back(total_figure(result, *total, place->table));
    break;
  }
  return figures;
}

std::vector<PublishedFigure> bbh_figures(const ReplayResult& result) {
  const auto table = find_json_table(result.file, stem_of(result.file) + "_eval_metrics.jsonl", 0);
  std::vector<PublishedFigure> figures;
  if (table && table->rows.is_object()) add_figure(figures, result, table->rows, "accuracy", "accuracy", kTablePercent, true, table->path);
  return figures;
}

std::vector<PublishedFigure> misguided_attention_figures(const ReplayResult& result) {
  const auto table = find_table(result.file, "published_average_scores.txt", 1);
  const Metric* own = find_metric(result, "accuracy");
  if (!table || own == nullptr) return {};
  std::istringstream lines(table->text);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos || line.substr(0, tab) != result.model) continue;
    const std::string printed = line.substr(tab + 1, line.find_last_not_of("\r ") - tab);
    return {hold_against("accuracy", own->value, printed, false, 1, table->path)};
  }
  return {};
}

std::vector<PublishedFigure> wildbench_figures(const ReplayResult& result) {
  const auto table = find_json_table(result.file, "published_score.json", 1);
  if (!table || !table->rows.is_object() || !table->rows.contains(result.model)) return {};
  const Json& row = table->rows.at(result.model);
  std::vector<PublishedFigure> figures;
  if (!row.is_object()) return figures;
  for (const char* metric : {"score", "adjusted_score", "avg_len"}) add_figure(figures, result, row, metric, metric, 1, true, table->path);
  if (const auto total = record_text(row, "total")) figures.push_back(total_figure(result, *total, table->path));
  return figures;
}

std::vector<PublishedFigure> evalperf_figures(const ReplayResult& result) {
  const auto table = find_json_table(result.file, "published_evalperf_combined.json", 0);
  if (!table || !table->rows.is_object() || !table->rows.contains(result.model)) return {};
  const Json& row = table->rows.at(result.model);
  std::vector<PublishedFigure> figures;
  if (!row.is_object()) return figures;
  for (const char* metric : {"dps", "dps_norm", "pass@1"}) add_figure(figures, result, row, metric, metric, kTablePercent, true, table->path);
  return figures;
}

std::vector<PublishedFigure> mmlu_pro_figures(const ReplayResult& result) {
  auto table = find_table(result.file, "README.upstream.md", 0);
  if (!table) table = find_table(result.file, "README.md", 0);
  const Metric* own = find_metric(result, "accuracy");
  if (!table || own == nullptr) return {};
  std::istringstream lines(table->text);
  for (std::string line; std::getline(lines, line);) {
    const auto cells = table_cells(line);
    if (!line.starts_with('|') || cells.size() < 2 || plain_name(cells[0]) != plain_name(result.model)) continue;
    PublishedFigure figure = hold_against("accuracy", own->value, cells[1], false, kTablePercent, table->path);
    const double printed = std::strtod(cells[1].c_str(), nullptr) / kTablePercent;
    if (result.guess) figure.agrees = printed >= result.guess->low && printed <= result.guess->high;
    return {figure};
  }
  return {};
}

}  // namespace assay
