// A run as lm-evaluation-harness writes its own with --log_samples (lm_eval/loggers/evaluation_tracker.py, 0.4.13): results_DATE.json and
// samples_TASK_DATE.jsonl in a folder named after the model. Its readers (lm_eval.utils, the Zeno and comparison scripts) and
// `assay replay --format lm-eval` take them. The filter's name is the protocol's: what it extracts is the protocol's own.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"
#include "reports/database.h"

namespace assay {

struct LmEvalExport {
  std::string results, samples;  // the files' paths
  std::string task;              // SUITE_PROTOCOL
  std::int64_t n = 0;            // items written
};

struct LmEvalOptions {
  std::int64_t run = 0;
  std::string out;       // folder, made where it is not there
  std::string suite;     // definition file, where the run's suite is not a bundled one
  std::string data_dir;  // of the suite's items, if they are others' data
};

// Refused: no such run, one that is not complete, a suite or protocol that is not the run's own any more.
Result<LmEvalExport> export_lm_eval(const Database& database, const LmEvalOptions& options);

}  // namespace assay
