#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/logits_run.h"
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
  std::string text = fmt::format("{} prompts, {} tokens ({} computed) in {:.3f} s on {}; logits in {}", r.n,
                                 r.tokens, r.tokens_computed, r.seconds, r.backend, out);
  if (r.mtp_modules > 0)
    text += fmt::format("\n  {} multi-token prediction modules: mtp.1.logits.0, ...", r.mtp_modules);
  for (const auto& [name, value] : r.conventions) text += fmt::format("\n  {} = {}", name, value);
  if (!r.near_ties.empty())
    text += fmt::format("\n  {} router decisions closer than {:g}", r.near_ties.size(), kNearTieMargin);
  return text;
}

Result<int> run(const Globals& globals, LogitsJob job, const std::vector<std::string>& conventions) {
  ASSAY_TRY(job.engine, engine_options(globals));
  job.engine.conventions = conventions;
  ASSAY_TRY(const LogitsReport report, run_logits(job));
  print_result(globals, document_of(report), text_of(report, job.out_path));
  return kFine;
}

}  // namespace

void add_logits(Cli& cli) {
  CLI::App& app = cli.command("logits", "logits of token ids, by the canonical f32 path or the f64 oracle",
                              "  echo '[[0, 17, 4], [0, 99]]' > ids.json\n"
                              "  assay logits suites/data/demo/model --ids ids.json --out f32.safetensors\n"
                              "  assay logits suites/data/demo/model --ids ids.json --out f64.safetensors "
                              "--oracle --trace choices.safetensors\n"
                              "  assay logits suites/data/demo/model --ids ids.json --out f32.safetensors "
                              "--force-experts choices.safetensors\n"
                              "  assay logits suites/data/demo/model --ids ids.json --out mtp.safetensors --mtp\n"
                              "Conventions (the authors' choice is the default):\n" +
                                  convention_help() + mtp_convention_help());
  const auto job = std::make_shared<LogitsJob>();
  const auto conventions = std::make_shared<std::vector<std::string>>();
  app.add_option("MODEL", job->model, "a folder, a .safetensors file, or org/name in the Hugging Face cache")
      ->required();
  app.add_option("--ids", job->ids_path, "a file with one JSON array of arrays of ids")->required();
  app.add_option("--out", job->out_path,
                 "the safetensors file to write: logits.0, logits.1, ... (n_tokens, vocab)")
      ->required();
  app.add_flag("--oracle", job->oracle, "the f64 oracle instead of the f32 path");
  app.add_flag("--mtp", job->mtp,
               "the multi-token prediction modules too: mtp.K.logits.0, ... (n_tokens - K, vocab), row i for "
               "token i + 1 + K");
  app.add_option("--convention", *conventions,
                 "NAME=VALUE, another reading of the formulas; may be repeated");
  app.add_option("--trace", job->trace_path, "write the routers' decisions to this safetensors file");
  app.add_option("--force-experts", job->forced_path,
                 "replay the choices of experts of a file that --trace wrote");
  cli.on_run(app, [&cli, job, conventions] { return run(cli.globals(), *job, *conventions); });
}

}  // namespace assay::cli
