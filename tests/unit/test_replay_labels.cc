// Replay of responses with verdicts on single instructions: both readings of the verdicts, records without ids, the printed table.
#include "eval/replay/replay_labels.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "eval/replay/replay.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

constexpr const char* kLabelItems =
    R"({"key":1,"prompt":"No commas, in quotes.","instruction_id_list":["punctuation:no_comma","startend:quotation"],"kwargs":[{},{}]})"
    "\n"
    R"({"key":2,"prompt":"No commas.","instruction_id_list":["punctuation:no_comma"],"kwargs":[{"num_words":null}]})"
    "\n";

class LabelFolder {
 public:
  LabelFolder() : path_(fs::temp_directory_path() / ("assay-labels-" + std::to_string(::getpid()))) {
    write("items.jsonl", kLabelItems);
    Json suite = {{"name", "tiny"}, {"title", "t"}, {"source", "own"}, {"licence", "own"}};
    suite["items"] = {{"origin", "bundled"}, {"file", "items.jsonl"}, {"sha256", sha256_hex(kLabelItems)}, {"count", 2}, {"gold", "instructions"},
                      {"fields", {{"id", "key"}, {"question", "prompt"}, {"instruction_id_list", "instruction_id_list"}, {"kwargs", "kwargs"}}}};
    suite["protocols"] = {protocol("chat", "instructions", true), protocol("m-ifeval", "instruction-labels", false)};
    write("tiny.suite.json", suite.dump());
  }
  ~LabelFolder() { fs::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }

  Result<std::vector<ReplayResult>> replay(const std::string& file, const std::string& protocol = "") const {
    ReplayOptions options;
    options.format = "m-ifeval";
    options.suite = (path_ / "tiny.suite.json").string();
    options.protocol = protocol;
    return assay::replay({file}, options, nullptr);
  }

 private:
  static Json protocol(const char* name, const char* equality, bool main) {
    return {{"name", name},       {"main", main},         {"kind", "generate"}, {"block", "{question}"}, {"max_tokens", 9},
            {"equality", equality}, {"extractors", {{{"function", "all"}}}}, {"metrics", {"strict_prompt", "strict_instruction", "loose_instruction"}}};
  }
  fs::path path_;
};

// The file says of the first response what our checkers do not: that it has no comma.
const std::string kResponses =
    R"({"prompt":"No commas, in quotes.","response":"a, b","instruction_id_list":["punctuation:no_comma","startend:quotation"],"strict":[true,false],"loose":[true,false]})"
    "\n"
    R"({"prompt":"No commas.","response":null,"instruction_id_list":["punctuation:no_comma"],"strict":[false],"loose":[false]})"
    "\n"
    R"({"prompt":"Never asked.","response":"x","instruction_id_list":["punctuation:no_comma"],"strict":[true],"loose":[true]})"
    "\n"
    R"({"prompt":"No commas."})"
    "\n";

double value(const std::vector<Metric>& metrics, std::string_view name) {
  for (const Metric& metric : metrics) {
    if (metric.name == name) return metric.value;
  }
  FAIL("no metric " << name);
  return 0;
}

TEST_CASE("replay labels: the file's verdicts make the metrics, ours stand beside them") {
  const LabelFolder folder;
  const auto results = folder.replay(folder.write("en/a-model.jsonl", kResponses));
  REQUIRE(results.ok());
  REQUIRE(results->size() == 1);
  const ReplayResult& r = results->front();
  CHECK(r.protocol == "m-ifeval");
  CHECK(r.audit.expected == 2);
  CHECK(r.audit.seen == 2);
  CHECK(r.audit.malformed == 2);  // an unknown prompt, a record without a response
  CHECK(value(r.metrics, "strict_instruction") == Approx(1.0 / 3));
  CHECK(value(r.rescored, "strict_instruction") == 0);
  REQUIRE(r.labels.has_value());
  CHECK(r.labels->strict.agree == 2);
  CHECK(r.labels->strict.of == 3);
  CHECK(r.labels->loose.of == 3);
  CHECK(r.labels->differing == std::vector<std::string>{"1 punctuation:no_comma"});
  CHECK(r.labels->by_instruction.at("startend:quotation").first.agree == 1);
  REQUIRE(r.flags.has_value());
  CHECK(r.flags->of == 3);
  CHECK(r.flags->flagged_right == 1);
  const Json json = replay_json(*results, false)[0];
  CHECK(json["labels"]["strict"]["agree"] == 2);
  CHECK(json["rescored"].contains("strict_prompt"));
  CHECK(replay_text(*results, false).find("2 of 3 strict and 2 of 3 loose equal ours") != std::string::npos);
}

