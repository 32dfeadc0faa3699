// A run's report as INTERFACE prints it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/runs/run.h"

namespace assay {

Json report_json(const RunReport& report) {
  Json tasks = Json::object();
  for (const auto& [name, metrics] : report.tasks) {
    tasks[name] = {{"n", metrics.empty() ? 0 : metrics.front().n}, {"metrics", metrics_json(metrics)}};
  }
  Json json = {{"run", report.run_id},
               {"suite", report.suite},
               {"protocol", report.protocol},
               {"status", report.status},
               {"n", report.n},
               {"metrics", metrics_json(report.metrics)},
               {"audit", audit_json(report.audit)},
               {"tokens", {{"asked", report.tokens_asked}, {"computed", report.tokens_computed}, {"generated", report.tokens_generated}}},
               {"seconds", report.seconds},
               {"peak_memory_bytes", report.peak_bytes},
               {"cost_usd", report.cost_usd ? Json(*report.cost_usd) : Json(nullptr)}};
  if (report.forecast.seconds) {
    const RunForecast& f = report.forecast;
    json["forecast"] = {{"seconds_after_first_wave", *f.seconds}, {"waves", f.plan.passes}, {"memory_bytes", f.plan.memory_bytes},
                        {"streamed", f.plan.streamed}};
  }
  if (!report.tasks.empty()) json["tasks"] = std::move(tasks);
  return json;
}

std::string report_text(const RunReport& report) {
  std::string text = fmt::format("run {}: {} under {}, {}\n", report.run_id, report.suite, report.protocol, report.status);
  for (const Metric& metric : report.metrics) {
    text += fmt::format("  {:14} {:.4f}", metric.name, metric.value);
    if (metric.se_population) text += fmt::format("  ± {:.4f} on such items", *metric.se_population);
    if (metric.low && metric.high) text += fmt::format(", 95 % {:.4f} to {:.4f}", *metric.low, *metric.high);
    text += fmt::format(", n = {}\n", metric.n);
  }
  text += fmt::format("  {}\n", audit_text(report.audit));
  text += fmt::format("  {} tokens asked, {} computed, {} generated, {:.1f} s", report.tokens_asked, report.tokens_computed,
                      report.tokens_generated, report.seconds);
  if (report.cost_usd) text += fmt::format(", {:.6f} USD", *report.cost_usd);
  return text;
}

}  // namespace assay
