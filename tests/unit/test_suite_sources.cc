// Items as people have them: every format and kind of gold answer, what is left out, cut and cleaned, and what is refused.
#include <archive.h>
#include <archive_entry.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "eval/runs/record.h"
#include "eval/suite_register.h"
#include "suites/check_sources.h"
#include "suites/definition.h"
#include "suites/input.h"
#include "suites/prepare.h"
#include "suites/render.h"
#include "suites/suite.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

// Definitions whose items are others' data in the scratch folder itself.
Result<Suite> load(const Scratch& scratch, const Json& items, const Json& more = Json::object()) {
  Json definition = Json::parse(R"({"name":"s","title":"t","source":"here","licence":"none","protocols":[
    {"name":"p","main":true,"kind":"generate","block":"{question}","max_tokens":8,"extractors":[{"function":"all"}],"equality":"text","metrics":["accuracy"]}]})");
  definition["items"] = items;
  if (items.is_object()) definition["items"]["origin"] = "data";
  definition.update(more);
  return load_suite(scratch.write("s.suite.json", definition.dump()), scratch.path());
}

Suite loaded(const Scratch& scratch, const Json& items, const Json& more = Json::object()) {
  auto suite = load(scratch, items, more);
  INFO((suite.ok() ? "" : suite.error().text()));
  REQUIRE(suite.ok());
  return std::move(suite).value();
}

