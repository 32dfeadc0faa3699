// `compare` and `gate`: two sides (a run, or all complete runs of a model) held together suite by suite.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "eval/compare/compare_runs.h"
#include "reports/database.h"

namespace assay {

// same: no item differs. better, worse: B against A, significant at 5 % over all suites compared (Holm). undecided: neither.
// Of a gate: pass, fail, undecided (below).
struct SidePair {
  std::string suite, protocol, metric;
  bool lower_is_better = false;  // bits_per_byte
  RunComparison runs;
  std::optional<double> p_adjusted;
  std::string verdict;
  std::optional<double> margin, p_worse, p_not_worse;  // of a gate
};

struct SideComparison {
  std::vector<SidePair> suites;
  std::string verdict;  // compare: worse if any is, else same, better, undecided; gate: fail if any fails, else pass if all pass
};

// A side is a run's number or the name of a model in the database: then its newest complete run of each suite and protocol. Two names are
// compared on what both have, two numbers also where their protocols differ. Refused: nothing to compare, runs of different suites.
Result<SideComparison> compare_sides(const Database& database, const std::string& a, const std::string& b, std::uint64_t seed);

// Is NEW not worse than BASE by more than `margin` (in the unit of the items' scores: 0.01 is one point of accuracy, or 0.01 bits per byte)?
// Speaks of the population of such items, one-sided tests at 5 %. pass: a loss of `margin` or more is excluded. fail: a loss of more than
// `margin` is shown (Holm over the suites). Right-or-wrong items: exact (stats::difference_exceeds_p); real values: normal. margin >= 0.
Result<SideComparison> gate_sides(const Database& database, const std::string& base, const std::string& tested, double margin, std::uint64_t seed);

Json sides_json(const SideComparison& comparison);  // {"per_suite": [{suite, protocol, n, delta, p, flips, …}], "verdict"}
std::string sides_text(const SideComparison& comparison);
// One test case a suite: fail and worse are failures with the items that changed side, undecided is an error: it did not show what it had to.
std::string sides_junit(const SideComparison& comparison);
std::string sides_markdown(const SideComparison& comparison);
// Writes what is asked for; an empty path asks for nothing.
Status write_sides(const SideComparison& comparison, const std::string& junit_path, const std::string& markdown_path);

}  // namespace assay
