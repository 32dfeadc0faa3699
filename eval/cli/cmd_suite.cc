#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "suites/suite.h"

namespace assay::cli {
namespace {

struct SuiteArguments {
  std::string name, data_dir;
};

Json protocol_json(const Protocol& protocol) {
  return Json{{"name", protocol.name},
              {"main", protocol.main},
              {"kind", name_of(protocol.kind)},
              {"metrics", protocol.metrics},
              {"fewshot", protocol.shots.size()},
              {"digest", protocol.digest},
              {"template_digest", protocol.template_digest},
              {"source", protocol.source},
              {"note", protocol.note},
              {"definition", Json::parse(protocol.definition_json)}};
}

Json suite_json(const Suite& suite, bool whole) {
  Json out = {{"name", suite.name},
              {"title", suite.title},
              {"source", suite.source},
              {"licence", suite.licence},
              {"items", suite.n_items},
              {"items_digest", suite.items_digest},
              {"items_loaded", suite.items_loaded}};
  out["protocols"] = Json::array();
  for (const auto& protocol : suite.protocols) {
    out["protocols"].push_back(whole ? protocol_json(protocol) : Json(protocol.name));
  }
  return out;
}

std::string suite_text(const Suite& suite) {
  std::string text = fmt::format(
      "{}: {}\n  source   {}\n  licence  {}\n  items    {}{}\n  digest   {}\n", suite.name, suite.title,
      suite.source, suite.licence, suite.n_items,
      suite.items_loaded ? "" : " (not here; give --data, or replay stored outputs)", suite.items_digest);
  for (const auto& p : suite.protocols) {
    text += fmt::format("  {}{}  {}, {} examples, {}\n", p.name, p.main ? " (main)" : "", name_of(p.kind),
                        p.shots.size(), fmt::join(p.metrics, " "));
  }
  return text;
}

Result<int> run_list(const Globals& globals) {
  ASSAY_TRY(const auto names, bundled_suite_names());
  Json document = Json::array();
  std::string text;
  for (const auto& name : names) {
    ASSAY_TRY(const Suite suite, load_suite(name));
    document.push_back(suite_json(suite, false));
    text += fmt::format("{:<12} {:>6} items  {}\n", suite.name, suite.n_items, suite.title);
  }
  print_result(globals, document, text);
  return kFine;
}

Result<int> run_show(const Globals& globals, const SuiteArguments& arguments) {
  ASSAY_TRY(const Suite suite, load_suite(arguments.name, arguments.data_dir));
  print_result(globals, suite_json(suite, true), suite_text(suite));
  return kFine;
}

}  // namespace

void add_suite(Cli& cli) {
  auto arguments = std::make_shared<SuiteArguments>();
  CLI::App& app = cli.command("suite", "what suites and protocols there are",
                              "assay suite list\nassay suite show world-mc");
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "all bundled suites");
  CLI::App* show = app.add_subcommand("show", "one suite with its protocols");
  show->add_option("suite", arguments->name, "a bundled suite, or the path of a definition file")->required();
  show->add_option("--data", arguments->data_dir,
                   "folder of the data sets, for suites whose items are others' work");
  cli.on_run(*list, [&cli] { return run_list(cli.globals()); });
  cli.on_run(*show, [&cli, arguments] { return run_show(cli.globals(), *arguments); });
}

}  // namespace assay::cli
