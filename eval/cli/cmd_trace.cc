#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/trace_diff.h"

namespace assay::cli {
namespace {

struct DiffJob {
  std::string a, b;
  std::optional<double> tolerance;
};

Result<int> run_diff(const Globals& globals, const DiffJob& job) {
  ASSAY_TRY(const TraceDifference difference, diff_traces(job.a, job.b, job.tolerance));
  print_result(globals, to_json(difference), to_text(difference));
  return difference.same() ? kFine : kContradicted;
}

}  // namespace

void add_trace(Cli& cli) {
  CLI::App& app =
      cli.command("trace", "compares what `assay logits --trace` wrote",
                  "  assay logits MODEL --ids ids.json --trace a.safetensors --trace-tensors all\n"
                  "  assay logits MODEL --ids ids.json --trace b.safetensors --trace-tensors all --oracle\n"
                  "  assay trace diff a.safetensors b.safetensors\n");
  app.require_subcommand(1);
  CLI::App& diff = *app.add_subcommand(
      "diff", "the first layer, point and token where two traces part; exits 1 where they do");
  diff.fallthrough();
  const auto job = std::make_shared<DiffJob>();
  diff.add_option("A", job->a, "a trace")->required();
  diff.add_option("B", job->b, "another trace of the same prompts")->required();
  diff.add_option("--tolerance", job->tolerance,
                  "largest difference relative to the point's largest magnitude; without it the same bits, "
                  "or a bound for f32 "
                  "against f64");
  cli.on_run(diff, [&cli, job] { return run_diff(cli.globals(), *job); });
}

}  // namespace assay::cli