// A gzip file, or a zip of several members.
void pack(const std::string& path, const std::vector<Member>& members) {
  archive* a = archive_write_new();
  if (members.size() == 1 && members[0].name.empty()) {
    archive_write_add_filter_gzip(a);
    archive_write_set_format_raw(a);
  } else {
    archive_write_set_format_zip(a);
  }
  REQUIRE(archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK);
  for (const Member& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.name.empty() ? "x" : member.name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, static_cast<la_int64_t>(member.text.size()));
    archive_write_header(a, entry);
    archive_write_data(a, member.text.data(), member.text.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
}

std::string gzipped(const std::string& text) {
  const Scratch scratch;
  pack(scratch / "x.gz", {{"", text}});
  std::ifstream file(scratch / "x.gz", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Json kQa = {{"question", "q"}, {"gold", "a"}};

}  // namespace

TEST_CASE("suite sources: the same rows in every format") {
  const Scratch scratch;
  struct Case {
    const char* file;
    std::string text;
    Json items;
  };
  const Case cases[] = {
      {"a.jsonl", "{\"q\":\"x, \\\"y\\\"\",\"a\":\"1\"}\n\n{\"q\":\"z\",\"a\":2}\n", {}},
      {"b.jsonl", "[{\"q\":\"x, \\\"y\\\"\",\"a\":\"1\"},{\"q\":\"z\",\"a\":2}]", {}},
      {"c.json", "{\"m\":{\"rows\":[{\"q\":\"x, \\\"y\\\"\",\"a\":\"1\"},{\"q\":\"z\",\"a\":2}]}}", {{"format", "json"}, {"key", "m.rows"}}},
      {"d.csv", "\xEF\xBB\xBFid,q,a\r\n7,\"x, \"\"y\"\"\",1\r\n8,z,2\r\n", {{"format", "csv"}, {"header", true}}},
      {"e.csv", "\"x, \"\"y\"\"\",1\nz,2\n", {{"format", "csv"}, {"fields", {{"question", "0"}, {"gold", "1"}}}}},
      {"f.tsv", "x, \"y\"\t1\nz\t2", {{"format", "tsv"}, {"fields", {{"question", "0"}, {"gold", "1"}}}}},
      {"g.tsv", "q\ta\nx, \"y\"\t1\nz\t2\n", {{"format", "tsv"}, {"header", true}}},
      {"h.jsonl", "{\"d\":{\"q\":\"x, \\\"y\\\"\",\"a\":\"1\"}}\n{\"d\":{\"q\":\"z\",\"a\":2}}", {{"fields", {{"question", "d.q"}, {"gold", "d.a"}}}}},
  };
  for (const Case& one : cases) {
    scratch.write(one.file, one.text);
    pack(scratch / "packed.gz", {{"", one.text}});
    Json items = {{"file", one.file}, {"sha256", sha256_hex(one.text)}, {"count", 2}, {"fields", kQa}};
    items.update(one.items.is_null() ? Json::object() : one.items);
    for (const char* file : {one.file, "packed"}) {
      items["file"] = file;
      INFO(one.file << " " << file);
      const Suite suite = loaded(scratch, items);
      REQUIRE(suite.items.size() == 2);
      CHECK(suite.items[0].question == "x, \"y\"");
      CHECK(suite.items[1].gold == "2");
      CHECK(suite.items[1].ordinal == 1);
    }
  }
}

TEST_CASE("suite sources: every kind of gold answer") {
  struct Case {
    const char *row, *gold;
    Json more;
    int index;
    const char* text;
  };
  const Json options = {{"question", "q"}, {"options", "o"}, {"gold", "g"}};
  const Case cases[] = {
      {R"({"q":"","o":["a","b"],"g":1})", "index", {}, 1, "1"},
      {R"({"q":"","o":["a","b"],"g":"1"})", "index1", {}, 0, "0"},
      {R"({"q":"","o":["a","b"],"g":"B"})", "letter", {}, 1, "1"},
      {R"({"q":"","o":["a","b"],"l":["1","2"],"g":"2"})", "label", {{"labels", "l"}}, 1, "1"},
      {R"({"q":"","o":["a","b"],"g":[0,1]})", "flags", {}, 1, "1"},
      {R"({"q":"","o":{"a":0,"b":1},"g":{"a":0,"b":1}})", "flags", {}, 1, "1"},
      {R"({"q":"","o":["a","b"],"g":"never"})", "first", {}, 0, "0"},
      {R"({"q":"","x":"a","y":7,"g":0})", "index", {{"fields", {{"question", "q"}, {"options", "x,y"}, {"gold", "g"}}}}, 0, "0"},
      {R"({"q":"","g":"so \\boxed{\\frac{1}{2}}."})", "boxed", {{"fields", {{"question", "q"}, {"gold", "g"}}}}, -1, "\\frac{1}{2}"},
      {R"({"q":"","g":["x","y","x"]})", "texts", {{"fields", {{"question", "q"}, {"gold", "g"}}}}, -1, "x"},
      {R"({"q":"","g":[["x","y"],["z"]]})", "texts", {{"fields", {{"question", "q"}, {"gold", "g"}}}}, -1, "x, y"},
      {R"({"q":"","g":"work\n#### 18"})", "text", {{"gold_after", "####"}, {"fields", {{"question", "q"}, {"gold", "g"}}}}, -1, "18"},
  };
  for (const Case& one : cases) {
    const Scratch scratch;
    scratch.write("i.jsonl", one.row);
    Json items = {{"file", "i.jsonl"}, {"gold", one.gold}, {"fields", options}};
    items.update(one.more.is_null() ? Json::object() : one.more);
    INFO(one.row);
    const Suite suite = loaded(scratch, items);
    CHECK(suite.items[0].gold_index == one.index);
    CHECK(suite.items[0].gold == one.text);
    CHECK(suite.items[0].golds.size() == (std::string_view(one.gold) == "texts" ? 1U : 0U));
  }
}

TEST_CASE("suite sources: gold answers that are none are refused") {
  struct Case {
    const char *row, *gold;
    Code code;
  };
  const Case cases[] = {
      {R"({"o":["a"],"g":"0"})", "index1", Code::out_of_range},     {R"({"o":["a"],"g":"2"})", "index1", Code::out_of_range},
      {R"({"o":["a"],"g":"C"})", "letter", Code::out_of_range},     {R"({"o":["a"],"g":[0]})", "flags", Code::out_of_range},
      {R"({"o":["a"],"l":["x"],"g":"y"})", "label", Code::out_of_range}, {R"({"o":["a"],"g":"y"})", "label", Code::missing_field},
      {R"({"o":["a"],"g":"no box"})", "boxed", Code::bad_value},    {R"({"o":["a"],"g":[]})", "texts", Code::bad_value},
      {R"({"o":["a"],"g":[{}]})", "texts", Code::bad_value},        {R"({"o":["a"],"g":[""]})", "texts", Code::missing_field},
      {R"({"o":["a"],"g":1e99})", "index", Code::out_of_range},
  };
  for (const Case& one : cases) {
    const Scratch scratch;
    scratch.write("i.jsonl", one.row);
    Json items = {{"file", "i.jsonl"}, {"gold", one.gold}, {"fields", {{"options", "o"}, {"gold", "g"}}}};
    if (std::string_view(one.gold) == "label") items["labels"] = "l";
    const auto suite = load(scratch, items);
    INFO(one.row);
    REQUIRE_FALSE(suite.ok());
    CHECK(suite.error().code == one.code);
  }
}

TEST_CASE("suite sources: requests are rows of one item each, and unconditional ones are none") {
  const Scratch scratch;
  const std::string rows =
      R"({"i":0,"d":{"q":"Question: one?\nAnswer:","o":["a","b"],"g":0}}
{"i":0,"d":{"q":"Question: one?\nAnswer:","o":["a","b"],"g":0}}
{"i":1,"d":{"q":"Question: two?\nAnswer:","o":["a","b"],"g":1}}
{"i":100,"d":{"q":"Question: one?\nAnswer:","o":["a","b"],"g":0}}
)";
  pack(scratch / "all.zip", {{"w/requests.jsonl.gz", gzipped(rows)}, {"w/other.txt", "x"}});
  Json items = {{"file", "all.zip"}, {"member", "w/requests.jsonl.gz"}, {"sha256", sha256_hex(rows)}, {"count", 2}, {"gold", "index"},
                {"distinct", "i"}, {"below", {{"field", "i"}, {"value", 100}}}, {"strip", Json::parse(R"([{"field":"question","before":"Question: ","after":"\nAnswer:"}])")},
                {"fields", {{"question", "d.q"}, {"options", "d.o"}, {"gold", "d.g"}}}};
  const Suite suite = loaded(scratch, items);
  REQUIRE(suite.items.size() == 2);
  CHECK(suite.items[1].question == "two?");
  items["strip"][0]["before"] = "Q: ";
  CHECK(load(scratch, items).error().code == Code::bad_value);
  items["member"] = "w/none";
  CHECK(load(scratch, items).error().code == Code::not_found);
}

TEST_CASE("suite sources: a star in the file's name is the sub-task, packed or not") {
  const Scratch scratch;
  scratch.write("de_x.tsv", "zwei?\t2\n");
  pack(scratch / "en_x.tsv.gz", {{"", "one?\t1\n"}});
  Json items = {{"file", "*_x.tsv"}, {"format", "tsv"}, {"count", 2}, {"fields", {{"subset", "*"}, {"question", "0"}, {"gold", "1"}}}};
  const Suite suite = loaded(scratch, items);
  CHECK(suite.items[0].subset == "de");
  CHECK(suite.items[1].subset == "en");
  CHECK(suite.items[1].ordinal_in_subset == 0);
  CHECK(suite.items_digest.size() == 64);
  items["sha256"] = suite.items_digest;
  CHECK(loaded(scratch, items).items.size() == 2);
  scratch.write("fr_x.tsv", "trois?\t3\n");
  CHECK(load(scratch, items).error().code == Code::digest_changed);
}

TEST_CASE("suite sources: texts are examples as they stand behind a marker") {
  const Scratch scratch;
  scratch.write("i.jsonl", "{\"q\":\"x\",\"a\":\"1\",\"s\":\"u\"}\n");
  scratch.write("u.txt", "canary\n-----\nQ: 1\nA: 2\n\n");
  Json more = Json::parse(R"({"splits":{"cot":{"file":"*.txt","format":"text","gold":"none","text_after":"-----\n","fields":{"text":"text","subset":"*"}}},
    "protocols":[{"name":"p","main":true,"kind":"generate","block":"Q: {question}\nA:","example":"{text}","max_tokens":8,
    "fewshot":{"indices":[0],"split":"cot","of_subset":true},"extractors":[{"function":"all"}],"equality":"text","metrics":["accuracy"]}]})");
  const Json items = {{"file", "i.jsonl"}, {"fields", {{"question", "q"}, {"gold", "a"}, {"subset", "s"}}}};
  const Suite suite = loaded(scratch, items, more);
  const auto request = render_request(suite, suite.protocols[0], suite.items[0]);
  REQUIRE(request.ok());
  CHECK(request->prompt == "Q: 1\nA: 2\n\nQ: x\nA:");
  std::filesystem::remove(scratch / "u.txt");
  const Suite without = loaded(scratch, items, more);  // loads, and says what is missing where it is needed
  REQUIRE(without.missing.size() == 1);
  CHECK(render_request(without, without.protocols[0], without.items[0]).error().code == Code::not_found);
}

TEST_CASE("suite sources: cut, trimmed and prepared fields") {
  const Scratch scratch;
  scratch.write("i.jsonl", R"({"q":" so _ it _ is ","o":[" a ","b"],"a":1})");
  Json items = {{"file", "i.jsonl"}, {"gold", "index"}, {"trim", {"question", "options"}}, {"fields", {{"question", "q"}, {"options", "o"}, {"gold", "a"}}},
                {"split", {{"field", "question"}, {"at", "_"}, {"before", "b"}, {"after", "e"}}}};
  const Suite suite = loaded(scratch, items);
  CHECK(suite.items[0].question == "so _ it _ is");
  CHECK(suite.items[0].options[0] == "a");
  CHECK(suite.items[0].field("b") == std::optional<std::string_view>("so "));
  CHECK(suite.items[0].field("e") == std::optional<std::string_view>(" it _ is"));
  items["split"]["at"] = "~";
  CHECK(load(scratch, items).error().code == Code::bad_value);
  Item item;
  item.extra = {{"activity_label", "Baking"}, {"ctx_a", " A [x]man [title] stirs  it."}, {"ctx_b", "the DOG"}};
  item.options = {"[step] eats [title] it  ", "a [b\n] c"};
  REQUIRE(prepare_item("hellaswag", item).ok());
  CHECK(item.question == "Baking: A man. stirs it. The dog");
  CHECK(item.options[0] == " eats. it");
  CHECK(item.options[1] == "a [b\n] c");
  CHECK_FALSE(is_preparation("goodaswag"));
  item.extra.pop_back();
  CHECK(prepare_item("hellaswag", item).error().code == Code::missing_field);
}

TEST_CASE("suite sources: the first file that is there is read, and none is told with where to get it") {
  const Scratch scratch;
  scratch.write("second.jsonl", "{\"q\":\"x\",\"a\":\"1\"}\n");
  Json items = Json::array();
  for (const char* file : {"first.jsonl", "second.jsonl"}) {
    items.push_back({{"origin", "data"}, {"file", file}, {"from", std::string("shop of ") + file}, {"fields", kQa}});
  }
  CHECK(loaded(scratch, items).n_items == 1);
  std::filesystem::remove(scratch / "second.jsonl");
  const auto none = load(scratch, items);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == Code::not_found);
  CHECK(none.error().expected.find("shop of second.jsonl") != std::string::npos);
}

