// Replay of stored outputs: every trap of such files in small, the audit, the rows, sensitivity.
#include "eval/replay/replay.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/runs/score_lines.h"
#include "suites/input.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = fs::temp_directory_path() /
            ("assay-replay-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

 private:
  fs::path path_;
};

ReplayOptions zeroeval(const std::string& protocol = "") {
  ReplayOptions options;
  options.format = "zeroeval";
  options.suite = "gsm8k";
  options.protocol = protocol;
  return options;
}

ReplayResult replay_one(const std::string& path, const ReplayOptions& options) {
  auto results = replay({path}, options, nullptr);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  REQUIRE(results->size() == 1);
  return std::move(results->front());
}

std::string row(const std::string& id, const std::string& answer, const std::string& gold = "# 18") {
  return Json{{"id", id}, {"answer", gold}, {"question", "q"}, {"output", {answer}}}.dump() + "\n";
}

// The first 60 bytes of a gzip file.
std::string cut_gzip() {
  static const unsigned char kBytes[] = {
      31,  139, 8,   0,   0,  0,   0,   0,   2,   3,   21,  143, 203, 13, 68, 49,  8,   196, 122, 225,
      76,  5,   116, 3,   1,  194, 175, 131, 136, 222, 247, 237, 117, 36, 91, 158, 3,   207, 50,  102,
      133, 33,  30,  199, 83, 36,  230, 162, 171, 193, 26,  169, 170, 97, 12, 213, 138, 112, 252, 61};
  return std::string(reinterpret_cast<const char*>(kBytes), sizeof(kBytes));
}

constexpr const char* kRight = "{\"reasoning\": \"r\", \"answer\": \"$18\"}";

}  // namespace

TEST_CASE("replay: a clean file") {
  Folder f;
  const auto r = replay_one(f.write("Some-Model-3.1.jsonl", row("a", kRight) + row("b", "{\"answer\": 17}")),
                            zeroeval());
  CHECK(r.model == "Some-Model-3.1");
  CHECK(r.protocol == "zeroeval");
  CHECK(r.audit.expected == 1319);
  CHECK(r.audit.seen == 2);
  CHECK(r.metrics[0].name == "accuracy");
  CHECK(r.metrics[0].value == 0.5);
  CHECK(r.published.empty());
}

TEST_CASE("replay: traps are counted, never fatal") {
  Folder f;
  const std::string text =
      row("a", kRight) + "\"a bare string\"\n" + "{broken\n" + "\n" + "[1, 2]\n" + "null\n" +
      R"({"answer": "# 1", "output": ["x"]})"
      "\n" +  // no id
      R"({"id": "c", "answer": "# 1"})"
      "\n" +  // no prediction
      R"({"id": "d", "answer": "# 1", "output": null})"
      "\n" +  // none either
      R"({"id": "e", "answer": "# 1", "output": []})"
      "\n" +                         // nor here
      row("a", "{\"answer\": 5}") +  // a second answer to a
      R"({"session_id": "f", "correct_answer": "# 1,000", "output": ["{\"answer\": \"1000%\""]})"
      "\n" +
      row("g", "") + row("h", "no object, no number");
  const auto r = replay_one(f.write("m.jsonl", text), zeroeval());
  CHECK(r.audit.seen == 4);  // a f g h
  CHECK(r.audit.malformed == 8);
  CHECK(r.audit.duplicated == 1);
  CHECK(r.audit.fallback == 1);  // f: its object does not end
  CHECK(r.audit.unextractable == 2);
  CHECK(r.metrics[0].value == 0.5);  // a and f; the second answer to a does not count
}

TEST_CASE("replay: an array is the same as JSON lines, pretty-printed or cut") {
  Folder f;
  const std::string lines = row("a", kRight) + row("b", kRight);
  Json array = Json::array({Json::parse(row("a", kRight)), Json::parse(row("b", kRight))});
  const auto one = replay_one(f.write("x/m.jsonl", lines), zeroeval());
  const auto two = replay_one(f.write("y/m.json", array.dump(2)), zeroeval());
  CHECK(one.metrics[0].value == two.metrics[0].value);
  CHECK(two.audit.seen == 2);
  const std::string whole = array.dump();
  const auto cut = replay_one(f.write("z/m.json", whole.substr(0, whole.size() - 9)), zeroeval());
  CHECK(cut.audit.seen == 1);
  CHECK(cut.audit.malformed == 1);
  REQUIRE(cut.warnings.size() == 1);
}

