// Two runs on the same items: what changed, item by item.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "reports/database.h"

namespace assay {

struct RunComparison {
  std::int64_t run_a = 0, run_b = 0, n = 0;    // n: items that both have a value for
  double delta = 0;                            // mean of b minus a, of the items' values in their main metric
  std::optional<std::int64_t> gained, lost;    // wrong to right and back; none where items are not right or wrong
  std::string test;                            // mcnemar-exact, or sign-flip where values are real
  std::int64_t n_changed = 0;                  // items whose values differ
  std::optional<double> p, se, low, high;      // se robust to clusters of items; interval of delta on the population, at `level`
  double level = 0.95;
  std::vector<std::string> flips;              // keys of the items that changed side
};

// Refused: a run that is not there, runs of different suites, no item in common.
Result<RunComparison> compare_runs(const Database& database, std::int64_t run_a, std::int64_t run_b, std::uint64_t seed = 1);
// Row of table `comparison`; a row of the same runs is replaced.
Status record_comparison(Database& database, const RunComparison& comparison);

}  // namespace assay
