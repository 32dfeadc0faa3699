// similarity outputs: what several models said to the same prompts.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/compare/similarity_outputs.h"
#include "eval/replay/replay.h"

namespace assay::cli {
namespace {

struct SimilarityOutputsArguments {
  std::vector<std::string> paths;
  std::string format = "jsonl", fields, panel;
  OutputSimilarityOptions options;
};

Result<std::vector<OutputSet>> read_sets(const SimilarityOutputsArguments& arguments) {
  ASSAY_TRY(const Importer* importer, find_importer(arguments.format));
  ASSAY_TRY(const FieldMap fields, parse_field_map(arguments.fields));
  ASSAY_TRY(const std::vector<std::string> files, list_outputs(arguments.paths));
  std::map<std::string, std::size_t> place;
  std::vector<OutputSet> sets;
  for (const std::string& file : files) {
    const std::string stem = model_of_file(file);
    const bool named_by_file = arguments.format == "zeroeval";
    ASSAY_OK(read_stored(file, *importer, fields, [&](StoredOutput output) -> Status {
      const std::string model = named_by_file || output.model.empty() ? stem : output.model;
      const auto [it, is_new] = place.try_emplace(model, sets.size());
      if (is_new) sets.push_back({.model = model});
      if (output.output) sets[it->second].answers.emplace(output.id, *output.output);  // the first of an item counts
      return {};
    }));
  }
  return sets;
}

Result<int> run(const Globals& globals, const SimilarityOutputsArguments& arguments) {
  std::optional<Panel> panel;
  if (!arguments.panel.empty()) {
    ASSAY_TRY(panel, read_panel(arguments.panel));
  }
  ASSAY_TRY(const std::vector<OutputSet> sets, read_sets(arguments));
  OutputSimilarityOptions options = arguments.options;
  options.seed = globals.seed;
  ASSAY_TRY(const auto rows, compare_outputs(sets, panel, options));
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_OK(record_output_similarity(database, rows));
  print_result(globals, output_similarity_json(rows), output_similarity_text(rows));
  return kFine;
}

}  // namespace

void add_similarity_outputs(Cli& cli, CLI::App& parent) {
  CLI::App& app = *parent.add_subcommand("outputs", "what several models said to the same prompts, with a panel as the null");
  app.fallthrough();
  app.footer(
      "Examples:\n"
      "  assay similarity outputs zeroeval/gsm --format zeroeval --panel panel.json\n"
      "  assay similarity outputs a.jsonl b.jsonl --fields id=task,output=completion    no panel: INCONCLUSIVE\n"
      "A panel file: {\"name\": \"...\", \"members\": [models], \"family\": {model: family}}; models of one family are no null for each other.");
  const auto arguments = std::make_shared<SimilarityOutputsArguments>();
  app.add_option("PATH", arguments->paths, "files (plain, gz or zip) or folders of stored outputs; a model each, or named by a field")->required();
  app.add_option("--format", arguments->format, "as for `assay replay`")->capture_default_str();
  app.add_option("--fields", arguments->fields, "what members of a record are called: id=a,output=b,model=c");
  app.add_option("--panel", arguments->panel, "the panel that the null is drawn from; without one no verdict is given");
  app.add_option("--alpha", arguments->options.alpha, "level of the tests")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
