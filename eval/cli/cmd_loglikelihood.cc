#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/eval_model.h"
#include "eval/runs/filter.h"
#include "eval/runs/loglikelihood.h"

namespace assay::cli {
namespace {

struct LoglikelihoodOptions {
  std::string model, in;
};

Result<int> run(const Globals& globals, const LoglikelihoodOptions& options) {
  ASSAY_TRY(const EngineOptions engine_choice, engine_options(globals));
  ASSAY_TRY(EvalModel model, load_texts_of(options.model, engine_choice));
  ASSAY_TRY(const std::vector<Json> lines, read_json_lines(options.in));
  ASSAY_OK(load_engine(engine_choice, model));
  std::vector<LikelihoodRequest> requests;
  std::vector<ScoreRequest> windows;
  for (const Json& line : lines) {
    auto request = model.asks_texts ? text_likelihood_request(line) : likelihood_request(model.tokenizer, line, model.context_tokens());
    if (!request.ok()) {
      Error error = std::move(request).error();
      error.message += fmt::format(" (line {})", requests.size() + 1);
      error.file = options.in;
      return error;
    }
    windows.insert(windows.end(), request->windows.begin(), request->windows.end());
    requests.push_back(std::move(*request));
  }
  ASSAY_TRY(const std::vector<ScoreAnswer> answers, model.engine->score(windows));
  std::span<const ScoreAnswer> left = answers;
  for (const LikelihoodRequest& request : requests) {
    fmt::print("{}\n", dump_json(likelihood_line(request, left.first(request.windows.size()))));
    left = left.subspan(request.windows.size());
  }
  return kFine;
}

}  // namespace

void add_loglikelihood(Cli& cli) {
  CLI::App& app =
      cli.command("loglikelihood",
                  "log-likelihoods of texts, as lm-evaluation-harness computes them: JSON lines in and out",
                  "  echo '{\"context\": \"Question: 2 + 2?\\nAnswer:\", \"continuation\": \" 4\"}' | assay "
                  "loglikelihood MODEL --in -\n"
                  "  echo '{\"text\": \"A whole text.\"}' | assay loglikelihood MODEL --in -");
  const auto options = std::make_shared<LoglikelihoodOptions>();
  app.add_option("MODEL", options->model,
                 "a folder, a .safetensors file, org/name in the Hugging Face cache, or http://host:port/v1#model")
      ->required();
  app.add_option("--in", options->in,
                 "a file of JSON lines, - for standard input: {\"context\", \"continuation\"} or {\"text\"}")
      ->required();
  cli.on_run(app, [&cli, options] { return run(cli.globals(), *options); });
}

}  // namespace assay::cli
