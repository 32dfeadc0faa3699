// Everything at once on the bundled model: measure, decide the bundled claims, replay stored outputs beside fresh ones, similarity, cost,
// kernels, report.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/claims/claim.h"
#include "eval/verdicts/verdict.h"
#include "reference/model/engine.h"
#include "reports/database.h"

namespace assay {

struct DemoOptions {
  EngineOptions engine;
  std::uint64_t seed = 1;
  std::string out;       // folder of the report; "" writes none
  bool with_bench = true;
  bool quiet = false;
};

struct DemoResult {
  std::vector<Claim> claims;
  std::vector<Verdict> verdicts;
  std::vector<std::string> unexpected;  // ids of claims whose verdict is not the one that the ledger expects
  std::vector<std::string> files;       // of the report
  double seconds = 0;
};

// What is in the database already (complete runs of the same identity) is not measured again.
Result<DemoResult> run_demo(Database& database, const DemoOptions& options);

}  // namespace assay
