#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/model_diff.h"

namespace assay::cli {
namespace {

struct DiffArguments {
  std::string a, b;
  int siblings = kDefaultSiblings;
};

Result<int> run(const Globals& globals, const DiffArguments& arguments) {
  ThreadPool pool(globals.n_threads());
  ASSAY_TRY(const Json diff, diff_models(arguments.a, arguments.b,
                                         {.seed = globals.seed, .siblings = arguments.siblings}, pool));
  print_result(globals, diff, diff_text(diff));
  return kFine;
}

}  // namespace

void add_diff(Cli& cli) {
  CLI::App& app =
      cli.command("diff", "what changed between two models: weights, configuration, tokenizer, template",
                  "  assay diff suites/data/demo/model suites/data/demo/model-fp8\n"
                  "  assay diff org/base org/fine-tune --json");
  const auto arguments = std::make_shared<DiffArguments>();
  app.add_option("A", arguments->a, "a MODEL")->required();
  app.add_option("B", arguments->b, "the MODEL to hold against it")->required();
  app.add_option("--siblings", arguments->siblings, "random models that the null is drawn from")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
