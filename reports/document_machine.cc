// Sections of the report on cost, kernels, provenance and limits.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "reports/document.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay {
namespace {

Table bill_table(const CostRow& cost) {
  Table table{.key = fmt::format("bill-{}", cost.id),
              .title = fmt::format("{}, {}", cost.subject, cost.stage),
              .note = cost.reason,
              .columns = {{"step", "step"}, {"value", "value", true}, {"unit", "unit"}, {"source", "source"}},
              .rows = {}};
  for (const CostLine& line : cost.lines) {
    table.rows.push_back(
        {text_cell(line.step), compact_cell(line.value), text_cell(line.unit), text_cell(line.source)});
  }
  return table;
}

Table cost_table(const std::vector<CostRow>& costs) {
  Table table{.key = "costs",
              .title = "Bills",
              .note = "Low and high: the range of prices or rates, not of faults in the claim.",
              .columns = {{"subject", "subject"},
                          {"stage", "stage"},
                          {"hours", "hours", true},
                          {"cost_usd", "USD", true},
                          {"low_usd", "low", true},
                          {"high_usd", "high", true},
                          {"level", "obtained by"},
                          {"price", "price"},
                          {"verdict", "verdict"}},
              .rows = {}};
  for (const CostRow& cost : costs) {
    const std::string price =
        cost.usd_per_hour ? fmt::format("{} USD a {} ({}, {}; {})", *cost.usd_per_hour, cost.price_unit,
                                        cost.price_device, cost.price_as_of, cost.price_source)
                          : "";
    table.rows.push_back({text_cell(cost.subject), text_cell(cost.stage), compact_cell(cost.hours),
                          compact_cell(cost.cost_usd), compact_cell(cost.low_usd),
                          compact_cell(cost.high_usd), text_cell(cost.level), text_cell(price),
                          text_cell(cost.verdict)});
  }
  return table;
}

Table model_table(const std::vector<ModelRow>& models) {
  Table table{.key = "models",
              .title = "Models",
              .note = "",
              .columns = {{"name", "model"},
                          {"family", "family"},
                          {"params_total", "parameters", true},
                          {"params_active", "active per token", true},
                          {"params_stored", "stored", true},
                          {"context_length_tokens", "context", true},
                          {"weights", "weights sha256"},
                          {"config", "config sha256"},
                          {"tokenizer", "tokenizer sha256"}},
              .rows = {}};
  for (const ModelRow& model : models) {
    table.rows.push_back({text_cell(model.name), text_cell(model.family), integer_cell(model.params_total),
                          integer_cell(model.params_active), integer_cell(model.params_stored),
                          integer_cell(model.context_length_tokens), text_cell(model.weights_digest),
                          text_cell(model.config_digest), text_cell(model.tokenizer_digest)});
  }
  return table;
}

Table run_provenance(const std::vector<RunRow>& runs) {
  Table table{.key = "provenance",
              .title = "Digests of each run",
              .note = "",
              .columns = {{"run", "run", true},
                          {"what", "run of"},
                          {"identity", "identity"},
                          {"suite_digest", "items sha256"},
                          {"protocol_digest", "protocol sha256"},
                          {"outputs", "stored outputs"},
                          {"started", "started, UTC"},
                          {"seed", "seed", true}},
              .rows = {}};
  for (const RunRow& run : runs) {
    table.rows.push_back({integer_cell(run.id), text_cell(run.model + ", " + run.suite + ", " + run.protocol),
                          text_cell(run.identity), text_cell(run.suite_digest),
                          text_cell(run.protocol_digest), text_cell(run.outputs),
                          text_cell(run.started_at_utc), integer_cell(run.seed)});
  }
  return table;
}

}  // namespace

Section cost_section(const std::vector<CostRow>& costs) {
  Section section{.key = "cost", .title = "Cost", .paragraphs = {}, .plots = {}, .tables = {}};
  if (costs.empty()) {
    section.paragraphs.push_back("No bill was recomputed; assay cost check does it.");
    return section;
  }
  section.plots.push_back(plot::cost_plot(costs));
  section.tables.push_back(cost_table(costs));
  for (const CostRow& cost : costs) {
    if (!cost.lines.empty()) section.tables.push_back(bill_table(cost));
  }
  return section;
}

