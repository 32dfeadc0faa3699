// The whole demo through the command line: verdicts, what is stored, and the same bytes for any threads and instruction set.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "eval/inspect.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

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
