// compare: two runs, or all runs of two models, item by item.
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/compare_sides.h"

namespace assay::cli {
namespace {

struct CompareArguments {
  std::string a, b, junit, markdown;
};

int exit_of(const std::string& verdict) { return verdict == "worse" ? kContradicted : verdict == "undecided" ? kUndecided : kFine; }

Result<int> run(const Globals& globals, const CompareArguments& arguments) {
  ASSAY_TRY(const Database database, Database::open_read_only(globals.db));
  ASSAY_TRY(const SideComparison comparison, compare_sides(database, arguments.a, arguments.b, globals.seed));
  ASSAY_OK(write_sides(comparison, arguments.junit, arguments.markdown));
  print_result(globals, sides_json(comparison), sides_text(comparison));
  return exit_of(comparison.verdict);
}

}  // namespace

void add_compare(Cli& cli) {
  CLI::App& app = cli.command("compare", "two runs item by item: what changed, and is it more than chance?",
                              "  assay compare 3 7                  two runs of one suite and protocol, by their numbers\n"
                              "  assay compare model model-fp8      every suite that both models have complete runs of\n"
                              "exit code: 0 same or better, 1 worse, 4 undecided");
  const auto arguments = std::make_shared<CompareArguments>();
  app.add_option("A", arguments->a, "a run's number, or the name of a model in the database")->required();
  app.add_option("B", arguments->b, "what is held against it")->required();
  app.add_option("--junit", arguments->junit, "also write a JUnit file: one test case a suite");
  app.add_option("--markdown", arguments->markdown, "also write a Markdown summary");
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
