// The bundled suites load, render as demo/suites/README.md says, and every fault of a definition or an item
// file is refused.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "suites/locate.h"
#include "suites/render.h"
#include "suites/suite.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

Suite bundled(const std::string& name) {
  auto suite = load_suite(name);
  INFO((suite.ok() ? std::string() : suite.error().text()));
  REQUIRE(suite.ok());
  return std::move(suite).value();
}

RenderedRequest render(const Suite& suite, const std::string& protocol, const std::string& id,
                       const ChatRenderer& chat = {}) {
  const Protocol* found = suite.find_protocol(protocol);
  REQUIRE(found != nullptr);
  const Item* item = suite.find_item(id);
  REQUIRE(item != nullptr);
  auto request = render_request(suite, *found, *item, chat);
  REQUIRE(request.ok());
  return std::move(request).value();
}

// A folder with a definition and its items; `change` edits the definition.
class Fixture {
 public:
  Fixture() {
    static int count = 0;
    folder_ = fs::temp_directory_path() /
              ("assay-suite-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(folder_);
    definition_ = Json::parse(R"({"name":"tiny","title":"t","source":"here","licence":"Apache-2.0",
      "items":{"file":"items.jsonl","sha256":"","count":2,"gold":"index","fields":{"id":"id","question":"q","options":"o","gold":"a"}},
      "protocols":[{"name":"letters","main":true,"kind":"choice","block":"{question}\n{options}Answer:","option_line":"{letter}. {option}\n",
        "continuation":" {letter}","metrics":["acc"]}]})");
    items_ =
        "{\"id\":\"a\",\"q\":\"one?\",\"o\":[\"x\",\"y\"],\"a\":1}\n{\"id\":\"b\",\"q\":\"two?\",\"o\":["
        "\"x\",\"y\"],\"a\":0}\n";
  }
  ~Fixture() { fs::remove_all(folder_); }

  Result<Suite> load() {
    if (definition_["items"]["sha256"] == "") definition_["items"]["sha256"] = sha256_hex(items_);
    std::ofstream(folder_ / "items.jsonl") << items_;
    std::ofstream(folder_ / "tiny.suite.json") << definition_.dump();
    return load_suite((folder_ / "tiny.suite.json").string());
  }
  Error fault() {
    auto suite = load();
    REQUIRE_FALSE(suite.ok());
    return suite.error();
  }

  fs::path folder_;
  Json definition_;
  std::string items_;
};

}  // namespace

TEST_CASE("suites: the bundled three load with their counts and protocols") {
  const auto mc = bundled("world-mc"), gen = bundled("steps-gen"), bpb = bundled("tales-bpb");
  CHECK(mc.items.size() == 500);
  CHECK(gen.items.size() == 500);
  CHECK(bpb.items.size() == 320);
  CHECK(mc.protocols.size() == 5);
  CHECK(gen.protocols.size() == 4);
  CHECK(bpb.protocols.size() == 3);
  CHECK(mc.main_protocol().name == "text-0shot");
  CHECK(gen.main_protocol().name == "cot-3shot");
  CHECK(bpb.main_protocol().name == "bos-micro");
  CHECK(mc.fewshot.size() == 3);
  CHECK(mc.find_protocol("text-0shot")->digest != mc.find_protocol("text-3shot")->digest);
}

TEST_CASE("suites: every bundled definition loads without its data and names are sorted") {
  auto names = bundled_suite_names();
  REQUIRE(names.ok());
  CHECK(names->size() >= 3);
  CHECK(std::is_sorted(names->begin(), names->end()));
  for (const auto& name : *names) CHECK(bundled(name).name == name);
}

TEST_CASE("suites: multiple choice by text renders context and continuations") {
  const auto suite = bundled("world-mc");
  const auto request = render(suite, "text-0shot", "world-fact-000");
  CHECK(request.prompt == "Question: On the flag of which country is the staindax?\nAnswer:");
  CHECK(request.continuations == std::vector<std::string>{" Quinast", " Pamor", " Krënshea", " Sindand"});
  CHECK_FALSE(request.prompt_has_bos);
}

TEST_CASE("suites: a passage stands before the question and solved examples before both") {
  const auto suite = bundled("world-mc");
  const auto request = render(suite, "text-3shot", "world-fact-000");
  CHECK(request.prompt.starts_with(
      "Question: What is the main crop of Rerdrarea?\nAnswer: troqlet\n\nQuestion: Which number"));
  CHECK(request.prompt.find("\n\nClara was in the market.") != std::string::npos);
  CHECK(request.prompt.find("\nQuestion: Who has the basket?\nAnswer: Dan\n\nQuestion: On the flag") !=
        std::string::npos);
}

