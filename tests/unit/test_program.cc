// From an output to a program and from its outcome to a score; nothing is run here.
#include <string>

#include "eval/runs/judge_programs.h"
#include "suites/program.h"
#include "suites/score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

TEST_CASE("program: code is found in fences, without them, and behind an open one") {
  const auto code = [](const char* output) { return std::string(find_code(output)); };
  CHECK(code("Sure:\n```python\ndef f():\n    return 1\n```\nDone.") == "def f():\n    return 1\n");
  CHECK(code("```\nx = 1\n```\nthen\n```py\nclass A: pass\n```") == "class A: pass\n");
  CHECK(code("```\nx = 1\n```\nand\n```\ny = 2\n```") == "x = 1\n");
  CHECK(code("```python\ndef f(): pass") == "def f(): pass");
  CHECK(code("def f():\n    return 1") == "def f():\n    return 1");
  CHECK(code("    return 1\n") == "    return 1\n");
  CHECK(code("\n    return 1\n```\nThis works.\n```") == "\n    return 1\n");
  CHECK(code("```") == "```");
  CHECK(code("") == "");
}

Protocol program_protocol() {
  Protocol p;
  p.kind = ProtocolKind::generate;
  p.extractors = {{"code", "", false, ""}};
  p.equality = kPythonTests;
  p.tests = "{test}check({entry_point})\n";
  p.stops = {"\ndef ", "\nprint("};
  p.metrics = {"pass@1"};
  return p;
}

Item program_item() {
  Item item;
  item.id = "one";
  item.question = "import math\ndef helper(x):\n    return x\n\ndef twice(x):\n    \"\"\"Doubles.\"\"\"\n";
  item.gold = "    return 2 * x\n";
  item.extra = {{"test", "def check(f):\n    assert f(2) == 4\n"}, {"entry_point", "twice"}};
  return item;
}

TEST_CASE("program: a body continues the prompt and ends at a stop, a whole function stands behind its imports") {
  const Protocol protocol = program_protocol();
  const Item item = program_item();
  const auto solution = [&](const char* code) { return program_test(protocol, item, code)->solution; };
  CHECK(solution("    return 2 * x\n") == item.question + "    return 2 * x\n");
  CHECK(solution("    return 2 * x\n\nprint(twice(1))\n") == item.question + "    return 2 * x\n");
  CHECK(solution("def twice(x):\n    return x + x\n\nprint(1)") == "import math\ndef helper(x):\n    return x\n\ndef twice(x):\n    return x + x\n\nprint(1)");
  CHECK(solution("def twice_more(x): pass") == item.question + "def twice_more(x): pass");  // another name
  CHECK(program_test(protocol, item, "x")->tests == "def check(f):\n    assert f(2) == 4\ncheck(twice)\n");
  Item other = item;
  other.extra.clear();
  CHECK_FALSE(program_test(protocol, other, "x").ok());  // the template names what is not there
}

TEST_CASE("program: an item is judged by the outcome, and by nothing where there is none") {
  const auto judged = [](ProgramOutcome outcome) {
    ItemScore score = score_output(program_protocol(), program_item(), "    return 2 * x\n");
    CHECK_FALSE(score.correct.has_value());
    REQUIRE(score.program.has_value());
    settle_program(score, outcome);
    CHECK_FALSE(score.program.has_value());
    return score;
  };
  const ItemScore passed = judged({ProgramVerdict::passed, "ok"}), failed = judged({ProgramVerdict::failed, "AssertionError"}), fault = judged({ProgramVerdict::fault, "no sandbox"});
  CHECK(passed.correct == true);
  CHECK(failed.correct == false);
  CHECK(failed.why == "AssertionError");
  CHECK_FALSE(fault.correct.has_value());
  CHECK(fault.harness_fault);
  CHECK(fault.why == "harness fault: no sandbox");
  const Item item = program_item();
  const auto metrics = aggregate(program_protocol(), std::vector<ScoredItem>{{&item, passed}, {&item, failed}, {&item, fault}});
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].name == "pass@1");
  CHECK(metrics[0].n == 2);  // the fault is in no score
  CHECK(metrics[0].value == 0.5);
}

TEST_CASE("program: an empty output is wrong without being run") {
  const ItemScore score = score_output(program_protocol(), program_item(), " \n");
  CHECK(score.correct == false);
  CHECK_FALSE(score.program.has_value());
}

TEST_CASE("program: every waiting score is settled once, whatever the number of threads") {
  for (const int threads : {1, 3}) {
    std::vector<ItemScore> scores(20);
    std::vector<ItemScore*> pointers;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (i % 4 != 0) scores[i].program = ProgramTest{std::to_string(i), ""};
      pointers.push_back(&scores[i]);
    }
    judge_programs(pointers, threads, [](const ProgramTest& test) {
      return ProgramOutcome{std::stoi(test.solution) % 2 == 0 ? ProgramVerdict::passed : ProgramVerdict::failed, test.solution};
    });
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (i % 4 == 0) CHECK_FALSE(scores[i].correct.has_value());
      else CHECK(scores[i].correct == (i % 2 == 0));
    }
  }
}

}  // namespace
