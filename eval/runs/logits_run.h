// What `assay logits` does: ids from a file through one of the two paths, logits and router decisions into files.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/engine.h"

namespace assay {

struct LogitsJob {
  std::string model, ids_path, out_path;
  bool oracle = false;
  bool mtp = false;  // the multi-token prediction modules as well; their conventions begin with "mtp-"
  std::string trace_path, forced_path;  // "" for none
  std::string trace_tensors;  // points whose numbers the trace keeps (parse_kept_points); "" for none
  EngineOptions engine;
};

struct LogitsReport {
  std::int64_t n = 0, tokens = 0, tokens_computed = 0;
  double seconds = 0;   // without loading
  std::string backend;  // "oracle f64", "cpu avx512"
  std::int64_t mtp_modules = 0;  // whose logits were written
  std::vector<std::pair<std::string, std::string>> conventions;
  std::vector<std::pair<std::int64_t, NearTie>> near_ties;  // (prompt, decision)
};

// Writes `logits.0` … (n_tokens, vocab_size), F32, or F64 with `oracle`; with `mtp` also `mtp.K.logits.0` … (n_tokens - K, vocab_size) of
// modules K = 1 …, whose row i predicts token i + 1 + K (mtp.h); with a trace path also a trace (trace_file.h) of the model without
// modules, whose choices of experts a later job can force. Without an output path no logits are written.
Result<LogitsReport> run_logits(const LogitsJob& job);

// One JSON array of arrays of ids.
Result<std::vector<std::vector<std::int32_t>>> read_ids(const std::string& path);

}  // namespace assay