TEST_CASE("replay labels: under a protocol of checkers the labels are compared only") {
  const LabelFolder folder;
  const auto results = folder.replay(folder.write("en/a-model.jsonl", kResponses), "chat");
  REQUIRE(results.ok());
  CHECK(value(results->front().metrics, "strict_instruction") == 0);
  CHECK(results->front().labels->strict.agree == 2);
  CHECK(results->front().published.empty());
  CHECK(results->front().audit.unextractable == 1);  // the response that was never given
}

TEST_CASE("replay labels: files as evaluation_main.py writes them, and files without labels") {
  const LabelFolder folder;
  const auto results = folder.replay(folder.write(
      "google.jsonl",
      R"({"follow_all_instructions":true,"follow_instruction_list":[true],"instruction_id_list":["punctuation:no_comma"],"prompt":"No commas.","response":"yes"})"));
  REQUIRE(results.ok());
  CHECK(results->front().labels->strict.agree == 1);
  CHECK(results->front().labels->loose.of == 0);
  const auto bare = folder.replay(folder.write("bare.jsonl", R"({"prompt":"No commas.","response":"yes"})"));
  REQUIRE(bare.ok());
  CHECK_FALSE(bare->front().labels.has_value());
  CHECK(value(bare->front().metrics, "strict_prompt") == 1);
  // A list of verdicts that does not fit the instructions is no list of verdicts.
  const auto short_list = folder.replay(folder.write(
      "short.jsonl", R"({"strict":[true,true],"instruction_id_list":["punctuation:no_comma"],"prompt":"No commas.","response":"a, b"})"));
  REQUIRE(short_list.ok());
  CHECK_FALSE(short_list->front().labels.has_value());
  CHECK(value(short_list->front().metrics, "strict_prompt") == 0);
}

TEST_CASE("replay labels: the cell of the printed table") {
  const LabelFolder folder;
  const std::string file = folder.write("en/claude-3-opus-20240229.jsonl", kResponses);
  const std::pair<std::string, bool> cells[] = {{"33.3", true}, {"33.4", false}, {"33", false}};
  for (const auto& [cell, agrees] : cells) {
    folder.write("published_leaderboard.md", "| Model Name | English* | Spanish |\n|:--|--:|--:|\n| Sonnet | 1 | 2 |\n| Opus | " + cell + " | 9 |\n");
    const auto results = folder.replay(file);
    REQUIRE(results.ok());
    REQUIRE(results->front().published.size() == 1);
    const PublishedFigure& figure = results->front().published.front();
    CHECK(figure.metric == "strict_instruction");
    CHECK(figure.published == cell);
    CHECK(figure.ours == "33.3");
    CHECK(figure.agrees == agrees);
  }
}

TEST_CASE("replay labels: a file's language names its suite") {
  const LabelFolder folder;
  const auto record = [&](const std::string& id) { return folder.write("f.jsonl", R"({"prompt":"p","response":"r","instruction_id_list":[")" + id + "\"]}\n"); };
  CHECK(suite_of_file("m-ifeval", "ifeval", record("fr:punctuation:no_comma")) == "ifeval-fr");
  CHECK(suite_of_file("m-ifeval", "ifeval", record("es:punctuation:no_comma")) == "ifeval-es");
  CHECK(suite_of_file("m-ifeval", "ifeval", record("en:punctuation:no_comma")) == "ifeval");
  CHECK(suite_of_file("m-ifeval", "ifeval", record("punctuation:no_comma")) == "ifeval");
  CHECK(suite_of_file("m-ifeval", "other", record("fr:punctuation:no_comma")) == "other");
  CHECK(suite_of_file("m-ifeval", "ifeval", "/no/such/file") == "ifeval");
}

}  // namespace
