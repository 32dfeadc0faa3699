// The leaderboard that M-IFEval prints: a table of strict instruction-level percentages by language, published_leaderboard.md in the folder above the
// outputs' languages. Its last column is the mean over Spanish, French and Japanese.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "eval/replay/replay.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBoardBytes = std::size_t{1} << 20;
constexpr std::string_view kTableName = "published_leaderboard.md";

// The names that the table prints for the files' models.
const std::map<std::string, std::string, std::less<>>& printed_names() {
  static const std::map<std::string, std::string, std::less<>> kNames = {
      {"o1-preview-2024-09-12", "o1"},
      {"claude-3-opus-20240229", "Opus"},
      {"claude-3-5-sonnet-20240620", "Sonnet"},
      {"o1-mini-2024-09-12", "o1 Mini"},
      {"gpt-4o-2024-08-06", "GPT4o"},
      {"gpt-4o-mini-2024-07-18", "GPT4o Mini"},
      {"Qwen__Qwen2.5-32B-Instruct-GPTQ-Int4", "Qwen 2.5 32B I. 4-bit"},
      {"Qwen__Qwen2.5-14B-Instruct-GPTQ-Int4", "Qwen 2.5 14B I. 4-bit"},
      {"claude-3-haiku-20240307", "Haiku"},
      {"Qwen__Qwen2.5-7B-Instruct-GPTQ-Int4", "Qwen 2.5 7B I. 4-bit"},
      {"hugging-quants__Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "Llama 3.1 8B I."},
      {"Qwen__Qwen2.5-3B-Instruct-GPTQ-Int4", "Qwen 2.5 3B I. 4-bit"},
      {"mistralai__Mistral-7B-Instruct-v0.3", "Mistral 7B I."},
      {"CohereForAI__aya-23-8B", "Aya 23 8B"},
      {"Qwen__Qwen2.5-1.5B-Instruct-GPTQ-Int4", "Qwen 2.5 1.5B I. 4-bit"},
      {"deepseek-ai__deepseek-llm-7b-chat", "DeepSeek LLM 7B Chat"},
      {"Qwen__Qwen2.5-0.5B-Instruct-GPTQ-Int4", "Qwen 2.5 0.5B I. 4-bit"},
  };
  return kNames;
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string() : std::string(text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1));
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  while (line.starts_with('|')) {
    line.remove_prefix(1);
    const auto end = line.find('|');
    if (end == std::string_view::npos) break;
    cells.push_back(trimmed(line.substr(0, end)));
    line.remove_prefix(end);
  }
  return cells;
}

using BoardRow = std::map<std::string, std::string>;  // column -> cell

// The row of the model in a table of Markdown; no value: no such table or row.
std::optional<BoardRow> find_row(const std::string& table, const std::string& model) {
  const auto name = printed_names().find(model);
  const auto text = read_file(table, kMaxBoardBytes);
  if (name == printed_names().end() || !text.ok()) return std::nullopt;
  std::vector<std::string> header;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const auto cells = cells_of(std::string_view(*text).substr(at, end - at));
    at = end + 1;
    if (header.empty()) header = cells;
    if (cells.empty() || cells.size() != header.size() || cells.front() != name->second) continue;
    BoardRow row;
    for (std::size_t i = 1; i < cells.size(); ++i) row[header[i]] = cells[i];
    return row;
  }
  return std::nullopt;
}

std::string table_of(const std::string& path) { return (fs::absolute(path).parent_path().parent_path() / kTableName).string(); }

std::string column_of(const std::string& suite) { return suite == "ifeval-fr" ? "French" : suite == "ifeval-es" ? "Spanish" : "English*"; }

// The table prints one decimal and drops a final ".0".
PublishedFigure figure_of(std::string metric, double percent, const std::string& published, std::string source) {
  PublishedFigure figure;
  figure.metric = std::move(metric);
  figure.published = published;
  figure.ours = fmt::format("{:.1f}", percent);
  if (published.find('.') == std::string::npos && figure.ours.ends_with(".0")) figure.ours.resize(figure.ours.size() - 2);
  figure.source = std::move(source);
  figure.agrees = figure.ours == figure.published;
  return figure;
}

const Metric* strict_instruction(const ReplayResult& result) {
  const auto at = std::find_if(result.metrics.begin(), result.metrics.end(), [](const Metric& m) { return m.name == "strict_instruction"; });
  return at == result.metrics.end() ? nullptr : &*at;
}

Status record_last_figure(Recorder& recorder, const ReplayResult& result) {
  ReplayResult only = result;
  only.flags.reset();  // recorded with the file already
  only.published = {result.published.back()};
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder.database()));
  ASSAY_OK(record_published(recorder, only));
  return transaction.commit();
}

}  // namespace

std::vector<PublishedFigure> m_ifeval_figures(const ReplayResult& result) {
  const Metric* own = strict_instruction(result);
  if (result.protocol != "m-ifeval" || own == nullptr) return {};
  const std::string table = table_of(result.file);
  const auto row = find_row(table, result.model);
  if (!row || !row->contains(column_of(result.suite))) return {};
  return {figure_of("strict_instruction", 100 * own->value, row->at(column_of(result.suite)), table)};
}

Status add_leaderboard_averages(std::vector<ReplayResult>& results, Recorder* recorder) {
  for (auto& french : results) {
    if (french.suite != "ifeval-fr" || french.protocol != "m-ifeval") continue;
    const auto spanish = std::find_if(results.begin(), results.end(), [&](const ReplayResult& r) {
      return r.suite == "ifeval-es" && r.protocol == french.protocol && r.model == french.model;
    });
    const Metric *fr = strict_instruction(french), *es = spanish == results.end() ? nullptr : strict_instruction(*spanish);
    const auto row = find_row(table_of(french.file), french.model);
    constexpr const char *kAverage = "Average (ES/FR/JA)", *kJapanese = "Japanese";
    if (fr == nullptr || es == nullptr || !row || !row->contains(kAverage) || !row->contains(kJapanese)) continue;
    const double japanese = std::strtod(row->at(kJapanese).c_str(), nullptr);  // as printed: its outputs are not here
    const double mean = (100 * es->value + 100 * fr->value + japanese) / 3;
    french.published.push_back(figure_of("strict_instruction, mean of es, fr and the printed ja", mean, row->at(kAverage), table_of(french.file)));
    if (recorder != nullptr) ASSAY_OK(record_last_figure(*recorder, french));
  }
  return {};
}

}  // namespace assay