TEST_CASE("suite sources: add checks what is pinned and registers what is open") {
  const Scratch scratch;
  const std::string rows = "{\"q\":\"x\",\"a\":\"1\"}\n";
  scratch.write("i.jsonl", rows);
  const Json items = {{"file", "i.jsonl"}, {"count", 1}, {"from", "the shop"}, {"fields", kQa}};
  Json more = Json::parse(R"({"splits":{"train":{"file":"t.jsonl","from":"the other shop"}}})");
  (void)loaded(scratch, items, more);
  const auto check = check_sources(scratch / "s.suite.json", scratch.path());
  REQUIRE(check.ok());
  CHECK(check->has_items);
  REQUIRE(check->sources.size() == 2);
  CHECK(check->sources[0].sha256 == sha256_hex(rows));
  CHECK_FALSE(check->sources[0].pinned);
  CHECK_FALSE(check->sources[1].is_there);
  CHECK(check->sources[1].from == "the other shop");
  auto database = Database::create(scratch / "x.db");
  REQUIRE(database.ok());
  REQUIRE(register_sources(*database, *check).ok());
  REQUIRE(register_sources(*database, *check).ok());
  SuiteCheck other = *check;
  other.sources[0].sha256 = std::string(64, '0');
  const Status changed = register_sources(*database, other);
  REQUIRE_FALSE(changed.ok());
  CHECK(changed.error().code == Code::digest_changed);
  other.sources[0].pinned = true;  // the definition itself has changed
  CHECK(register_sources(*database, other).ok());
  scratch.write("i.jsonl", rows + rows);
  CHECK(check_sources(scratch / "s.suite.json", scratch.path()).error().field == "count");
  const auto nowhere = check_sources(scratch / "s.suite.json", "");
  REQUIRE(nowhere.ok());
  CHECK_FALSE(nowhere->has_items);
}

