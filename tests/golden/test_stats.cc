// `assay stats` against tests/golden/stats.json: exact fractions, enumeration and 50-digit sums
// (tests/oracle/make_stats_goldens.py).
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/statistics.h"
#include "tests/catch.h"

namespace {

using assay::Json;

constexpr double kStatsBar = 1e-9;  // relative, the bar

double relative_error(double got, double wanted) {
  if (got == wanted) return 0;
  const double size = std::max(std::fabs(got), std::fabs(wanted));
  return std::fabs(got - wanted) / size;
}

// Numbers, booleans and lists of them; gives the largest relative error, 1 where anything else differs.
double distance(const Json& got, const Json& wanted) {
  if (wanted.is_array()) {
    if (!got.is_array() || got.size() != wanted.size()) return 1;
    double worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, distance(got[i], wanted[i]));
    return worst;
  }
  if (wanted.is_boolean() || wanted.is_number_integer()) return got == wanted ? 0 : 1;
  return got.is_number() ? relative_error(got.get<double>(), wanted.get<double>()) : 1;
}

TEST_CASE("statistics: within 1e-9 of exact fractions, enumeration and 50-digit sums") {
  const auto cases = assay::read_json_file(ASSAY_TREE "/tests/golden/stats.json");
  REQUIRE(cases.ok());
  REQUIRE(cases->size() > 200);
  std::map<std::string, int> seen;
  for (const Json& one : *cases) {
    const std::string name = one["name"];
    ++seen[name];
    INFO(name << " " << one["in"].dump());
    const auto got = assay::run_statistic(name, one["in"], "golden", 1);
    REQUIRE(got.ok());
    for (const auto& [key, wanted] : one["out"].items()) {
      INFO(key << " wanted " << wanted.dump() << " got " << got->dump());
      REQUIRE(got->contains(key));
      CHECK(distance((*got)[key], wanted) < kStatsBar);
    }
  }
  CHECK(seen.size() == assay::statistic_names().size());
}

}  // namespace
