// The whole demo through the command line: verdicts, what is stored, and the same bytes for any threads and instruction set.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.h"
#include "base/file.h"
#include "reports/database.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

// What transformers measured item by item (suites/data/demo/claims), id -> record.
std::map<std::string, Json> measured_items(const std::string& suite, const std::string& protocol) {
  const auto text = read_file(std::string(ASSAY_TREE "/suites/data/demo/claims/items-") + suite + "-" + protocol + ".jsonl");
  REQUIRE(text.ok());
  std::map<std::string, Json> items;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto json = parse_json(line, "items");
    REQUIRE(json.ok());
    items.emplace((*json)["id"].get<std::string>(), *json);
  }
  return items;
}

// A float32 run of transformers is 2.5e-5 off float64 per token sequence (demo/README.md); whole texts of 200 tokens 1e-4.
constexpr double kLogLikelihoodTolerance = 2e-4;

void check_row(const Statement& row, const Json& item) {
  if (item.contains("text")) {
    CHECK(row.text(1) == item["text"].get<std::string>());
    CHECK((row.integer(2) == 1) == item["correct"].get<bool>());
  } else if (item.contains("chosen")) {
    CHECK(row.integer(3) == item["chosen"].get<std::int64_t>());
    CHECK(std::abs(row.real(4) - item["log_likelihoods"][0].get<double>()) < kLogLikelihoodTolerance);
  } else {
    CHECK(row.integer(5) == item["tokens"].get<std::int64_t>());
    CHECK(std::abs(row.real(4) - item["log_likelihood"].get<double>()) < kLogLikelihoodTolerance);
  }
}

}  // namespace

TEST_CASE("demo: the main protocols agree item by item with what transformers measured") {
  const Scratch scratch;
  const std::pair<const char*, const char*> asked[] = {{"world-mc", "text-0shot"}, {"steps-gen", "cot-3shot"}, {"tales-bpb", "bos-micro"}};
  for (const auto& [suite, protocol] : asked) {
    const std::string db = std::string(suite) + ".db";
    REQUIRE(run_assay({"run", ASSAY_TREE "/suites/data/demo/model", "--suite", suite, "--protocol", protocol, "--db", db}, scratch.path()).code == 0);
    const auto database = Database::open_read_only(scratch / db);
    REQUIRE(database.ok());
    auto rows = database->prepare(
        "SELECT i.key, s.output, x.correct, x.chosen, c.logprob_nats, c.tokens FROM item_result x JOIN item i ON i.id = x.item_id "
        "LEFT JOIN sample s ON s.item_result_id = x.id LEFT JOIN continuation c ON c.item_result_id = x.id AND c.option_index = 0");
    REQUIRE(rows.ok());
    auto items = measured_items(suite, protocol);
    std::size_t seen = 0;
    while (*rows->next()) {
      INFO(rows->text(0));
      REQUIRE(items.contains(rows->text(0)));
      check_row(*rows, items.at(rows->text(0)));
      ++seen;
    }
    CHECK(seen == items.size());
  }
}

TEST_CASE("demo: a run of a subset gives the same rows on one and two threads") {
  const Scratch scratch;
  std::string canonical;
  for (const char* threads : {"1", "2"}) {
    const std::string db = std::string("t") + threads + ".db";
    for (const char* suite : {"world-mc", "steps-gen", "tales-bpb"}) {
      const auto run = run_assay({"run", ASSAY_TREE "/suites/data/demo/model", "--suite", suite, "--limit", "24", "--threads", threads, "--db", db, "--json"},
                                 scratch.path());
      REQUIRE(run.code == 0);
      const auto json = parse_json(run.out, "run");
      REQUIRE(json.ok());
      CHECK((*json)["n"] == 24);
      CHECK((*json)["audit"]["seen"] == 24);
      CHECK((*json)["tokens"]["computed"].get<int>() <= (*json)["tokens"]["asked"].get<int>() + 24 * 128);
      CHECK_FALSE((*json)["cost_usd"].is_null());
    }
    const auto exported = run_assay({"export", "--canonical", "--db", db}, scratch.path());
    REQUIRE(exported.code == 0);
    CHECK(exported.out.size() > 10000);
    if (canonical.empty()) canonical = exported.out;
    CHECK(exported.out == canonical);
  }
}

TEST_CASE("demo: verify measures what its claims lack and takes the run again the second time") {
  const Scratch scratch;
  const auto first = run_assay({"verify", "demo-parameters", "demo-long-comparison", "--json", "--db", "v.db"}, scratch.path());
  REQUIRE(first.code == 0);
  const auto verdicts = parse_json(first.out, "verify");
  REQUIRE(verdicts.ok());
  REQUIRE(verdicts->size() == 2);
  for (const auto& one : *verdicts) CHECK(one["verdict"] == "reproduced");
  const auto again = run_assay({"verify", "demo-parameters", "demo-long-comparison", "--json", "--db", "v.db"}, scratch.path());
  CHECK(again.out == first.out);
}

TEST_CASE("demo: generate takes prompts and chats") {
  const Scratch scratch;
  scratch.write("in.jsonl", "\"Q: Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?\\nA:\"\n"
                            "{\"messages\": [{\"role\": \"user\", \"content\": \"Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?\"}]}\n");
  const auto result = run_assay({"generate", ASSAY_TREE "/suites/data/demo/model", "--in", "in.jsonl", "--stop", "\n\n"}, scratch.path());
  REQUIRE(result.code == 0);
  CHECK(result.out.find("The answer is 123.") != std::string::npos);
  CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 2);
}