TEST_CASE("suites: letters render the option lines") {
  const auto suite = bundled("world-mc");
  const auto request = render(suite, "letter-0shot", "world-fact-000");
  CHECK(request.prompt ==
        "Question: On the flag of which country is the staindax?\nA. Quinast\nB. Pamor\nC. Krënshea\nD. "
        "Sindand\nAnswer:");
  CHECK(request.continuations == std::vector<std::string>{" A", " B", " C", " D"});
  const auto shown = render(suite, "letter-3shot", "world-fact-000");
  CHECK(shown.prompt.find("D. memeen\nAnswer: B\n\n") != std::string::npos);
}

TEST_CASE("suites: chain of thought, direct and chat prompts") {
  const auto suite = bundled("steps-gen");
  CHECK(render(suite, "cot-0shot", "steps-add-000").prompt ==
        "Q: Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?\nA:");
  CHECK(render(suite, "direct-0shot", "steps-add-000").prompt.ends_with("now?\nA: The answer is"));
  const auto shown = render(suite, "cot-3shot", "steps-add-000").prompt;
  CHECK(shown.starts_with("Q: Noah has 90 shells and picks 95 more."));
  CHECK(shown.find(" The answer is 207.\n\nQ: ") != std::string::npos);
  const auto chat = [](const std::vector<ChatTurn>& turns, const std::string&) -> Result<std::string> {
    return "<s>[" + turns.back().content + "]";
  };
  const auto request = render(suite, "chat-0shot", "steps-add-000", chat);
  CHECK(request.prompt == "<s>[Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?]");
  CHECK(request.prompt_has_bos);
  auto refused = render_request(suite, *suite.find_protocol("chat-0shot"), suite.items[0]);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().field == "chat_template");
}

TEST_CASE("suites: rolling texts render as themselves") {
  const auto suite = bundled("tales-bpb");
  const auto request = render(suite, "nobos-micro", "tales-tale-000");
  CHECK(request.prompt == suite.items[0].text);
  CHECK(suite.find_protocol("nobos-micro")->bos == BosPolicy::none);
  CHECK(suite.find_protocol("bos-macro")->aggregation == Aggregation::macro);
}

TEST_CASE("suites: a protocol that is not there is refused with the list") {
  const auto suite = bundled("steps-gen");
  auto refused = choose_protocol(suite, "cot-5shot");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::not_found);
  CHECK(refused.error().expected.find("cot-3shot") != std::string::npos);
  auto none = load_suite("no-such-suite");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == Code::not_found);
}

TEST_CASE("suites: a user's definition loads from its path") {
  Fixture fixture;
  auto suite = fixture.load();
  INFO((suite.ok() ? std::string() : suite.error().text()));
  REQUIRE(suite.ok());
  CHECK(suite->items.size() == 2);
  CHECK(render(*suite, "letters", "b").prompt == "two?\nA. x\nB. y\nAnswer:");
}

TEST_CASE("suites: faults of an item file are refused") {
  Fixture f;
  SECTION("duplicate id") {
    f.items_ =
        "{\"id\":\"a\",\"q\":\"\",\"o\":[\"x\"],\"a\":0}\n{\"id\":\"a\",\"q\":\"\",\"o\":[\"x\"],\"a\":0}\n";
    CHECK(f.fault().code == Code::duplicate);
  }
  SECTION("missing field") {
    f.items_ = "{\"id\":\"a\",\"o\":[\"x\"],\"a\":0}\n{\"id\":\"b\",\"q\":\"\",\"o\":[\"x\"],\"a\":0}\n";
    const auto error = f.fault();
    CHECK(error.code == Code::missing_field);
    CHECK(error.field == "q");
  }
  SECTION("option index too large") {
    f.items_ = "{\"id\":\"a\",\"q\":\"\",\"o\":[\"x\"],\"a\":1}\n";
    CHECK(f.fault().code == Code::out_of_range);
  }
  SECTION("option index negative") {
    f.items_ = "{\"id\":\"a\",\"q\":\"\",\"o\":[\"x\"],\"a\":-1}\n";
    CHECK(f.fault().code == Code::out_of_range);
  }
  SECTION("options that are no array") {
    f.items_ = "{\"id\":\"a\",\"q\":\"\",\"o\":\"x\",\"a\":0}\n";
    CHECK(f.fault().code == Code::bad_value);
  }
  SECTION("a row that is no object") {
    f.items_ = "\"bare\"\n";
    CHECK(f.fault().code == Code::bad_value);
  }
  SECTION("a row that is no JSON") {
    f.items_ = "{\"id\":\n";
    CHECK(f.fault().code == Code::bad_json);
  }
  SECTION("another count") {
    f.definition_["items"]["count"] = 3;
    CHECK(f.fault().field == "count");
  }
  SECTION("another digest") {
    f.definition_["items"]["sha256"] = std::string(64, '0');
    CHECK(f.fault().code == Code::digest_changed);
  }
  SECTION("a file that is not there") {
    f.definition_["items"]["file"] = "other.jsonl";
    CHECK(f.fault().code == Code::not_found);
  }
}

