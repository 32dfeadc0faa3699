#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/compare/explain.h"
#include "eval/runs/logits_run.h"
#include "reference/model/conventions.h"
#include "reference/model/mtp.h"

namespace assay::cli {
namespace {

Json tie_json(const std::pair<std::int64_t, NearTie>& each) {
  return {{"prompt", each.first},
          {"moe_layer", each.second.moe_layer},
          {"token", each.second.token},
          {"margin", finite_or_null(each.second.margin)}};
}

Json document_of(const LogitsReport& r) {
  Json conventions = Json::object(), ties = Json::array();
  for (const auto& [name, value] : r.conventions) conventions[name] = value;
  for (const auto& tie : r.near_ties) ties.push_back(tie_json(tie));
  return {{"n", r.n},
          {"tokens", r.tokens},
          {"tokens_computed", r.tokens_computed},
          {"seconds", r.seconds},
          {"tokens_per_s", finite_or_null(static_cast<double>(r.tokens) / r.seconds)},
          {"backend", r.backend},
          {"mtp_modules", r.mtp_modules},
          {"conventions", conventions},
          {"near_ties", ties}};
}

std::string text_of(const LogitsReport& r, const std::string& out) {
  std::string text = fmt::format("{} prompts, {} tokens ({} computed) in {:.3f} s on {}", r.n, r.tokens,
                                 r.tokens_computed, r.seconds, r.backend);
  if (!out.empty()) text += "; logits in " + out;
  if (r.mtp_modules > 0)
    text += fmt::format("\n  {} multi-token prediction modules: mtp.1.logits.0, ...", r.mtp_modules);
  for (const auto& [name, value] : r.conventions) text += fmt::format("\n  {} = {}", name, value);
  if (!r.near_ties.empty())
    text += fmt::format("\n  {} router decisions closer than {:g}", r.near_ties.size(), kNearTieMargin);
  return text;
}

Error lacks(std::string message, std::string field) {
  return Error{.code = Code::usage, .message = std::move(message), .field = std::move(field)};
}

// Exit code: 0 where a reading fits, the published one or another, 4 where none does.
Result<int> run_explain(const Globals& globals, const LogitsJob& job, ExplainJob explained) {
  if (!job.out_path.empty() || !job.trace_path.empty() || !job.forced_path.empty() || job.mtp)
    return lacks("--explain writes nothing; leave --out, --trace, --force-experts and --mtp out", "--explain");
  explained.model = job.model;
  explained.ids_path = job.ids_path;
  explained.oracle = job.oracle;
  explained.engine = job.engine;
  ASSAY_TRY(const Explanation explanation, explain(explained));
  print_result(globals, to_json(explanation), to_text(explanation));
  return explanation.told() ? kFine : kUndecided;
}

Result<int> run(const Globals& globals, LogitsJob job, const std::vector<std::string>& conventions,
                const ExplainJob& explained) {
  ASSAY_TRY(job.engine, engine_options(globals));
  job.engine.conventions = conventions;
  if (job.engine.device != "cpu" && (job.oracle || !explained.other_path.empty()))
    return lacks("the oracle and --explain compute on the CPU; leave out --device", "--device");
  if (!job.engine.recipe.empty() && (job.oracle || !explained.other_path.empty()))
    return lacks("a recipe is one of the f32 path; leave out --oracle and --explain", "--recipe");
  if (!explained.other_path.empty()) return run_explain(globals, job, explained);
  if (job.ids_path.empty()) return lacks("there is nothing to compute; give --ids", "--ids");
  if (job.out_path.empty() && job.trace_path.empty())
    return lacks("there is nothing to write; give --out or --trace", "--out");
  ASSAY_TRY(const LogitsReport report, run_logits(job));
  print_result(globals, document_of(report), text_of(report, job.out_path));
  return kFine;
}

}  // namespace

void add_logits(Cli& cli) {
  CLI::App& app =
      cli.command("logits", "logits of token ids, by the canonical f32 path or the f64 oracle",
                  "  echo '[[0, 17, 4], [0, 99]]' > ids.json\n"
                  "  assay logits suites/data/demo/model --ids ids.json --out f32.safetensors\n"
                  "  assay logits suites/data/demo/model --ids ids.json --out f64.safetensors "
                  "--oracle --trace choices.safetensors\n"
                  "  assay logits suites/data/demo/model --ids ids.json --out f32.safetensors "
                  "--force-experts choices.safetensors\n"
                  "  assay logits suites/data/demo/model --ids ids.json --out mtp.safetensors --mtp\n"
                  "  assay logits suites/data/demo/model --ids ids.json --out absorbed.safetensors --recipe mla-absorbed\n"
                  "  assay logits suites/data/demo/model --ids ids.json --explain other.safetensors\n"
                  "Conventions (the authors' choice is the default):\n" +
                      convention_help() + mtp_convention_help());
  const auto job = std::make_shared<LogitsJob>();
  const auto conventions = std::make_shared<std::vector<std::string>>();
  app.add_option("MODEL", job->model, "a folder, a .safetensors file, or org/name in the Hugging Face cache")
      ->required();
  app.add_option("--ids", job->ids_path, "a file with one JSON array of arrays of ids");
  app.add_option("--out", job->out_path,
                 "the safetensors file to write: logits.0, logits.1, ... (n_tokens, vocab)");
  app.add_flag("--oracle", job->oracle, "the f64 oracle instead of the f32 path");
  app.add_flag("--mtp", job->mtp,
               "the multi-token prediction modules too: mtp.K.logits.0, ... (n_tokens - K, vocab), row i for "
               "token i + 1 + K");
  app.add_option("--convention", *conventions,
                 "NAME=VALUE, another reading of the formulas; may be repeated");
  app.add_option("--trace", job->trace_path,
                 "write digests of every point of every layer, and the routers' decisions");
  app.add_option("--trace-tensors", job->trace_tensors,
                 "points whose numbers the trace keeps too: all, or names with commas");
  app.add_option("--force-experts", job->forced_path,
                 "replay the choices of experts of a file that --trace wrote");
  const auto explained = std::make_shared<ExplainJob>();
  app.add_option("--explain", explained->other_path,
                 "logits of another implementation: which convention, or which two, give them? "
                 "(docs/explain-a-difference.md)");
  app.add_option("--reading", explained->reading, "with --explain: which case*.READING of a file with cases")
      ->capture_default_str();
  app.add_option("--tolerance", explained->tolerance,
                 "with --explain: largest difference that fits, else from the other's format");
  app.add_option("--max-tries", explained->max_tries, "with --explain: readings tried at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  cli.on_run(app, [&cli, job, conventions, explained] {
    return run(cli.globals(), *job, *conventions, *explained);
  });
}

}  // namespace assay::cli
