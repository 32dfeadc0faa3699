// assay suite import: another harness's task file as a suite.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "suites/tasks/task_import.h"

namespace assay::cli {
namespace {

Result<int> run_import(const Globals& globals, const TaskImportOptions& options) {
  ASSAY_TRY(const ImportedTask task, import_task(options));
  Json document = {{"name", task.name}, {"suite", task.suite}, {"items", task.items}, {"n", task.n}, {"protocols", task.protocols}, {"notes", task.notes}};
  document["fewshot"] = task.fewshot.empty() ? Json(nullptr) : Json(task.fewshot);
  std::string text = fmt::format("{}: {} items, protocols {}\n  {}\n", task.name, task.n, fmt::join(task.protocols, ", "), task.suite);
  for (const auto& note : task.notes) text += fmt::format("  note: {}\n", note);
  print_result(globals, document, text);
  return kFine;
}

}  // namespace

void add_suite_import(Cli& cli, CLI::App& parent) {
  auto options = std::make_shared<TaskImportOptions>();
  CLI::App* app = parent.add_subcommand("import", "the declarative part of an lm-evaluation-harness task as a suite");
  app->footer("Examples:\n  assay suite import my_task.yaml --out my-task.suite.json\n"
              "  assay suite import gsm8k.yaml --out gsm8k-lme.suite.json --items test.jsonl --fewshot train.jsonl --num-fewshot 5\n"
              "  assay run MODEL --suite my-task.suite.json");
  app->add_option("task", options->task, "the task's YAML file; what it includes is read beside it")->required();
  app->add_option("--out", options->out, "NAME.suite.json; items and examples are written beside it")->required();
  app->add_option("--items", options->items, "rows (JSON lines) of the split that is asked, where the task names a data set of the hub");
  app->add_option("--fewshot", options->fewshot, "rows of the split that solved examples come from, likewise");
  app->add_option("--num-fewshot", options->num_fewshot, "in place of the task's own number of examples")->check(CLI::Range(0, 100));
  cli.on_run(*app, [&cli, options] { return run_import(cli.globals(), *options); });
}

}  // namespace assay::cli
