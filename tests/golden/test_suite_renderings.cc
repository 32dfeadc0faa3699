// What the shipped protocols ask: beside lm-evaluation-harness' own task files (tests/oracle/make_lme_renderings.py), and pinned for every
// protocol on invented items.
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "suites/definition.h"
#include "suites/draws.h"
#include "suites/render.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

const std::string kLme = ASSAY_TREE "/tests/golden/data/lme/";

// How the invented rows lie where the definition reads another layout than the Hugging Face rows.
Json layout(const std::string& suite, const Json& definition) {
  if (suite == "mmlu") {
    return Json::parse(R"({"origin":"data","file":"","gold":"index","id_prefix":"m-","fields":{"subset":"subject","question":"question","options":"choices","gold":"answer"}})");
  }
  const Json& items = definition["items"];
  if (!items.is_array()) return items;
  for (const Json& one : items) {
    if (!one.contains("below") && !one["file"].get<std::string>().starts_with("olmo")) return one;
  }
  return items.back();
}

void open_up(Json& source, const std::string& file) {
  source["file"] = file;
  for (const char* pinned : {"sha256", "count", "member"}) source.erase(pinned);
}

// The shipped definition over the invented rows.
Suite over_made_rows(const std::string& name) {
  const auto text = read_file(ASSAY_TREE "/suites/data/" + name + ".suite.json");
  REQUIRE(text.ok());
  Json definition = Json::parse(*text);
  definition["items"] = layout(name, definition);
  open_up(definition["items"], name + ".items.jsonl");
  if (name == "mmlu") {
    Json dev = definition["items"];
    dev.erase("origin");
    definition["fewshot"] = dev;
    open_up(definition["fewshot"], name + ".train.jsonl");
  }
  if (definition.contains("splits")) {
    for (auto& [split, source] : definition["splits"].items()) {
      const bool rows = split == "train" || split == "validation";
      open_up(source, rows ? name + ".train.jsonl" : "not-here.txt");
    }
  }
  for (Json& protocol : definition["protocols"]) {  // examples from the items themselves, of which three are made here
    if (protocol.contains("fewshot") && protocol["fewshot"].is_object() && protocol["fewshot"].value("split", "") == "items") protocol["fewshot"]["n"] = 2;
  }
  const Scratch scratch;
  auto suite = load_suite(scratch.write(name + ".suite.json", definition.dump()), kLme);
  INFO(name << ": " << (suite.ok() ? "" : suite.error().text()));
  REQUIRE(suite.ok());
  return std::move(suite).value();
}

Result<std::string> plain_chat(const std::vector<ChatTurn>& turns, const std::string& options) {
  std::string text = options;
  for (const ChatTurn& turn : turns) text += "<" + turn.role + ">" + turn.content + "</" + turn.role + ">";
  return text + "<assistant>";
}

// An item that has every field a shipped template names.
Item made_item(int i) {
  const std::string n = std::to_string(i);
  Item item;
  item.id = "made-" + n;
  item.subset = "made_up_task";
  item.question = " How many legs has animal " + n + "? ";
  item.passage = "Animal " + n + " walks.";
  item.options = {" four ", "six" + n, "eight", "none"};
  item.gold_index = i % 4;
  item.gold = std::to_string(item.gold_index);
  item.text = "Q: text " + n + "\nA: done";
  for (const char* name : {"solution", "cot", "code", "input", "level", "sentence", "before", "after", "chain", "prompt", "test", "entry_point", "tests", "setup"}) {
    item.extra.emplace_back(name, std::string(name) + " " + n + " ");
  }
  return item;
}

std::vector<Item> made_items(int first, int n) {
  std::vector<Item> items;
  for (int i = 0; i < n; ++i) {
    items.push_back(made_item(first + i));
    items.back().ordinal = items.back().ordinal_in_subset = i;
  }
  return items;
}

std::string digest_of(const RenderedRequest& request) {
  Sha256 sha;
  sha.add_field(request.prompt);
  for (const std::string& text : request.contexts) sha.add_field(text);
  for (const std::string& text : request.continuations) sha.add_field(text);
  sha.add_field(request.unconditional ? "after " + *request.unconditional : "none");
  for (const std::string& id : request.shown) sha.add_field(id);
  return sha.hex().substr(0, 16);
}

// One line a protocol.
std::string render_all(const std::string& name) {
  auto loaded = load_definition(name);
  REQUIRE(loaded.ok());
  Suite suite = std::move(loaded->definition.suite);
  suite.items = made_items(0, 8);
  suite.items_loaded = true;
  suite.fewshot = made_items(100, 30);
  for (const auto& split : loaded->definition.splits) suite.splits.emplace_back(split.name, made_items(200, 30));
  REQUIRE(draw_in_sequence(suite).ok());
  std::string lines;
  for (const Protocol& protocol : suite.protocols) {
    const auto request = render_request(suite, protocol, suite.items[2], plain_chat);
    INFO(name << " " << protocol.name << " " << (request.ok() ? "" : request.error().text()));
    REQUIRE(request.ok());
    CHECK(request->shown.size() == protocol.shots.size());
    CHECK(request->continuations.size() == (protocol.kind == ProtocolKind::choice ? 4U : 0U));
    lines += name + " " + protocol.name + " " + digest_of(*request) + "\n";
  }
  return lines;
}

}  // namespace

TEST_CASE("suite renderings: what lm-evaluation-harness' own tasks ask, byte for byte") {
  std::map<std::string, Suite> suites;
  std::ifstream lines(kLme + "renderings.jsonl");
  REQUIRE(lines.is_open());
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const Json row = Json::parse(line);
    const std::string name = row["suite"].get<std::string>();
    if (!suites.contains(name)) suites.emplace(name, over_made_rows(name));
    const Suite& suite = suites.at(name);
    const Protocol* protocol = suite.find_protocol(row["protocol"].get<std::string>());
    REQUIRE(protocol != nullptr);
    const auto& item = suite.items[row["item"].get<std::size_t>()];
    const auto request = render_request(suite, *protocol, item);
    const auto option = row["option"].get<std::size_t>();
    INFO(line << (request.ok() ? "" : request.error().text()));
    REQUIRE(request.ok());
    INFO(request->context_of(option));
    CHECK(sha256_hex(request->context_of(option)) == row["context"].get<std::string>());
    if (!row["continuation"].is_null()) CHECK(sha256_hex(request->continuations.at(option)) == row["continuation"].get<std::string>());
  }
  CHECK(n == 93);
}

TEST_CASE("suite renderings: every shipped protocol asks what it asked when it was written") {
  const std::string path = ASSAY_TREE "/tests/golden/data/suite_renderings.txt";
  const auto names = bundled_suite_names();
  REQUIRE(names.ok());
  std::string now;
  for (const auto& name : *names) now += render_all(name);
  if (std::getenv("ASSAY_UPDATE") != nullptr) std::ofstream(path) << now;
  const auto pinned = read_file(path);
  REQUIRE(pinned.ok());
  std::istringstream a(now), b(*pinned);
  for (std::string x, y; std::getline(a, x);) {
    std::getline(b, y);
    CHECK(x == y);
  }
  CHECK(now == *pinned);
}
