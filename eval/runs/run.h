// Asking a model a suite under a protocol: prompts to ids, ids to the engine, answers to scores, scores to rows. One transaction a wave of
// items; a run that was interrupted goes on where it stopped if nothing that its identity names has changed.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "eval/runs/eval_model.h"
#include "eval/runs/record.h"
#include "suites/suite.h"

namespace assay {

struct RunOptions {
  std::uint64_t seed = 1;
  std::optional<std::int64_t> limit;     // a seeded subset of as many items, spread over the sub-tasks; none: all
  bool quiet = false;                    // no progress
  std::string data_dir;                  // where the suite's items were read, if they are others' data
  std::optional<std::int64_t> price_id;  // row of table price for this machine's hour
  std::optional<double> usd_per_hour;    // of that row
  std::int64_t wave_tokens = 0;          // of one pass of the engine, 0: its own; a transaction holds a wave of likelihoods, or a few passes of samples
  std::uint64_t memory_bytes = 0;        // the engine's bound, 0: none; bounds the requests that are made at a time
};

// What the likelihoods of some runs take, as known when the first wave was done.
struct RunForecast {
  WorkPlan plan;                  // of the first block of requests, but flops of all; memory beside the process
  std::size_t items = 0;
  std::optional<double> seconds;  // of all of it
};

struct RunReport {
  std::int64_t run_id = 0;
  std::string suite, protocol, status;  // status: complete, interrupted
  std::int64_t n = 0;
  std::vector<Metric> metrics;
  std::vector<std::pair<std::string, std::vector<Metric>>> tasks;  // by sub-task, where the suite has several
  Audit audit;
  std::int64_t tokens_asked = 0, tokens_computed = 0, tokens_generated = 0;
  double seconds = 0;
  std::optional<double> cost_usd;
  RunForecast forecast;
  std::uint64_t peak_bytes = 0;  // of resident memory, from the start of the process to the end of the run
};

// Sets the price of this machine's hour from the bundled price book.
Status price_run(Database& database, RunOptions& options);

// The items a run asks, as positions in suite.items, ascending. With a limit every sub-task keeps its share (largest remainders), the items
// of a sub-task are drawn by Stream(seed, sub-task).
std::vector<std::size_t> choose_items(const Suite& suite, const RunOptions& options);

// What a resume must find unchanged, by name: weights, config, tokenizer, template, suite, suite_items, protocol, recipe, conventions, items, and
// where samples are drawn the seed.
std::vector<std::pair<std::string, std::string>> run_parts(const EvalModel& model, const Suite& suite, const Protocol& protocol,
                                                           const std::vector<std::size_t>& items, std::uint64_t seed);
// One digest over these parts.
std::string run_identity(const EvalModel& model, const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items,
                         std::uint64_t seed);

struct SuiteAsk {
  const Suite* suite;
  const Protocol* protocol;
};

// Several runs at once: their likelihoods are asked in common waves, so that what their prompts share is computed once.
Result<std::vector<RunReport>> run_suites(Recorder& recorder, EvalModel& model, std::span<const SuiteAsk> asks, const RunOptions& options);

// What asking would take, without a row written: all requests are made and a few of them answered for the pace.
struct RunEstimate {
  std::uint64_t items = 0, tokens_asked = 0, tokens_computed = 0, tokens_generated = 0;  // generated: at most
  std::int64_t passes = 0;
  double flops = 0, seconds = 0;  // flops: of reading; seconds: of reading, and of generating where that was measured
  std::optional<double> generating_seconds;  // at most, by the pace of a few answers with short contexts; none where nothing is generated
  std::int64_t generating_at_once = 0;       // answers by which the pace was measured
  std::uint64_t memory_bytes = 0;  // resident at most, the process included
  bool streamed = false;
};
Result<RunEstimate> estimate_runs(EvalModel& model, std::span<const SuiteAsk> asks, const RunOptions& options);
Json estimate_json(const RunEstimate& estimate);
std::string estimate_text(const RunEstimate& estimate);

// Runs all items and records them. A stop request (Ctrl-C) ends it after the wave with status `interrupted`.
Result<RunReport> run_suite(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options);

// Goes on with an interrupted run: only items without a result are asked, and of an item with several samples only those that are missing; the
// report covers all. Refused as digest_changed, naming the parts that differ.
Result<RunReport> resume_run(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, std::int64_t run_id,
                             const RunOptions& options);

Json report_json(const RunReport& report);  // as INTERFACE prints it
std::string report_text(const RunReport& report);

}  // namespace assay
