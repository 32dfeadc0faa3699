#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/similarity_weights.h"
#include "reports/database.h"

namespace assay::cli {
namespace {

struct WeightArguments {
  std::string a, b;
  int siblings = kDefaultSiblings;
};

Result<int> run_weights(const Globals& globals, const WeightArguments& arguments) {
  ThreadPool pool(globals.n_threads());
  const SimilarityOptions options{.seed = globals.seed, .siblings = arguments.siblings};
  ASSAY_TRY(const auto pairs, similarity_of_weights(arguments.a, arguments.b, options, pool));
  ASSAY_TRY(Database database, Database::create(globals.db));
  Json document = {{"pairs", Json::array()}};
  std::string text;
  for (const WeightSimilarity& pair : pairs) {
    ASSAY_OK(record_weight_similarity(database, pair));
    document["pairs"].push_back(weight_similarity_json(pair));
    text += (text.empty() ? "" : "\n") + weight_similarity_text(pair);
  }
  print_result(globals, document, text);
  return kFine;
}

void add_weights(Cli& cli, CLI::App& parent) {
  CLI::App& app = *parent.add_subcommand(
      "weights", "two models' weights tensor by tensor, with siblings drawn at random as the null");
  app.fallthrough();
  app.footer(
      "Examples:\n"
      "  assay similarity weights suites/data/demo/model suites/data/demo/model-fp8\n"
      "  assay similarity weights A B --json --db similarity.db\n"
      "  assay similarity weights A B --siblings 0    no null: INCONCLUSIVE unless the weights are the same");
  const auto arguments = std::make_shared<WeightArguments>();
  app.add_option("A", arguments->a, "a MODEL")->required();
  app.add_option("B", arguments->b, "the MODEL to hold against it")->required();
  app.add_option("--siblings", arguments->siblings, "random models that the null is drawn from")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000));
  cli.on_run(app, [&cli, arguments] { return run_weights(cli.globals(), *arguments); });
}

}  // namespace

void add_similarity(Cli& cli) {
  CLI::App& app = cli.command("similarity", "are two models related: by their weights, or by what they said",
                              "  assay similarity weights suites/data/demo/model suites/data/demo/model-fp8\n"
                              "  assay similarity outputs zeroeval/gsm --format zeroeval --panel panel.json");
  app.require_subcommand(1);
  add_weights(cli, app);
  add_similarity_outputs(cli, app);
}

}  // namespace assay::cli
