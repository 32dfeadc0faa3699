// What CI reads of a comparison: JUnit and Markdown.
#include "base/file.h"
#include "eval/compare/compare_sides.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

SidePair side(const std::string& suite, const std::string& verdict, std::vector<std::string> flips) {
  SidePair s{.suite = suite, .protocol = "p", .metric = "accuracy", .runs = {.run_a = 1, .run_b = 2, .n = 100, .delta = -0.03}};
  s.runs.gained = 1, s.runs.lost = 4, s.runs.p = 0.375, s.runs.test = "mcnemar-exact";
  s.runs.low = -0.07, s.runs.high = 0.01;
  s.runs.flips = std::move(flips);
  s.verdict = verdict, s.p_adjusted = 0.75;
  return s;
}

SideComparison gate() {
  SideComparison out{.suites = {side("good", "pass", {}), side("<bad>", "fail", {"a|b", "c&d"}), side("open", "undecided", {})}, .verdict = "fail"};
  for (SidePair& s : out.suites) s.margin = 0.01, s.p_worse = 0.001, s.p_not_worse = 0.9;
  return out;
}

TEST_CASE("compare: JUnit has a case a suite, failures with the items, undecided as errors") {
  const std::string xml = sides_junit(gate());
  CHECK(xml.find("<testsuite name=\"assay gate\" tests=\"3\" failures=\"1\" errors=\"1\">") != std::string::npos);
  CHECK(xml.find("name=\"&lt;bad&gt; under p\"") != std::string::npos);
  CHECK(xml.find("c&amp;d</failure>") != std::string::npos);
  CHECK(xml.find("<error message=\"undecided: ") != std::string::npos);
  CHECK(xml.find("margin 0.01") != std::string::npos);
  std::size_t cases = 0;
  for (std::size_t at = xml.find("<testcase"); at != std::string::npos; at = xml.find("<testcase", at + 1)) ++cases;
  CHECK(cases == 3);
  SideComparison same{.suites = {side("good", "same", {})}, .verdict = "same"};
  CHECK(sides_junit(same).find("assay compare") != std::string::npos);
  CHECK(sides_junit(same).find("failures=\"0\" errors=\"0\"") != std::string::npos);
}

TEST_CASE("compare: Markdown has a row a suite and no cell that breaks the table") {
  const std::string text = sides_markdown(gate());
  CHECK(text.find("## assay gate: fail") != std::string::npos);
  CHECK(text.find("| pass | 100 | accuracy | -0.03000 | -0.07000 to +0.01000 |") != std::string::npos);
  CHECK(text.find("<bad>") == std::string::npos);
  CHECK(text.find("a|b") == std::string::npos);  // escaped
  CHECK(text.find("Margin 0.01") != std::string::npos);
  SideComparison many{.suites = {side("good", "worse", std::vector<std::string>(25, "k"))}, .verdict = "worse"};
  CHECK(sides_markdown(many).find("and 5 more") != std::string::npos);
  CHECK(sides_markdown(many).find("Margin") == std::string::npos);
}

TEST_CASE("compare: files are written where they are asked for") {
  const Scratch scratch;
  REQUIRE(write_sides(gate(), scratch / "g.xml", "").ok());
  CHECK(*read_file(scratch / "g.xml") == sides_junit(gate()));
  CHECK_FALSE(read_file(scratch / "g.md").ok());
  REQUIRE(write_sides(gate(), "", scratch / "g.md").ok());
  CHECK(*read_file(scratch / "g.md") == sides_markdown(gate()));
  CHECK(write_sides(gate(), scratch / "no/such/g.xml", "").error().code == Code::not_found);
}

}  // namespace
