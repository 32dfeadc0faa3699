// HumanEval and MBPP from ../shared: reference solutions pass, broken ones fail.
#include <string>
#include <vector>

#include "base/parallel.h"
#include "eval/runs/judge_programs.h"
#include "suites/score.h"
#include "suites/suite.h"
#include "tests/catch.h"

namespace {

using namespace assay;

struct Tally {
  int passed = 0, failed = 0, faults = 0;
};

// The gold, changed by `change`, of every `step`-th item.
template <class Change>
Tally tally_of(const Suite& suite, std::size_t step, Change change) {
  std::vector<ItemScore> scores;
  for (std::size_t i = 0; i < suite.items.size(); i += step) scores.push_back(score_output(suite.main_protocol(), suite.items[i], change(suite.items[i].gold)));
  std::vector<ItemScore*> pointers;
  for (ItemScore& score : scores) pointers.push_back(&score);
  judge_programs(pointers, hardware_threads());
  Tally tally;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    tally.passed += scores[i].correct == true ? 1 : 0;
    tally.failed += scores[i].correct == false ? 1 : 0;
    tally.faults += scores[i].harness_fault ? 1 : 0;
    if (scores[i].correct == false) UNSCOPED_INFO(suite.items[i * step].id << ": " << scores[i].why);
  }
  return tally;
}

std::string kept(const std::string& gold) { return gold; }
// A body that gives back nothing: right for no item.
std::string emptied(const std::string& gold) { return gold.substr(0, gold.find_first_not_of(" \t\r\n")) + "return None\n" + gold; }

bool ready(const char* name, Suite& suite) {
  auto loaded = load_suite(name, ASSAY_SHARED "/data");
  if (!loaded.ok() || !Sandbox().unavailable().empty()) {
    WARN("skipped: " << (loaded.ok() ? Sandbox().unavailable() : loaded.error().text()));
    return false;
  }
  suite = std::move(*loaded);
  return true;
}

TEST_CASE("code suites: some of HumanEval's solutions pass, and fail when they give nothing back") {
  Suite suite;
  if (!ready("humaneval", suite)) return;
  const Tally right = tally_of(suite, 14, kept), wrong = tally_of(suite, 14, emptied);
  CHECK(right.passed == 12);
  CHECK(wrong.failed == 12);
}

TEST_CASE("code suites: some of MBPP's reference programs pass") {
  Suite suite;
  if (!ready("mbpp", suite)) return;
  const Tally right = tally_of(suite, 81, kept);
  CHECK(right.passed == 13);
  const Tally wrong = tally_of(suite, 81, [](const std::string&) { return std::string("x = 1\n"); });
  CHECK(wrong.failed == 13);
}

TEST_CASE("code suites: all of HumanEval and MBPP", "[.long]") {
  Suite suite;
  if (!ready("humaneval", suite)) return;
  CHECK(tally_of(suite, 1, kept).passed == 164);
  CHECK(tally_of(suite, 1, emptied).failed == 164);
  REQUIRE(ready("mbpp", suite));
  const Tally mbpp = tally_of(suite, 1, kept);
  CHECK(mbpp.passed == 974);
  CHECK(mbpp.faults == 0);
}

}  // namespace
