// demo: everything at once on the bundled model.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/demo.h"
#include "eval/verdicts/verify.h"

namespace assay::cli {
namespace {

std::string closing_words(const Globals& globals, const DemoResult& result) {
  std::string text = fmt::format("\n{} claims decided in {:.0f} s", result.claims.size(), result.seconds);
  if (result.unexpected.empty()) {
    text += ", each as the bundled ledger expects.\n";
  } else {
    text += "; not as the bundled ledger expects:";
    for (const std::string& id : result.unexpected) text += " " + id;
    text += "\n";
  }
  text += fmt::format("database: {}\n", globals.db);
  for (const std::string& file : result.files) text += fmt::format("report:   {}\n", file);
  return text + fmt::format("viewer:   assay-viewer {}", globals.db);
}

Result<int> run(const Globals& globals, const std::string& out) {
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  DemoOptions options;
  options.engine = engine;
  options.seed = globals.seed;
  options.out = out;
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_TRY(const DemoResult result, run_demo(database, options));
  const Json document = {{"verdicts", verdicts_json(result.claims, result.verdicts)},
                         {"unexpected", result.unexpected},
                         {"database", globals.db},
                         {"report", result.files},
                         {"seconds", result.seconds}};
  print_result(globals, document, verdicts_text(result.claims, result.verdicts) + closing_words(globals, result));
  return result.unexpected.empty() ? kFine : kContradicted;
}

}  // namespace

void add_demo(Cli& cli) {
  CLI::App& app = cli.command("demo", "everything at once on the bundled model: verdicts, similarity, cost, kernels, report",
                              "  assay demo                                  writes assay.db and assay-report/report.html\n"
                              "  assay demo --db out/assay.db --out out/report --threads 2");
  auto out = std::make_shared<std::string>("assay-report");
  app.add_option("--out", *out, "folder of the report")->capture_default_str();
  cli.on_run(app, [&cli, out] { return run(cli.globals(), *out); });
}

}  // namespace assay::cli
