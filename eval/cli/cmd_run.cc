// run: ask a model a suite under a protocol.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/run.h"

namespace assay::cli {
namespace {

struct RunArguments {
  std::string model, suite, protocol, data;
  std::int64_t limit = 0;
};

Result<int> run(const Globals& globals, const RunArguments& arguments) {
  ASSAY_TRY(const Suite suite, load_suite(arguments.suite, arguments.data));
  ASSAY_TRY(const Protocol* protocol, choose_protocol(suite, arguments.protocol));
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  ASSAY_TRY(EvalModel model, load_eval_model(arguments.model, engine));
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  RunOptions options{.seed = globals.seed, .data_dir = arguments.data, .wave_tokens = globals.wave_tokens};
  if (arguments.limit > 0) options.limit = arguments.limit;
  ASSAY_OK(price_run(database, options));
  ASSAY_TRY(const RunReport report, run_suite(recorder, model, suite, *protocol, options));
  print_result(globals, report_json(report), report_text(report));
  return report.status == "complete" ? kFine : kInterrupted;
}

}  // namespace

void add_run(Cli& cli) {
  CLI::App& app = cli.command("run", "ask a model a suite under a protocol",
                              "  assay run suites/data/demo/model --suite world-mc\n"
                              "  assay run suites/data/demo/model --suite steps-gen --protocol direct-0shot --limit 50 --json\n"
                              "  assay run MODEL --suite gsm8k --data ~/data      items that lie on this machine");
  auto arguments = std::make_shared<RunArguments>();
  app.add_option("MODEL", arguments->model, "folder, .safetensors file, or org/name in the local Hugging Face cache")->required();
  app.add_option("--suite", arguments->suite, "a bundled suite (assay suite list) or a definition file")->required();
  app.add_option("--protocol", arguments->protocol, "one of the suite's protocols; its main one if absent");
  app.add_option("--data", arguments->data, "folder that holds items which are not bundled");
  app.add_option("--limit", arguments->limit, "only this many items: a seeded, recorded subset with every sub-task's share")->check(CLI::PositiveNumber);
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
