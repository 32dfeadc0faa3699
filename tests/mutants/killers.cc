// main of the programs in which faults are planted: test_unit_faults has the tests of test_unit, linked with
// the planted sources. `test_unit_faults NAME` switches a fault on, runs its killer, and succeeds if an
// assertion of that test fails. `test_unit_faults none unit` runs all killers of the program with nothing on
// and succeeds if they all pass.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#endif
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>

#include "tests/catch.h"
#include "tests/mutants/fault_table.h"
#include "tests/run_catch.h"

namespace {

struct Seen {
  std::multiset<std::string> cases;  // begun
  int failed = 0;                    // assertions that did not hold; an exception or a signal is none
} seen;

#if __has_include(<catch2/catch_all.hpp>)
using ListenerBase = Catch::EventListenerBase;
using Accepted = void;
#else
using ListenerBase = Catch::TestEventListenerBase;
using Accepted = bool;
#endif

class Listener : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& info) override { seen.cases.insert(info.name); }
  Accepted assertionEnded(const Catch::AssertionStats& stats) override {
    const auto kind = stats.assertionResult.getResultType();
    const bool own = kind == Catch::ResultWas::ExpressionFailed || kind == Catch::ResultWas::ExplicitFailure;
    seen.failed += own && !stats.assertionResult.isOk();
    return Accepted(true);
  }
};
CATCH_REGISTER_LISTENER(Listener)

// As Catch's list of test names wants it: these characters mean something there.
std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::strchr(",[\"\\", c) != nullptr) out += '\\';
    out += c;
  }
  return out;
}

int run_tests(const std::set<std::string>& names, bool stop_at_first) {
  std::string filter;
  for (const std::string& name : names) filter += (filter.empty() ? "" : ",") + escaped(name);
  const char* const argv[] = {"killers", filter.c_str(), "--abort"};
  return run_catch(stop_at_first ? 3 : 2, argv);
}

bool ran_each_once(const std::set<std::string>& names) {
  if (std::equal(names.begin(), names.end(), seen.cases.begin(), seen.cases.end())) return true;
  for (const std::string& name : names) {
    if (seen.cases.count(name) != 1) std::printf("no such test, or several: %s\n", name.c_str());
  }
  return false;
}

int run_fault(const char* name) {
  const auto table = assay::mutants::fault_table();
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.name == std::string(name); });
  if (row == table.end()) {
    std::printf("no fault is called %s\n", name);
    return 2;
  }
  assay_planted_fault = row->id;
  const std::set<std::string> names = {row->killer};
  run_tests(names, true);
  if (!ran_each_once(names)) return 1;
  std::printf("%s: %s\n", name, seen.failed > 0 ? "killed" : "SURVIVED: no assertion failed");
  return seen.failed > 0 ? 0 : 1;
}

int run_without_faults(const std::string& kind) {
  std::set<std::string> names;
  for (const auto& row : assay::mutants::fault_table()) {
    if (row.kind == kind) names.insert(row.killer);
  }
  if (names.empty()) return 2;
  const int failed = run_tests(names, false);
  return ran_each_once(names) && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return run_fault(argv[1]);
  if (argc == 3 && std::strcmp(argv[1], "none") == 0) return run_without_faults(argv[2]);
  std::printf("usage: %s FAULT | none PROGRAM\n", argv[0]);
  return 2;
}
