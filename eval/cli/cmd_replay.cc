#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/replay/replay.h"

namespace assay::cli {
namespace {

struct ReplayArguments {
  std::vector<std::string> paths;
  std::string fields;
  ReplayOptions options;
};

Result<int> run_replay(const Globals& globals, ReplayArguments& arguments) {
  ASSAY_TRY(arguments.options.fields, parse_field_map(arguments.fields));
  arguments.options.threads = globals.n_threads();
  // Everything that can be wrong with the arguments is found before a database is made.
  ASSAY_OK(find_importer(arguments.options.format));
  ASSAY_OK(load_suite(arguments.options.suite, arguments.options.data_dir));
  ASSAY_TRY(const auto files, list_outputs(arguments.paths));
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  ASSAY_TRY(const auto results, replay(files, arguments.options, &recorder));
  const bool all = arguments.options.protocol == "all";
  print_result(globals, replay_json(results, all), replay_text(results, all));
  return kFine;
}

std::string known_formats() {
  std::string text;
  for (const auto& importer : importers())
    text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", importer.name, importer.what);
  return text;
}

}  // namespace

void add_replay(Cli& cli) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App& app = cli.command(
      "replay", "score stored outputs again, without a model",
      "assay replay example_model_solutions.jsonl.gz --format gsm8k-solutions --suite gsm8k\n"
      "assay replay zeroeval/gsm --format zeroeval --suite gsm8k --protocol all\n"
      "assay replay mmlu_pro/model_outputs_Meta-Llama-3-70B_5shots.zip --format mmlu-pro --suite mmlu-pro --protocol all\n"
      "assay replay evalperf_results.json.gz --format evalplus --suite evalperf\n"
      "assay replay out.jsonl --format jsonl --suite steps-gen --fields id=task,output=completion");
  app.add_option("paths", arguments->paths, "files (plain, gz or zip) or folders of stored outputs")
      ->required();
  app.add_option("--format", arguments->options.format, known_formats())->required();
  app.add_option("--suite", arguments->options.suite,
                 "a bundled suite (assay suite list) or a definition file")
      ->required();
  app.add_option("--protocol", arguments->options.protocol,
                 "a protocol of the suite, or all: every one, with how they differ");
  app.add_option("--fields", arguments->fields,
                 "what members of a record are called: id=a,output=b,gold=c,model=d,flag=e");
  app.add_option("--data", arguments->options.data_dir,
                 "folder of the data sets, for suites whose items are others' work");
  cli.on_run(app, [&cli, arguments] { return run_replay(cli.globals(), *arguments); });
}

}  // namespace assay::cli