Section kernel_section(const std::vector<KernelRow>& kernels) {
  Section section{
      .key = "kernels", .title = "Kernels on this machine", .paragraphs = {}, .plots = {}, .tables = {}};
  if (kernels.empty()) {
    section.paragraphs.push_back("No kernel was measured; assay bench does it.");
    return section;
  }
  section.plots = {plot::roofline_plot(kernels), plot::kernel_bars(kernels)};
  Table table{.key = "kernels",
              .title = "Measurements",
              .note = "Spread: (90th - 10th percentile) / median of the repetitions.",
              .columns = {{"device", "machine"},
                          {"kernel", "kernel"},
                          {"shape", "shape"},
                          {"isa", "isa"},
                          {"what_for", "shape of"},
                          {"threads", "threads", true},
                          {"seconds_p50", "seconds, median", true},
                          {"spread", "spread", true},
                          {"flops_per_s", "FLOP/s", true},
                          {"bytes_per_s", "byte/s", true},
                          {"fraction_of_limit", "of limit", true},
                          {"limit_name", "limit"}},
              .rows = {}};
  for (const KernelRow& row : kernels) {
    table.rows.push_back({text_cell(row.device), text_cell(row.kernel), text_cell(row.shape),
                          text_cell(row.isa), text_cell(row.what_for), integer_cell(row.threads),
                          real_cell(row.seconds_p50, fmt::format("{:.3e}", row.seconds_p50)),
                          percent_cell(row.spread), compact_cell(row.flops_per_s),
                          compact_cell(row.bytes_per_s), percent_cell(row.fraction_of_limit),
                          text_cell(row.limit_name)});
  }
  section.tables.push_back(std::move(table));
  return section;
}

Section provenance_section(const std::vector<ModelRow>& models, const std::vector<RunRow>& runs,
                           const std::vector<ArtifactRow>& artifacts) {
  Section section{
      .key = "provenance", .title = "Machine and provenance", .paragraphs = {}, .plots = {}, .tables = {}};
  std::set<std::string> machines;
  for (const RunRow& run : runs) {
    if (!run.device.empty())
      machines.insert(
          fmt::format("{}, {} threads, {} kernels", run.device, run.threads.value_or(0), run.kernel_set));
  }
  for (const std::string& machine : machines) section.paragraphs.push_back("Machine: " + machine + ".");
  section.tables = {model_table(models), run_provenance(runs)};
  Table table{
      .key = "artifacts",
      .title = "Artifacts",
      .note = "Everything that was read, by SHA-256.",
      .columns = {{"kind", "kind"}, {"name", "name"}, {"size_bytes", "bytes", true}, {"digest", "sha256"}},
      .rows = {}};
  for (const ArtifactRow& row : artifacts) {
    table.rows.push_back(
        {text_cell(row.kind), text_cell(row.name), integer_cell(row.size_bytes), text_cell(row.digest)});
  }
  section.tables.push_back(std::move(table));
  return section;
}

Section limits_section(const std::vector<ClaimRow>& claims, const std::vector<RunRow>& runs,
                       const std::vector<CostRow>& costs) {
  Section section{
      .key = "limits", .title = "What this does not show", .paragraphs = {}, .plots = {}, .tables = {}};
  auto& out = section.paragraphs;
  out.push_back(
      "A score speaks of the questions of its suite and, through its interval, of questions drawn like them; "
      "not of a model's use elsewhere.");
  out.push_back(
      "A reproduced figure shows agreement under the named protocol. It does not show that the questions "
      "were absent from training.");
  const auto count = [&runs](const auto& is) { return std::count_if(runs.begin(), runs.end(), is); };
  if (const auto n = count([](const RunRow& run) { return run.limit_items.has_value(); }); n > 0) {
    out.push_back(fmt::format("{} of {} runs asked only a part of their suite (--limit).", n, runs.size()));
  }
  if (const auto n = count([](const RunRow& run) { return run.unjudged > 0 && run.correct + run.wrong > 0; });
      n > 0) {
    out.push_back(fmt::format(
        "In {} runs some items could not be judged; they are left out of the score and counted in the audit.",
        n));
  }
  if (const auto n = count([](const RunRow& run) { return run.status != "complete"; }); n > 0) {
    out.push_back(
        fmt::format("{} runs are not complete; their scores speak of the items that were reached.", n));
  }
  if (const auto n = count([](const RunRow& run) { return run.router_ties > 0; }); n > 0) {
    out.push_back(
        fmt::format("{} runs met router decisions closer than 1e-5, which no 32-bit program can promise; the "
                    "audit counts them.",
                    n));
  }
  if (count([](const RunRow& run) { return run.kind == "replay"; }) > 0) {
    out.push_back(
        "A replay re-scores outputs that somebody stored. It cannot show that the named model wrote them.");
  }
  if (!costs.empty())
    out.push_back(
        "Recomputing a bill shows whether its lines agree with each other and with the hardware. It audits "
        "no invoice.");
  if (std::any_of(claims.begin(), claims.end(),
                  [](const ClaimRow& claim) { return claim.verdict == "undecided"; })) {
    out.push_back(
        "Undecided means that the data allow the claim and its opposite; it is no evidence for either.");
  }
  return section;
}

}  // namespace assay
