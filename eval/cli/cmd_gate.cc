// gate: fail when a fork is worse by more than a margin.
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/compare_sides.h"

namespace assay::cli {
namespace {

struct GateArguments {
  std::string base, tested, junit, markdown;
  double margin = 0;
};

int gate_exit(const std::string& verdict) { return verdict == "fail" ? kContradicted : verdict == "undecided" ? kUndecided : kFine; }

Result<int> run(const Globals& globals, const GateArguments& arguments) {
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(const SideComparison comparison, gate_sides(database, arguments.base, arguments.tested, arguments.margin, globals.seed));
  ASSAY_OK(write_sides(comparison, arguments.junit, arguments.markdown));
  print_result(globals, sides_json(comparison), sides_text(comparison));
  return gate_exit(comparison.verdict);
}

}  // namespace

void add_gate(Cli& cli) {
  CLI::App& app = cli.command("gate", "fail when a fork is worse than its base by more than a margin",
                              "  assay gate model model-fp8 --margin 0.02     every suite that both have complete runs of, two points of accuracy\n"
                              "  assay gate 3 7 --margin 0.01 --json          two runs, by their numbers\n"
                              "  assay gate model model-fp8 --margin 0.02 --junit gate.xml --markdown gate.md    for CI\n"
                              "exit code: 0 a loss of the margin is excluded, 1 a larger one is shown, 4 undecided (one-sided, 5 %)");
  const auto arguments = std::make_shared<GateArguments>();
  app.add_option("BASE", arguments->base, "a run's number, or the name of a model in the database")->required();
  app.add_option("NEW", arguments->tested, "what is tested against it")->required();
  app.add_option("--margin", arguments->margin, "the loss that is still accepted, in the unit of the items' scores: 0.01 is one point")
      ->required()
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--junit", arguments->junit, "also write a JUnit file: one test case a suite");
  app.add_option("--markdown", arguments->markdown, "also write a Markdown summary");
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