TEST_CASE("replay: an empty file has nothing and says so") {
  Folder f;
  const auto r = replay_one(f.write("m.jsonl", ""), zeroeval());
  CHECK(r.audit.seen == 0);
  CHECK(r.metrics.empty());
}

TEST_CASE("replay: a partial run shows in the audit") {
  Folder f;
  std::string text;
  for (int i = 0; i < 681; ++i) text += row("i" + std::to_string(i), kRight);
  const auto r = replay_one(f.write("m.jsonl", text), zeroeval());
  CHECK(r.audit.seen == 681);
  CHECK(r.audit.expected == 1319);
  CHECK(audit_text(r.audit) == "681 of 1319 items");
}

TEST_CASE("replay: published figures beside the outputs") {
  Folder f;
  f.write("published/gsm.summary.json",
          R"([{"Model": "m", "Mode": "greedy", "Acc": "50.00", "No answer": "0.00", "Total": 2},
    {"Model": "m", "Mode": "sampling", "Acc": "99.00", "No answer": "0.00", "Total": 2}])");
  const auto path = f.write("gsm/m.jsonl", row("a", kRight) + row("b", "{\"answer\": 1}"));
  auto r = replay_one(path, zeroeval());
  REQUIRE(r.published.size() == 3);
  for (const auto& figure : r.published) CHECK(figure.agrees);
  r = replay_one(f.write("gsm/sampling/m.jsonl", row("a", kRight) + row("b", "{\"answer\": 1}")), zeroeval());
  REQUIRE(r.published.size() == 3);
  CHECK_FALSE(r.published[0].agrees);
  CHECK(r.published[0].ours == "50.00");
  CHECK(r.published[1].agrees);
}

TEST_CASE("replay: folders are read whole, in order, without the published figures") {
  Folder f;
  f.write("run/b.jsonl", row("a", kRight));
  f.write("run/a.jsonl", row("a", kRight));
  f.write("run/published/a.json", "[]");
  f.write("run/README.md", "x");
  auto files = list_outputs({f.path("run")});
  REQUIRE(files.ok());
  REQUIRE(files->size() == 2);
  CHECK(model_of_file(files->front()) == "a");
  fs::create_directories(f.path("none"));
  CHECK(list_outputs({f.path("none")}).error().code == Code::not_found);
}

TEST_CASE("replay: refusals") {
  Folder f;
  auto options = zeroeval();
  CHECK(replay({f.path("absent.jsonl")}, options, nullptr).error().code == Code::not_found);
  options.format = "telepathy";
  CHECK(replay({f.path()}, options, nullptr).error().code == Code::usage);
  options = zeroeval("no-such-protocol");
  CHECK(replay({f.write("m.jsonl", row("a", kRight))}, options, nullptr).error().code == Code::not_found);
  CHECK(replay({f.write("m.gz", cut_gzip())}, zeroeval(), nullptr).error().code == Code::truncated);
}

TEST_CASE("replay: field maps") {
  auto map = parse_field_map("id=task,output=completion,gold=truth,model=who,flag=ok,question=ask");
  REQUIRE(map.ok());
  CHECK(map->id == "task");
  CHECK(map->flag == "ok");
  CHECK(parse_field_map("").ok());
  for (const char* bad : {"id", "id=", "colour=red", "id=a,,"})
    CHECK(parse_field_map(bad).error().code == Code::usage);
}

