// run: ask a model a suite under a protocol.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/runs/run.h"

namespace assay::cli {
namespace {

struct RunArguments {
  std::string model, protocol, data;
  std::vector<std::string> suites;
  std::int64_t limit = 0;
  bool explain = false;
};

struct Asked {
  std::vector<Suite> suites;
  std::vector<SuiteAsk> asks;
};

// SUITE or SUITE:PROTOCOL; --protocol holds for those that name none.
Result<Asked> read_suites(const RunArguments& arguments) {
  Asked out;
  std::vector<std::string> protocols;
  out.suites.reserve(arguments.suites.size());
  for (const std::string& name : arguments.suites) {
    const std::size_t colon = std::filesystem::exists(name) ? std::string::npos : name.rfind(':');
    ASSAY_TRY(Suite suite, load_suite(name.substr(0, colon), arguments.data));
    out.suites.push_back(std::move(suite));
    protocols.push_back(colon == std::string::npos ? arguments.protocol : name.substr(colon + 1));
  }
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    ASSAY_TRY(const Protocol* protocol, choose_protocol(out.suites[i], protocols[i]));
    out.asks.push_back({&out.suites[i], protocol});
  }
  return out;
}

Result<int> explain(const Globals& globals, EvalModel& model, const Asked& asked, const RunOptions& options) {
  ASSAY_TRY(const RunEstimate estimate, estimate_runs(model, asked.asks, options));
  print_result(globals, estimate_json(estimate), estimate_text(estimate));
  return kFine;
}

// One report as it is, several as an array.
int print_reports(const Globals& globals, const std::vector<RunReport>& reports) {
  Json documents = Json::array();
  std::string text;
  bool complete = true;
  for (const RunReport& report : reports) {
    documents.push_back(report_json(report));
    text += (text.empty() ? "" : "\n") + report_text(report);
    complete = complete && report.status == "complete";
  }
  print_result(globals, reports.size() == 1 ? documents.front() : documents, text);
  return complete ? kFine : kInterrupted;
}

Result<int> run(const Globals& globals, const RunArguments& arguments) {
  ASSAY_TRY(const Asked asked, read_suites(arguments));
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  ASSAY_TRY(EvalModel model, load_eval_model(arguments.model, engine));
  RunOptions options{.seed = globals.seed, .data_dir = arguments.data, .wave_tokens = globals.wave_tokens, .memory_bytes = engine.memory_bytes};
  if (arguments.limit > 0) options.limit = arguments.limit;
  if (arguments.explain) return explain(globals, model, asked, options);
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  ASSAY_OK(price_run(database, options));
  ASSAY_TRY(const std::vector<RunReport> reports, run_suites(recorder, model, asked.asks, options));
  return print_reports(globals, reports);
}

}  // namespace

void add_run(Cli& cli) {
  CLI::App& app = cli.command("run", "ask a model a suite under a protocol",
                              "  assay run suites/data/demo/model --suite world-mc\n"
                              "  assay run suites/data/demo/model --suite steps-gen --protocol direct-0shot --limit 50 --json\n"
                              "  assay run MODEL --suite gsm8k --data ~/data      items that lie on this machine\n"
                              "  assay run MODEL --suite world-mc:text-0shot --suite world-mc:text-3shot     in common waves\n"
                              "  assay run MODEL --suite mmlu --data ~/data --memory 8G --explain            what it would take");
  auto arguments = std::make_shared<RunArguments>();
  app.add_option("MODEL", arguments->model, "folder, .safetensors file, or org/name in the local Hugging Face cache")->required();
  app.add_option("--suite", arguments->suites, "a bundled suite (assay suite list) or a definition file; NAME:PROTOCOL names its protocol; several are asked together")
      ->required();
  app.add_option("--protocol", arguments->protocol, "one of the suite's protocols; its main one if absent");
  app.add_option("--data", arguments->data, "folder that holds items which are not bundled");
  app.add_flag("--explain", arguments->explain, "print tokens asked and computed, their ratio, predicted time and memory, and ask nothing");
  app.add_option("--limit", arguments->limit, "only this many items: a seeded, recorded subset with every sub-task's share")->check(CLI::PositiveNumber);
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
