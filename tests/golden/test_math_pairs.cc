// Mathematical equivalence against sympy, and on the golds and stored outputs that others publish.
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "suites/extract.h"
#include "suites/input.h"
#include "suites/math/math_equal.h"
#include "tests/catch.h"

namespace {

using namespace assay;

TEST_CASE("math pairs: what sympy says of expressions drawn at random") {
  const auto cases = read_json_file(ASSAY_TREE "/tests/golden/math.json");
  REQUIRE(cases.ok());
  CHECK(cases->size() > 200);
  int equal = 0;
  for (const auto& one : *cases) {
    const std::string a = one["a"], b = one["b"];
    INFO(one["kind"] << ": " << a << "   and   " << b);
    CHECK(same_math(a, b) == one["same"].get<bool>());
    CHECK(same_math(b, a) == one["same"].get<bool>());
    equal += one["same"].get<bool>() ? 1 : 0;
  }
  CHECK(equal > 80);
}

// The golds of MATH: what the last \boxed of a solution holds.
std::vector<std::string> math_golds(const std::string& path) {
  std::vector<std::string> golds;
  RecordSplitter splitter([&](std::string_view record) -> Status {
    const auto row = parse_json(record, path);
    if (!row.ok()) return row.error();
    if (auto found = extract({{"boxed", "", false, ""}}, (*row)["solution"].get<std::string>())) golds.push_back(found->answer);
    return {};
  });
  REQUIRE(read_input(path, [&](std::string_view, std::string_view chunk, bool) { return splitter.add(chunk); }).ok());
  REQUIRE(splitter.finish().ok());
  return golds;
}

TEST_CASE("math pairs: MATH's golds are read and equal themselves, different ones do not") {
  const auto path = find_packed(ASSAY_SHARED "/data/math/math_test_5000.jsonl");
  if (!path.ok()) {
    WARN("skipped: no ../shared");
    return;
  }
  const auto golds = math_golds(*path);
  CHECK(golds.size() >= 4995);  // a few write \boxed without braces
  std::size_t as_text = 0;
  for (const auto& gold : golds) {
    INFO(gold);
    CHECK(same_math(gold, gold));
    as_text += reads_as_math(gold) ? 0 : 1;
  }
  CHECK(as_text <= 4);
  // Integers of one spelling: equal only if they are the same.
  std::set<std::string> numbers;
  for (const auto& gold : golds) {
    if (gold.find_first_not_of("0123456789") == std::string::npos && gold[0] != '0') numbers.insert(gold);
  }
  const std::vector<std::string> distinct(numbers.begin(), numbers.end());
  REQUIRE(distinct.size() > 100);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Stream random(5, i);
    const std::string &a = distinct[random.below(distinct.size())], &b = distinct[random.below(distinct.size())];
    CHECK(same_math(a, b) == (a == b));
  }
}

}  // namespace
