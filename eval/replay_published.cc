// What others printed about stored outputs: figures that lie beside them, and the flags inside them. Each becomes a claim, and the verdict
// on it says whether the stored outputs support it.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "eval/replay.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

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

struct FigurePlace {
  std::string table;  // the file with the published figures
  std::string mode;   // a folder below the suite's: sampling, greedy@no_cot; "greedy" for the suite's own
};

// published/SUITE.summary.json lies beside the suite's folder, which may hold folders of other modes.
std::optional<FigurePlace> find_table(const fs::path& file) {
  std::string mode = "greedy";
  fs::path folder = file.parent_path();
  for (int up = 0; up < 2; ++up) {
    const fs::path table =
        folder.parent_path() / "published" / (folder.filename().string() + ".summary.json");
    std::error_code ignored;
    if (fs::is_regular_file(table, ignored)) return FigurePlace{table.string(), mode};
    mode = folder.filename().string();
    folder = folder.parent_path();
  }
  return std::nullopt;
}

const Metric* find_metric(const ReplayResult& result, std::string_view name) {
  for (const auto& metric : result.metrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

// Our figure in percent with as many decimals as the published one has.
PublishedFigure hold_against(const Metric& metric, const std::string& published, std::string source) {
  const auto dot = published.find('.');
  const auto decimals = dot == std::string::npos ? 0 : published.size() - dot - 1;
  PublishedFigure figure;
  figure.metric = metric.name;
  figure.published = published;
  figure.ours = fmt::format("{:.{}f}", 100 * metric.value, decimals);
  figure.source = std::move(source);
  figure.agrees = figure.ours == figure.published;
  return figure;
}

std::optional<std::string> text_member(const Json& row, const char* name) { return record_text(row, name); }

std::vector<PublishedFigure> figures_of_row(const Json& row, const ReplayResult& result,
                                            const std::string& source) {
  std::vector<PublishedFigure> figures;
  constexpr std::pair<const char*, const char*> kColumns[] = {{"accuracy", "Acc"},
                                                              {"no_answer", "No answer"}};
  for (const auto& [metric, column] : kColumns) {
    const auto published = text_member(row, column);
    const Metric* own = find_metric(result, metric);
    if (published && own != nullptr) figures.push_back(hold_against(*own, *published, source));
  }
  if (const auto total = text_member(row, "Total")) {
    PublishedFigure figure{"total", *total, fmt::format("{}", result.audit.seen), source, false};
    figure.agrees = figure.ours == figure.published;
    figures.push_back(std::move(figure));
  }
  return figures;
}

double number_of(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

VerdictRecord verdict_of(const ReplayResult& result, const std::string& metric, bool holds, double published,
                         double ours) {
  VerdictRecord verdict;
  verdict.verdict = holds ? "reproduced" : "contradicted";
  verdict.run_id = result.run_id;
  verdict.n = result.audit.seen;
  verdict.published = published;
  verdict.measured = ours;
  verdict.speaks_of = "items";
  verdict.fixed_low = ours;
  verdict.fixed_high = ours;
  if (const Metric* own = find_metric(result, metric); own != nullptr && own->low && own->high) {
    verdict.population_low = 100 * *own->low;
    verdict.population_high = 100 * *own->high;
  }
  return verdict;
}

// The outputs by name and digest, never by path.
std::string claim_key(const ReplayResult& result, std::string_view what) {
  return fmt::format("replay/{}/{}/{}/{}/{}", result.suite, result.protocol, result.model,
                     result.digest.substr(0, 12), what);
}

Status record_figure(Recorder& recorder, const ReplayResult& result, const PublishedFigure& figure) {
  ClaimRecord claim;
  claim.key = claim_key(result, figure.metric);
  claim.text = fmt::format("{} of {} on {}: {}", figure.metric, result.model, result.suite, figure.published);
  claim.claimant = "the owner of the stored outputs";
  claim.model_name = result.model;
  claim.suite_name = result.suite;
  claim.protocol_name = result.protocol;
  claim.metric = figure.metric;
  claim.published = figure.published;
  claim.value = number_of(figure.published);
  claim.scale = figure.metric == "total" ? 1 : 100;
  claim.n = result.audit.seen;
  claim.source = fs::path(figure.source).filename().string();
  VerdictRecord verdict =
      verdict_of(result, figure.metric, figure.agrees, claim.value, number_of(figure.ours));
  verdict.test = "same-digits";
  verdict.reason =
      figure.agrees
          ? fmt::format("the stored outputs give {} to the printed digit", figure.ours)
          : fmt::format(
                "published {}, but the stored outputs give {}: a disagreement of published and stored",
                figure.published, figure.ours);
  ASSAY_TRY(verdict.claim_id, recorder.claim(claim));
  ASSAY_OK(recorder.verdict(verdict));
  return {};
}

// The share of right answers by the flags stored in the file.
Status record_flags(Recorder& recorder, const ReplayResult& result) {
  const FlagAgreement& flags = *result.flags;
  const Metric* own = result.metrics.empty() ? nullptr : &result.metrics.front();
  if (own == nullptr || flags.of == 0) return {};
  const double share = 100.0 * static_cast<double>(flags.flagged_right) / static_cast<double>(flags.of);
  ClaimRecord claim;
  claim.key = claim_key(result, "flags");
  claim.published = fmt::format("{:.2f}", share);
  claim.text = fmt::format("{} of {} outputs of {} on {} are right by the file's own flags",
                           flags.flagged_right, flags.of, result.model, result.suite);
  claim.claimant = "the owner of the stored outputs";
  claim.model_name = result.model;
  claim.suite_name = result.suite;
  claim.protocol_name = result.protocol;
  claim.metric = own->name;
  claim.value = share;
  claim.scale = 100;
  claim.n = flags.of;
  claim.source = fs::path(result.file).filename().string();
  VerdictRecord verdict = verdict_of(result, own->name, flags.agree == flags.of, share, 100 * own->value);
  verdict.test = "flag-by-flag";
  verdict.reason = fmt::format("{} of {} stored flags equal our own judgement", flags.agree, flags.of);
  ASSAY_TRY(verdict.claim_id, recorder.claim(claim));
  ASSAY_OK(recorder.verdict(verdict));
  return {};
}

}  // namespace

std::vector<PublishedFigure> find_published(const std::string& path, const ReplayResult& result) {
  if (result.protocol != "zeroeval") return {};
  const auto place = find_table(fs::absolute(path));
  if (!place) return {};
  auto table = read_json_file(place->table);
  if (!table.ok() || !table->is_array()) return {};
  const auto alias = table_names().find(result.model);
  const std::string& name = alias == table_names().end() ? result.model : alias->second;
  for (const auto& row : *table) {
    if (!row.is_object() || text_member(row, "Model") != name || text_member(row, "Mode") != place->mode)
      continue;
    return figures_of_row(row, result, place->table);
  }
  return {};
}

Status record_published(Recorder& recorder, const ReplayResult& result) {
  for (const auto& figure : result.published) ASSAY_OK(record_figure(recorder, result, figure));
  if (result.flags) ASSAY_OK(record_flags(recorder, result));
  return {};
}

}  // namespace assay