TEST_CASE("replay: generic objects and tables by a field map") {
  Folder f;
  ReplayOptions options;
  options.format = "jsonl";
  options.suite = "gsm8k";
  options.protocol = "last-number";
  options.fields = parse_field_map("id=task,output=completion,gold=truth,model=who").value();
  auto results = replay({f.write("o.jsonl", R"({"task": 7, "completion": "it is 5", "truth": 5, "who": "A"}
{"task": 7, "completion": "it is 6", "truth": 5, "who": "B"})")},
                        options, nullptr);
  REQUIRE(results.ok());
  REQUIRE(results->size() == 2);
  CHECK((*results)[0].model == "A");
  CHECK((*results)[0].metrics[0].value == 1.0);
  CHECK((*results)[1].metrics[0].value == 0.0);
  options.format = "csv";
  const auto r = replay_one(
      f.write("o.csv",
              "task,completion,truth,who\r\n1,\"it is, say,\n\"\"5\"\"\",5,A\r\n2,none,5,A\r\n3,short\r\n"),
      options);
  CHECK(r.audit.seen == 2);
  CHECK(r.audit.malformed == 1);
  CHECK(r.metrics[0].value == 0.5);
}

TEST_CASE("replay: a suite's own items are what counts") {
  Folder f;
  ReplayOptions options;
  options.format = "jsonl";
  options.suite = "steps-gen";
  const auto r =
      replay_one(f.write("o.jsonl", R"({"id": "steps-add-000", "text": "The answer is 123.", "answer": 5}
{"id": "nobody-knows", "text": "The answer is 5.", "answer": 5})"),
                 options);
  CHECK(r.audit.seen == 1);
  CHECK(r.audit.malformed == 1);
  CHECK(r.metrics[0].value == 1.0);  // 123 by the suite, whatever the record says
}

TEST_CASE("replay: rows in the database, once") {
  Folder f;
  const auto path = f.write("m.jsonl", row("a", kRight) + row("b", "{\"answer\": 17}") + "{broken\n");
  f.write("published/x.summary.json", "[]");
  auto database = Database::create(f.path("r.db"));
  REQUIRE(database.ok());
  auto recorder = Recorder::open(*database);
  REQUIRE(recorder.ok());
  for (int i = 0; i < 2; ++i) REQUIRE(replay({path}, zeroeval(), &*recorder).ok());
  const auto count = [&](const char* sql) {
    auto statement = database->prepare(sql);
    REQUIRE(statement.ok());
    REQUIRE(statement->next().value());
    return statement->integer(0);
  };
  CHECK(count("SELECT count(*) FROM run WHERE kind = 'replay' AND status = 'complete' AND items_seen = 2 AND "
              "malformed = 1") == 1);
  CHECK(count("SELECT count(*) FROM item_result") == 2);
  CHECK(count("SELECT count(*) FROM sample JOIN item_result ON item_result.id = item_result_id WHERE "
              "item_result.correct = 1") == 1);
  CHECK(count("SELECT count(*) FROM artifact WHERE kind = 'outputs' AND name = 'm.jsonl'") == 1);
}

TEST_CASE("replay: flags of the file become a claim with a verdict") {
  Folder f;
  const auto path = f.write("m.jsonl", R"({"id": "a", "output": "1", "gold": "1", "correct": true}
{"id": "b", "output": "2", "gold": "1", "correct": true})");
  auto database = Database::create(f.path("r.db"));
  auto recorder = Recorder::open(*database);
  ReplayOptions options = zeroeval("last-number");
  options.format = "jsonl";
  auto results = replay({path}, options, &*recorder);
  REQUIRE(results.ok());
  REQUIRE(results->front().flags);
  CHECK(results->front().flags->agree == 1);
  CHECK(results->front().flags->differing == std::vector<std::string>{"b"});
  auto statement =
      database->prepare("SELECT verdict, reason, key FROM verdict JOIN claim ON claim.id = claim_id");
  REQUIRE(statement->next().value());
  CHECK(statement->text(0) == "contradicted");
  CHECK(statement->text(1) == "1 of 2 stored flags equal our own judgement");
  CHECK(statement->text(2).find(f.path()) == std::string::npos);
}

TEST_CASE("replay: an item that changed has a row of its own") {
  Folder f;
  auto database = Database::create(f.path("r.db"));
  auto recorder = Recorder::open(*database);
  REQUIRE(replay({f.write("a.jsonl", row("a", kRight))}, zeroeval(), &*recorder).ok());
  auto results = replay({f.write("b.jsonl", row("a", kRight, "# 19"))}, zeroeval(), &*recorder);
  REQUIRE(results.ok());
  CHECK(results->front().audit.malformed == 0);
  CHECK(results->front().warnings.size() == 1);
  auto rows = database->prepare("SELECT group_concat(substr(key, 1, 2)), count(item_result.id) FROM item JOIN item_result ON item.id = item_id");
  REQUIRE(rows->next().value());
  CHECK(rows->text(0) == "a,a~");
  CHECK(rows->integer(1) == 2);
}

TEST_CASE("replay: threads change nothing") {
  Folder f;
  for (int i = 0; i < 9; ++i)
    f.write("run/m" + std::to_string(i) + ".jsonl", row("a", kRight) + row("b", std::to_string(i)));
  auto options = zeroeval("all");
  const auto one = replay(list_outputs({f.path("run")}).value(), options, nullptr);
  options.threads = 4;
  const auto four = replay(list_outputs({f.path("run")}).value(), options, nullptr);
  REQUIRE(one.ok());
  REQUIRE(four.ok());
  CHECK(replay_json(*one, true) == replay_json(*four, true));
}

TEST_CASE("replay: sensitivity to the protocol") {
  Folder f;
  // A answers in JSON only, B in hashes only: who is better hangs on the extractor.
  f.write("run/A.jsonl", row("a", "{\"answer\": \"18\"} that was step 4"));
  f.write("run/B.jsonl", row("a", "#### 18"));
  const auto results = replay(list_outputs({f.path("run")}).value(), zeroeval("all"), nullptr);
  REQUIRE(results.ok());
  const Json json = replay_json(*results, true);
  const Json& own = json[0]["sensitivity"];
  CHECK(own["zeroeval"] == 1.0);
  CHECK(own["lme-strict"] == 0.0);
  CHECK(own["flips"] == Json::array({"a"}));
  CHECK(own["inversions"].size() == 1);
  CHECK(replay_text(*results, true).find("is above B under zeroeval") != std::string::npos);
}

TEST_CASE("replay: score lines as a filter") {
  auto suite = load_suite("steps-gen");
  REQUIRE(suite.ok());
  const Protocol& p = suite->main_protocol();
  auto out = score_lines(*suite, p, R"({"id": "x", "output": "The answer is 5.", "gold": 5}

{"id": "x", "output": "The answer is 5."}
{"id": "steps-add-000", "output": "The answer is 123."}
{"id": 7, "gold": "5"})",
                         "f");
  REQUIRE(out.ok());
  std::vector<Json> lines;
  std::istringstream in(*out);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0]["correct"] == true);
  CHECK(lines[0]["extracted"] == "5");
  CHECK(lines[0]["by"] == "first-regex");
  CHECK(lines[1]["correct"].is_null());
  CHECK(lines[2]["correct"] == true);
  CHECK(lines[3]["correct"] == false);
  CHECK(lines[3]["id"] == 7);
  CHECK(lines[3]["extracted"].is_null());
  CHECK(score_lines(*suite, p, "{}\nnot json", "f").error().message.find("line 2") != std::string::npos);
  auto mc = load_suite("world-mc");
  CHECK(score_lines(*mc, mc->main_protocol(), "{}", "f").error().code == Code::unsupported);
}

