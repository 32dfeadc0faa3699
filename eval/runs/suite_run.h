// One run in progress: its rows, what was measured, what remains. What a wave cost is written with the wave, so that a run that is killed at
// any moment holds the cost of just what it holds.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "eval/runs/ask.h"
#include "eval/runs/run.h"

namespace assay {

struct AskedWave {
  std::vector<AskedItem> whole;
  std::vector<const MadeSample*> waiting;  // new ones, of items that do not have all of theirs
};

// What a wave took.
struct WaveCost {
  std::int64_t tokens_asked = 0, tokens_computed = 0, tokens_generated = 0;
  double seconds = 0;
  std::span<const std::uint64_t> expert_tokens = {};  // (n_moe_layers, n_experts)
};

class SuiteRun {
 public:
  SuiteRun(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options);

  // A new run, or one that stands in the database: refused as digest_changed where it was started with something else.
  Status begin();
  Status go_on(std::int64_t run_id);

  const Suite& suite() const { return suite_; }
  const Protocol& protocol() const { return protocol_; }
  bool generates() const { return protocol_.kind == ProtocolKind::generate; }
  const std::vector<SampleUnit>& left() const { return left_; }  // to be asked, as begin() and go_on() found it

  // Generated answers: asks the next of `units` (a wave), or as many as suit the engine.
  std::size_t wave_size(std::span<const SampleUnit> units) const;
  Result<AskedWave> ask_wave(std::span<const SampleUnit> units, Progress& progress);

  Status write(AskedWave& asked, const WaveCost& cost);
  Result<RunReport> end(bool complete);

 private:
  std::int64_t samples_of_item() const { return generates() ? protocol_.sampling.samples : 1; }
  std::int64_t item_row(std::size_t index) const { return item_rows_.at(suite_.items[index].id); }
  std::string parts_json() const;
  std::string sampling_json() const;
  Status record_machine(RunRecord& record);
  Status record_parts(RunRecord& record);
  Status check_unchanged();
  Error what_changed(const std::string& stored) const;
  Status judge_waiting(std::vector<std::size_t>& rest);
  std::vector<SampleUnit> units_of(const std::vector<std::size_t>& items) const;
  Status add_router_stats(std::span<const std::uint64_t> expert_tokens);
  std::optional<double> cost_usd() const;
  Audit audit() const;
  RunReport report(const RunEnd& end) const;

  Recorder& recorder_;
  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  const RunOptions& options_;
  std::vector<std::size_t> items_;
  std::unordered_map<std::string, std::int64_t> item_rows_;
  std::int64_t run_id_ = 0;
  std::vector<AskedItem> asked_;
  std::map<std::size_t, std::vector<MadeSample>> waiting_;  // samples of items that do not have all of theirs
  std::vector<SampleUnit> left_;
  WaveCost spent_;  // of all waves, without the experts
};

}  // namespace assay
