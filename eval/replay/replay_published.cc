// What others printed about stored outputs: figures that lie beside them, and the flags inside them. Each becomes a claim, and the verdict
// on it says whether the stored outputs support it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "eval/replay/replay.h"
#include "eval/replay/replay_tables.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Two programs that sum the same numbers in another order differ by less than this, relative to the sum.
constexpr double kSumError = 1e-12;

struct TableReader {
  std::string_view format;
  std::vector<PublishedFigure> (*read)(const ReplayResult& result);
};

constexpr TableReader kTables[] = {
    {"bbh", bbh_figures},           {"evalplus", evalperf_figures},   {"misguided-attention", misguided_attention_figures},
    {"m-ifeval", m_ifeval_figures},         {"mmlu-pro", mmlu_pro_figures}, {"wildbench", wildbench_figures}, {"zeroeval", zeroeval_figures},
};

double number_of(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

VerdictRecord verdict_of(const ReplayResult& result, const std::string& metric, bool holds, double published,
                         double ours, double scale) {
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
    verdict.population_low = scale * *own->low;
    verdict.population_high = scale * *own->high;
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
  claim.key = claim_key(result, fmt::format("{}@{}", figure.metric, fs::path(figure.source).filename().string()));
  claim.text = fmt::format("{} of {} on {}: {}", figure.metric, result.model, result.suite, figure.published);
  claim.claimant = "the owner of the stored outputs";
  claim.model_name = result.model;
  claim.suite_name = result.suite;
  claim.protocol_name = result.protocol;
  claim.metric = figure.metric;
  claim.published = figure.published;
  claim.value = number_of(figure.published);
  claim.scale = figure.scale;
  claim.n = result.audit.seen;
  claim.source = fs::path(figure.source).filename().string();
  VerdictRecord verdict =
      verdict_of(result, figure.metric, figure.agrees, claim.value, number_of(figure.ours), figure.scale);
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
  VerdictRecord verdict = verdict_of(result, own->name, flags.agree == flags.of, share, 100 * own->value, 100);
  verdict.test = "flag-by-flag";
  verdict.reason = fmt::format("{} of {} stored flags equal our own judgement", flags.agree, flags.of);
  ASSAY_TRY(verdict.claim_id, recorder.claim(claim));
  ASSAY_OK(recorder.verdict(verdict));
  return {};
}

}  // namespace

const Metric* find_metric(const ReplayResult& result, std::string_view name) {
  for (const auto& metric : result.metrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

PublishedFigure hold_against(const std::string& metric, double ours, const std::string& printed, bool exact_double, double scale, std::string source) {
  const double value = scale * ours, slack = kSumError * std::max(1.0, std::abs(value));
  PublishedFigure figure{metric, printed, {}, std::move(source), scale, false};
  if (exact_double) {
    figure.ours = fmt::format("{}", value);
    figure.agrees = std::abs(number_of(printed) - value) <= slack;
    return figure;
  }
  const auto dot = printed.find('.');
  const auto decimals = dot == std::string::npos ? 0 : printed.size() - dot - 1;
  const auto rounded = [&](double v) { return fmt::format("{:.{}f}", v, decimals); };
  figure.ours = rounded(value);
  figure.agrees = figure.ours == printed || rounded(value - slack) == printed || rounded(value + slack) == printed;
  return figure;
}

std::vector<PublishedFigure> find_published(const ReplayResult& result, const std::string& format, const std::vector<StoredFigure>& inside) {
  std::vector<PublishedFigure> figures;
  for (const auto& own : inside) {
    const Metric* metric = own.model.empty() || own.model == result.model ? find_metric(result, own.metric) : nullptr;
    if (metric != nullptr) figures.push_back(hold_against(own.metric, metric->value, own.printed, true, own.scale, result.file));
  }
  const auto at = std::find_if(std::begin(kTables), std::end(kTables), [&](const TableReader& t) { return t.format == format; });
  if (at == std::end(kTables)) return figures;
  const auto beside = at->read(result);
  figures.insert(figures.end(), beside.begin(), beside.end());
  return figures;
}

Status record_published(Recorder& recorder, const ReplayResult& result) {
  for (const auto& figure : result.published) ASSAY_OK(record_figure(recorder, result, figure));
  if (result.flags) ASSAY_OK(record_flags(recorder, result));
  return {};
}

}  // namespace assay