TEST_CASE("input: records of lines and arrays in any chunks") {
  for (const std::string text : {"{\"a\":1}\n\n{\"a\":\"x]\\\"}\"}\n", "[{\"a\":1},\n{\"a\":\"x]\\\"}\"}]",
                                 "\xEF\xBB\xBF[{\"a\":1},{\"a\":\"x]\\\"}\"}]trailing"}) {
    for (std::size_t chunk = 1; chunk < text.size(); chunk += 3) {
      std::vector<std::string> records;
      RecordSplitter splitter([&](std::string_view record) -> Status {
        records.emplace_back(record);
        return {};
      });
      for (std::size_t i = 0; i < text.size(); i += chunk)
        REQUIRE(splitter.add(std::string_view(text).substr(i, chunk)).ok());
      REQUIRE(splitter.finish().ok());
      CHECK(records == std::vector<std::string>{"{\"a\":1}", "{\"a\":\"x]\\\"}\"}"});
      CHECK_FALSE(splitter.unterminated());
    }
  }
}

TEST_CASE("input: limits on records") {
  RecordSplitter splitter([](std::string_view) -> Status { return {}; }, 10);
  CHECK(splitter.add("123456789012").error().code == Code::too_large);
}

TEST_CASE("input: comma-separated values") {
  const auto rows = parse_csv("a,\"b \"\"c\"\"\",\"d\r\ne\"\r\n\r\n1,,3", "f");
  REQUIRE(rows.ok());
  CHECK(*rows == std::vector<std::vector<std::string>>{{"a", "b \"c\"", "d\r\ne"}, {"1", "", "3"}});
  CHECK(parse_csv("\"open", "f").error().code == Code::truncated);
}

TEST_CASE("input: patterns with one star") {
  std::string star;
  CHECK(fits("data/test/law_test.csv", "data/test/*_test.csv", &star));
  CHECK(star == "law");
  CHECK_FALSE(fits("data/dev/law_dev.csv", "data/test/*_test.csv"));
  CHECK_FALSE(fits("ab", "ab*b"));
  CHECK(fits("anything", ""));
}
