#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "base/file.h"
#include "eval/cli/command.h"
#include "eval/runs/score_lines.h"

namespace assay::cli {
namespace {

struct ScoreArguments {
  std::string suite, protocol, in, data_dir;
};

Result<std::string> read_lines(const std::string& path) {
  if (path != "-") return read_file(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<int> run_score(const Globals& globals, const ScoreArguments& arguments) {
  ASSAY_TRY(const Suite suite, load_suite(arguments.suite, arguments.data_dir));
  ASSAY_TRY(const Protocol* protocol, choose_protocol(suite, arguments.protocol));
  ASSAY_TRY(const std::string text, read_lines(arguments.in));
  ASSAY_TRY(const std::string scored, score_lines(suite, *protocol, text, arguments.in, globals.n_threads()));
  fmt::print("{}", scored);
  return kFine;
}

}  // namespace

void add_score(Cli& cli) {
  auto arguments = std::make_shared<ScoreArguments>();
  CLI::App& app = cli.command("score", "judge outputs, one a line: {\"id\", \"output\", \"gold\"}",
                              "assay score --suite steps-gen --in outputs.jsonl\n"
                              "assay score --suite gsm8k --protocol lme-strict --in - < outputs.jsonl\n"
                              "assay score --suite humaneval --data ~/data --threads 8 --in outputs.jsonl");
  app.add_option("--suite", arguments->suite, "a bundled suite (assay suite list) or a definition file")
      ->required();
  app.add_option("--protocol", arguments->protocol,
                 "whose extractors and equality judge; the suite's main one if not given");
  app.add_option("--in", arguments->in, "JSON lines; - reads standard input")->required();
  app.add_option("--data", arguments->data_dir, "folder of the data sets, where lines have no gold");
  cli.on_run(app, [&cli, arguments] { return run_score(cli.globals(), *arguments); });
}

}  // namespace assay::cli
