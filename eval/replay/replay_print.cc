// Replays as JSON (INTERFACE) and as lines for people.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/replay/replay.h"

namespace assay {
namespace {

Json flags_json(const FlagAgreement& flags) {
  return Json{{"agree", flags.agree},
              {"of", flags.of},
              {"flagged_right", flags.flagged_right},
              {"differing", flags.differing}};
}

Json published_json(const std::vector<PublishedFigure>& figures) {
  Json out = Json::array();
  for (const auto& f : figures) {
    out.push_back({{"metric", f.metric},
                   {"published", f.published},
                   {"ours", f.ours},
                   {"agrees", f.agrees},
                   {"source", f.source}});
  }
  return out;
}

Json sensitivity_json(const Sensitivity& sensitivity) {
  Json out = Json::object();
  for (const auto& [protocol, value] : sensitivity.values) out[protocol] = finite_or_null(value);
  out["n_flips"] = sensitivity.n_flips;
  out["flips"] = sensitivity.flips;
  out["inversions"] = sensitivity.inversions;
  return out;
}

Json result_json(const ReplayResult& r) {
  Json out = {{"run", r.run_id ? Json(*r.run_id) : Json(nullptr)},
              {"file", r.file},
              {"model", r.model},
              {"suite", r.suite},
              {"protocol", r.protocol},
              {"n", r.audit.seen},
              {"metrics", metrics_json(r.metrics)},
              {"audit", audit_json(r.audit)}};
  if (!r.tasks.empty()) {
    out["tasks"] = Json::object();
    for (const auto& [name, metrics] : r.tasks) {
      out["tasks"][name] = {{"n", metrics.empty() ? 0 : metrics.front().n},
                            {"metrics", metrics_json(metrics)}};
    }
  }
  if (r.flags) out["flags"] = flags_json(*r.flags);
  for (const auto& [name, agreement] : r.own_values) out["own_values"][name] = flags_json(agreement);
  if (r.guess) {
    out["guess"] = {{"seeds", r.guess->seeds},
                    {"guessed", r.guess->guessed},
                    {"low", finite_or_null(r.guess->low)},
                    {"high", finite_or_null(r.guess->high)}};
  }
  if (r.labels) out["labels"] = labels_json(*r.labels);
  if (!r.rescored.empty()) out["rescored"] = metrics_json(r.rescored);
  if (!r.published.empty()) out["published"] = published_json(r.published);
  if (!r.warnings.empty()) out["warnings"] = r.warnings;
  return out;
}

bool is_share(std::string_view metric) {
  constexpr std::string_view kOthers[] = {"bits_per_byte", "mean_logprob", "score", "adjusted_score", "avg_len"};
  return std::find(std::begin(kOthers), std::end(kOthers), metric) == std::end(kOthers);
}

// The metrics above come from the file's labels; here is what our own checkers make of the same outputs.
std::string labels_text(const ReplayResult& r) {
  std::string text = "  by our checkers:";
  for (const auto& m : r.rescored) text += fmt::format(" {} {:.2f} %", m.name, 100 * m.value);
  const LabelAgreement& labels = *r.labels;
  text += fmt::format("\n  the file's own labels: {} of {} strict and {} of {} loose equal ours\n", labels.strict.agree, labels.strict.of,
                      labels.loose.agree, labels.loose.of);
  return text;
}

std::string result_text(const ReplayResult& r) {
  std::string text = fmt::format("{}  {} {}\n ", r.model, r.suite, r.protocol);
  for (const auto& m : r.metrics) {
    const bool share = is_share(m.name);
    text += share ? fmt::format(" {} {:.2f} %", m.name, 100 * m.value)
                  : fmt::format(" {} {:.4f}", m.name, m.value);
    if (m.se_population)
      text += share ? fmt::format(" ± {:.2f}", 100 * *m.se_population)
                    : fmt::format(" ± {:.4f}", *m.se_population);
  }
  text += fmt::format("  ({})\n", audit_text(r.audit));
  if (r.labels) text += labels_text(r);
  else if (r.flags)
    text += fmt::format("  the file's own flags: {} of {} equal ours\n", r.flags->agree, r.flags->of);
  for (const auto& [name, agreement] : r.own_values)
    text += fmt::format("  the harness's own {}: {} of {} equal ours\n", name, agreement.agree, agreement.of);
  if (r.guess) {
    text += fmt::format("  letters were drawn for {} items: {:.2f} to {:.2f} % over {} seeds\n", r.guess->guessed, 100 * r.guess->low,
                        100 * r.guess->high, r.guess->seeds);
  }
  for (const auto& f : r.published) {
    if (f.agrees)
      text += fmt::format("  published {} {}: the stored outputs give it\n", f.metric, f.published);
    else
      text += fmt::format("  published {} {}: DISAGREES, the stored outputs give {}\n", f.metric, f.published,
                          f.ours);
  }
  for (const auto& warning : r.warnings) text += fmt::format("  warning: {}\n", warning);
  return text;
}

}  // namespace

Json replay_json(const std::vector<ReplayResult>& results, bool with_sensitivity) {
  Json out = Json::array();
  for (const auto& result : results) out.push_back(result_json(result));
  if (!with_sensitivity) return out;
  const auto sensitivity = sensitivity_of(results);
  for (std::size_t i = 0; i < results.size(); ++i) out[i]["sensitivity"] = sensitivity_json(sensitivity[i]);
  return out;
}

std::string replay_text(const std::vector<ReplayResult>& results, bool with_sensitivity) {
  std::string text;
  for (const auto& result : results) text += result_text(result);
  if (!with_sensitivity || results.empty()) return text;
  const auto sensitivity = sensitivity_of(results);
  text += "\nhow the score hangs on the extractor\n";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const bool first =
        i == 0 || results[i - 1].model != results[i].model || results[i - 1].file != results[i].file;
    if (!first) continue;
    text += fmt::format("  {}:", results[i].model);
    for (const auto& [protocol, value] : sensitivity[i].values)
      text += fmt::format(" {} {:.2f}", protocol, 100 * value);
    text += fmt::format("; {} items flip\n", sensitivity[i].n_flips);
    for (const auto& inversion : sensitivity[i].inversions) text += fmt::format("    {}\n", inversion);
  }
  return text;
}

}  // namespace assay