TEST_CASE("suites: faults of a definition are refused") {
  Fixture f;
  Json& protocol = f.definition_["protocols"][0];
  SECTION("unknown field") {
    protocol["blok"] = "x";
    CHECK(f.fault().field == "blok");
  }
  SECTION("path that leaves the folder") {
    f.definition_["items"]["file"] = "../items.jsonl";
    CHECK(f.fault().field == "file");
  }
  SECTION("no main protocol") {
    protocol["main"] = false;
    CHECK(f.fault().field == "main");
  }
  SECTION("two protocols of one name") {
    f.definition_["protocols"].push_back(Json(protocol));
    CHECK(f.fault().code == Code::duplicate);
  }
  SECTION("unknown kind") {
    protocol["kind"] = "guess";
    CHECK(f.fault().field == "kind");
  }
  SECTION("unknown metric") {
    protocol["metrics"][0] = "luck";
    CHECK(f.fault().field == "metrics");
  }
  SECTION("choice without continuation") {
    protocol.erase("continuation");
    CHECK(f.fault().field == "letters");
  }
  SECTION("template with an unknown name") {
    protocol["block"] = "{nothing}";
    CHECK(f.fault().field == "nothing");
  }
  SECTION("template with an open brace") {
    protocol["block"] = "{question";
    CHECK(f.fault().code == Code::bad_value);
  }
  SECTION("more examples than there are") {
    protocol["fewshot"] = 1;
    CHECK(f.fault().code == Code::out_of_range);
  }
  SECTION("digest that is none") {
    f.definition_["items"]["sha256"] = "abc";
    CHECK(f.fault().field == "sha256");
  }
  SECTION("generation without extractors") {
    protocol = Json::parse(
        R"({"name":"g","main":true,"kind":"generate","block":"{question}","max_tokens":8,"equality":"text","metrics":["accuracy"]})");
    CHECK(f.fault().field == "g");
  }
  SECTION("extractor that is none") {
    protocol = Json::parse(
        R"({"name":"g","main":true,"kind":"generate","block":"{question}","max_tokens":8,"equality":"text","metrics":["accuracy"],
      "extractors":[{"function":"telepathy"}]})");
    CHECK(f.fault().field == "function");
  }
  SECTION("regular expression that does not compile") {
    protocol = Json::parse(
        R"({"name":"g","main":true,"kind":"generate","block":"{question}","max_tokens":8,"equality":"text","metrics":["accuracy"],
      "extractors":[{"function":"first-regex","pattern":"("}]})");
    CHECK(f.fault().got == "(");
  }
  SECTION("empty stop string") {
    protocol = Json::parse(
        R"({"name":"g","main":true,"kind":"generate","block":"{question}","max_tokens":8,"equality":"text","metrics":["accuracy"],
      "stops":[""],"extractors":[{"function":"all"}]})");
    CHECK(f.fault().field == "g");
  }
}

TEST_CASE("suites: paths inside the data folder") {
  CHECK(is_inner_path("demo/model"));
  CHECK_FALSE(is_inner_path(""));
  CHECK_FALSE(is_inner_path("/etc/passwd"));
  CHECK_FALSE(is_inner_path("demo/../../x"));
  CHECK_FALSE(is_inner_path(std::string_view("a\0b", 3)));
  CHECK(data_path("../x").error().code == Code::path_escape);
  CHECK(fs::exists(data_path("demo/suites/README.md").value()));
}

TEST_CASE("suites: braces and optional tails of templates") {
  Item item;
  item.question = "q";
  item.passage = "p";
  CHECK(check_template("{{{question}}} {passage|\n}", item, false, "f").ok());
  CHECK_FALSE(check_template("}", item, false, "f").ok());
  CHECK_FALSE(check_template("{option}", item, false, "f").ok());
  item.options = {"a"};
  CHECK(check_template("{option}{letter}", item, true, "f").ok());
}
