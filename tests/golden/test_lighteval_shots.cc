// Which solved examples lighteval shows on BIG-Bench Hard: its own sampler drew them (tests/oracle/make_lighteval_shots.py).
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "suites/draws.h"
#include "suites/suite.h"
#include "tests/catch.h"

using namespace assay;

TEST_CASE("lighteval shots: three examples of every task of BIG-Bench Hard") {
  const std::string data = ASSAY_SHARED "/data";
  if (!std::filesystem::exists(data + "/bbh/items")) {
    std::printf("skipped: %s/bbh/items is not there\n", data.c_str());
    return;
  }
  const auto suite = load_suite("bbh", data).value();
  REQUIRE(suite.items_loaded);
  const Protocol& protocol = *suite.find_protocol("lighteval-3shot");
  const Json golden = read_json_file(ASSAY_TREE "/tests/golden/data/lighteval_shots.json").value();
  REQUIRE(golden.size() == 27);
  int asked_ones = 0;
  std::map<std::string, std::vector<const Item*>> tasks;
  for (const Item& item : suite.items) tasks[item.subset].push_back(&item);
  for (const auto& [task, items] : tasks) {
    INFO(task);
    const auto drawn = golden.at(task).get<std::vector<std::size_t>>();
    for (const Item* item : items) {
      std::vector<std::string> expected;
      for (const std::size_t place : drawn) {
        const bool itself = items[place]->question == item->question && items[place]->gold == item->gold;
        asked_ones += itself ? 1 : 0;
        if (!itself && expected.size() < 3) expected.push_back(items[place]->id);
      }
      std::vector<std::string> shown;
      const auto examples = shown_examples(suite, protocol, *item).value();
      for (const Item* one : examples) shown.push_back(one->id);
      if (shown != expected) {
        CHECK(shown == expected);
        break;
      }
    }
  }
  CHECK(asked_ones >= 27 * 4);
}
