// Tasks of lm-evaluation-harness imported as suites, against the harness itself (tests/oracle/make_task_goldens.py): every context and
// continuation by its digest, and what its filters and metric say of made-up outputs.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "suites/render.h"
#include "suites/score.h"
#include "suites/suite.h"
#include "suites/tasks/task_import.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

const std::string kTasks = ASSAY_TREE "/tests/golden/data/tasks";

struct Imported {
  Scratch scratch;
  ImportedTask task;
  Suite suite;
};

void import_into(Imported& out, const std::string& name) {
  auto task = import_task({.task = kTasks + "/" + name + ".yaml", .out = out.scratch / (name + ".suite.json"), .items = {}, .fewshot = {}, .num_fewshot = {}});
  INFO((task.ok() ? std::string() : task.error().text()));
  REQUIRE(task.ok());
  out.task = std::move(task).value();
  auto suite = load_suite(out.task.suite);
  INFO((suite.ok() ? std::string() : suite.error().text()));
  REQUIRE(suite.ok());
  out.suite = std::move(suite).value();
}

// One list a request: its texts' digests.
Json requests_of(const Suite& suite, const Protocol& protocol, const Item& item) {
  const auto rendered = render_request(suite, protocol, item);
  INFO((rendered.ok() ? std::string() : rendered.error().text()));
  REQUIRE(rendered.ok());
  Json out = Json::array();
  for (const auto& continuation : rendered->continuations) out.push_back({sha256_hex(rendered->prompt), sha256_hex(continuation)});
  if (rendered->continuations.empty()) out.push_back(Json::array({sha256_hex(rendered->prompt)}));
  if (protocol.unconditional) {
    for (const auto& continuation : rendered->continuations) out.push_back({sha256_hex(*protocol.unconditional), sha256_hex(continuation)});
  }
  return out;
}

}  // namespace

TEST_CASE("task import: every request is the harness's own, byte for byte") {
  const Json goldens = read_json_file(kTasks + "/goldens.json").value();
  CHECK(goldens.size() >= 5);
  for (const auto& [name, golden] : goldens.items()) {
    Imported imported;
    import_into(imported, name);
    const Json& expected = golden["requests"];
    REQUIRE(imported.suite.items.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      INFO(name << " document " << i);
      CHECK(requests_of(imported.suite, imported.suite.main_protocol(), imported.suite.items[i]) == expected[i]);
    }
  }
}

TEST_CASE("task import: filters and exact_match judge as the harness's do") {
  const Json goldens = read_json_file(kTasks + "/goldens.json").value();
  int judged = 0, right = 0;
  for (const auto& [name, golden] : goldens.items()) {
    if (!golden.contains("judged")) continue;
    Imported imported;
    import_into(imported, name);
    for (const auto& [filter, rows] : golden["judged"].items()) {
      const Protocol* protocol = imported.suite.find_protocol(filter);
      REQUIRE(protocol != nullptr);
      for (const auto& row : rows) {
        Item item;
        item.gold = row[1].get<std::string>();
        INFO(name << " " << filter << " " << row.dump());
        const auto score = score_output(*protocol, item, row[0].get<std::string>());
        CHECK(score.correct.value_or(false) == (row[2].get<double>() == 1));
        ++judged;
        right += row[2].get<double>() == 1 ? 1 : 0;
      }
    }
  }
  CHECK(judged >= 100);
  CHECK(right >= 5);
}