TEST_CASE("suite sources: a file that is not the pinned one is told before rows that cannot be read") {
  const Scratch scratch;
  scratch.write("i.jsonl", "{\"other\":1}\n");
  Json items = {{"file", "i.jsonl"}, {"sha256", std::string(64, 'a')}, {"count", 1}, {"fields", kQa}};
  CHECK(load(scratch, items).error().code == Code::digest_changed);
  items.erase("sha256");
  CHECK(load(scratch, items).error().code == Code::missing_field);
}

TEST_CASE("suite sources: faults of a source are refused") {
  struct Case {
    const char *change, *field;
  };
  const Case cases[] = {
      {R"({"format":"parquet"})", "format"},
      {R"({"gold":"label"})", "labels"},
      {R"({"prepare":"soup"})", "prepare"},
      {R"({"below":{"field":"x"}})", "value"},
      {R"({"split":{"field":"q","at":"","before":"b","after":"e"}})", "at"},
      {R"({"strip":[{"before":"x"}]})", "field"},
      {R"({"file":"../i.jsonl"})", "file"},
      {R"({"fields":{"question":1}})", "fields"},
      {R"({"sha256":"12"})", "sha256"},
      {R"({"count":-1})", "count"},
      {R"({"origin":"bundled"})", "sha256"},
      {R"({"colour":"red"})", "colour"},
  };
  for (const Case& one : cases) {
    const Scratch scratch;
    scratch.write("i.jsonl", "{\"q\":\"x\",\"a\":\"1\"}\n");
    Json items = {{"origin", "data"}, {"file", "i.jsonl"}, {"fields", kQa}};
    items.update(Json::parse(one.change));
    const auto suite = load(scratch, Json::array({items}));
    INFO(one.change);
    REQUIRE_FALSE(suite.ok());
    CHECK(suite.error().field == one.field);
  }
  const Scratch scratch;
  CHECK(load(scratch, Json::array()).error().field == "items");
  CHECK(load(scratch, Json::array({1})).error().field == "items");
  scratch.write("i.csv", "q,a\n1\n");
  CHECK(load(scratch, {{"file", "i.csv"}, {"format", "csv"}, {"header", true}, {"fields", kQa}}).error().code == Code::bad_value);
  CHECK(load(scratch, {{"file", "i.csv"}, {"format", "csv"}, {"fields", {{"question", "0"}, {"gold", "5"}}}}).error().code == Code::missing_field);
}

TEST_CASE("suite sources: gzip in memory is bounded") {
  const std::string packed = gzipped(std::string(100'000, 'x'));
  CHECK(unpack_gzip(packed, 100'000, "f")->size() == 100'000);
  CHECK(unpack_gzip(packed, 99'999, "f").error().code == Code::too_large);
  CHECK(unpack_gzip(packed.substr(0, packed.size() / 2), 1 << 20, "f").error().code == Code::truncated);
}

TEST_CASE("suite sources: what a request showed is kept as the columns hold it") {
  ResultRecord record;
  keep_shown(record, {}, {0, 1, 2});
  CHECK_FALSE(record.shown_examples.has_value());
  CHECK_FALSE(record.option_order.has_value());
  keep_shown(record, {"train-3", "a \"b\""}, {2, 0, 1});
  CHECK(record.shown_examples == std::optional<std::string>(R"(["train-3","a \"b\""])"));
  CHECK(record.option_order == std::optional<std::string>("2 0 1"));
}
