#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/suite_register.h"
#include "suites/check_sources.h"
#include "suites/protocol_diff.h"
#include "suites/suite.h"

namespace assay::cli {
namespace {

struct SuiteArguments {
  std::string name, other, data_dir;
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
    if (!p.source.empty()) text += fmt::format("    as in {}\n", p.source);
    if (!p.note.empty()) text += fmt::format("    note: {}\n", p.note);
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

Json check_json(const SuiteCheck& check) {
  Json sources = Json::array();
  for (const SourceCheck& s : check.sources) {
    sources.push_back({{"source", s.name},
                       {"file", s.file},
                       {"there", s.is_there},
                       {"pinned", s.pinned},
                       {"sha256", s.sha256.empty() ? Json(nullptr) : Json(s.sha256)},
                       {"count", s.count > 0 ? Json(s.count) : Json(nullptr)},
                       {"from", s.from}});
  }
  return {{"suite", check.suite}, {"has_items", check.has_items}, {"sources", std::move(sources)}};
}

std::string check_text(const SuiteCheck& check) {
  std::string text = fmt::format("{}: {}\n", check.suite, check.has_items ? "the items are here" : "the items are not here");
  for (const SourceCheck& s : check.sources) {
    const bool stood_for = !s.is_there && s.name == "items";  // another place has the items
    const std::string_view state = stood_for ? "not needed" : !s.is_there ? "not there" : s.pinned ? "as pinned" : "registered";
    text += fmt::format("  {:<10} {:<10} {}", s.name, state, s.file);
    if (s.count > 0) text += fmt::format(", {} rows", s.count);
    if (s.is_there) text += fmt::format(", sha256 {}", s.sha256);
    if (!s.is_there && !stood_for && !s.from.empty()) text += fmt::format("\n    get it from {}", s.from);
    text += '\n';
  }
  return text;
}

// What to put where, in one sentence.
Error nothing_there(const SuiteCheck& check, const std::string& folder) {
  std::vector<std::string> wanted;
  for (const SourceCheck& s : check.sources) {
    wanted.push_back(fmt::format("{} {}{}", s.name, s.file, s.from.empty() ? "" : fmt::format(" from {}", s.from)));
  }
  return Error{.code = Code::not_found,
               .message = folder.empty() ? "name the folder of the data sets with --data" : "the data folder does not hold the items of this suite",
               .file = folder,
               .field = check.suite,
               .expected = fmt::format("{}", fmt::join(wanted, "; "))};
}

Result<int> run_add(const Globals& globals, const SuiteArguments& arguments) {
  ASSAY_TRY(const SuiteCheck check, check_sources(arguments.name, arguments.data_dir));
  if (!check.has_items) return nothing_there(check, arguments.data_dir);
  ASSAY_TRY(Database database, Database::create(globals.db));
  ASSAY_OK(register_sources(database, check));
  print_result(globals, check_json(check), check_text(check));
  return kFine;
}

struct Side {
  Suite suite;
  const Protocol* protocol;  // of `suite`
};

// "suite:protocol", or "suite" for its main one.
Result<std::unique_ptr<Side>> load_side(const std::string& named, const std::string& data_dir) {
  const auto colon = named.rfind(':');
  ASSAY_TRY(Suite suite, load_suite(named.substr(0, colon), data_dir));
  auto side = std::make_unique<Side>(Side{std::move(suite), nullptr});
  ASSAY_TRY(side->protocol, choose_protocol(side->suite, colon == std::string::npos ? "" : named.substr(colon + 1)));
  return side;
}

Json difference_json(const SuiteArguments& arguments, const ProtocolDifference& difference) {
  Json out = {{"a", arguments.name}, {"b", arguments.other}, {"fields", Json::array()}};
  for (const FieldDifference& field : difference.fields) out["fields"].push_back({{"field", field.field}, {"a", field.a}, {"b", field.b}});
  out["items_compared"] = difference.items_compared;
  out["items_differing"] = difference.items_differing;
  out["first"] = nullptr;
  if (const auto& first = difference.first) {
    out["first"] = {{"item", first->item}, {"part", first->part}, {"offset", first->texts.offset}, {"a", first->texts.a}, {"b", first->texts.b}};
  }
  return out;
}

std::string difference_text(const SuiteArguments& arguments, const ProtocolDifference& difference) {
  std::string text = fmt::format("a: {}\nb: {}\n", arguments.name, arguments.other);
  if (difference.fields.empty()) text += "the definitions say the same\n";
  const auto said = [](const std::string& value) { return value.empty() ? std::string("(default)") : value; };
  for (const FieldDifference& field : difference.fields) {
    text += fmt::format("{}\n  a {}\n  b {}\n", field.field, said(field.a), said(field.b));
  }
  if (difference.items_compared == 0) return text + "no prompts compared: the items are not here, or the suites share none; give --data\n";
  text += fmt::format("{} of {} items are asked differently\n", difference.items_differing, difference.items_compared);
  const auto& first = difference.first;
  if (!first) return text;
  const auto quoted = [](const std::string& value) { return dump_json(Json(value)); };
  return text + fmt::format("first on item {}, {}, byte {}\n  a {}\n  b {}\n", first->item, first->part, first->texts.offset,
                            quoted(first->texts.a), quoted(first->texts.b));
}

Result<int> run_diff(const Globals& globals, const SuiteArguments& arguments) {
  ASSAY_TRY(const auto a, load_side(arguments.name, arguments.data_dir));
  ASSAY_TRY(const auto b, load_side(arguments.other, arguments.data_dir));
  ASSAY_TRY(const ProtocolDifference difference, compare_protocols(a->suite, *a->protocol, b->suite, *b->protocol));
  print_result(globals, difference_json(arguments, difference), difference_text(arguments, difference));
  return kFine;
}

}  // namespace

void add_suite(Cli& cli) {
  auto arguments = std::make_shared<SuiteArguments>();
  CLI::App& app = cli.command("suite", "what suites and protocols there are",
                              "assay suite list\nassay suite show world-mc\nassay suite add gsm8k --data ~/sets\n"
                              "assay suite diff world-mc:text-0shot world-mc:letter-3shot");
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "all bundled suites");
  CLI::App* show = app.add_subcommand("show", "one suite with its protocols");
  show->add_option("suite", arguments->name, "a bundled suite, or the path of a definition file")->required();
  show->add_option("--data", arguments->data_dir,
                   "folder of the data sets, for suites whose items are others' work");
  CLI::App* add = app.add_subcommand("add", "check the files of a suite, say what is missing and where it is to be had, record their digests");
  CLI::App* diff = app.add_subcommand("diff", "how two protocols differ, field by field, and on the first item where the prompt does");
  add->add_option("suite", arguments->name, "a bundled suite, or the path of a definition file")->required();
  add->add_option("--data", arguments->data_dir, "folder of the data sets");
  diff->add_option("a", arguments->name, "SUITE:PROTOCOL, or SUITE for its main protocol")->required();
  diff->add_option("b", arguments->other, "likewise")->required();
  diff->add_option("--data", arguments->data_dir, "folder of the data sets");
  cli.on_run(*add, [&cli, arguments] { return run_add(cli.globals(), *arguments); });
  cli.on_run(*diff, [&cli, arguments] { return run_diff(cli.globals(), *arguments); });
  add_suite_import(cli, app);
  cli.on_run(*list, [&cli] { return run_list(cli.globals()); });
  cli.on_run(*show, [&cli, arguments] { return run_show(cli.globals(), *arguments); });
}

}  // namespace assay::cli
