// Several runs asked together: the likelihoods of all of them in common waves of the engine, generated answers run by run.
#include "eval/runs/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/progress.h"
#include "eval/runs/suite_run.h"
#include "reference/model/memory_plan.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

// Requests made at a time: a few bytes for each of their tokens are held until they are answered. A server is asked in small parts, because it
// tells nothing before a part is done.
constexpr std::uint64_t kBlockTokens = std::uint64_t{48} << 20;
constexpr std::uint64_t kLeastBlockTokens = std::uint64_t{1} << 18;
constexpr std::uint64_t kBytesPerBlockToken = 160;  // of --memory, for one token of a block
constexpr std::size_t kServerItems = 256;

class RunsTogether {
 public:
  RunsTogether(EvalModel& model, std::vector<SuiteRun*> runs, const RunOptions& options)
      : model_(model), runs_(std::move(runs)), options_(options), progress_(title(), units(), "items", options.quiet) {}

  // False: stopped on request.
  Result<bool> ask() {
    auto done = ask_likelihoods();
    if (done.ok() && *done) done = ask_samples_of_all();
    if (done.ok()) return done;
    if (done.error().code == Code::interrupted) return false;  // within a wave: its items are asked again
    return done;
  }
  const RunForecast& forecast() const { return forecast_; }

 private:
  struct Block {
    std::vector<std::unique_ptr<ItemRequests>> of_run;  // null where nothing of a run is in it
    std::vector<std::pair<std::size_t, std::size_t>> origin;  // of each request: run, place in its requests
    std::vector<ScoreRequest> requests;
    std::size_t items = 0;
  };

  std::string title() const {
    const SuiteRun& first = *runs_.front();
    const std::string more = runs_.size() > 1 ? fmt::format(" and {} more", runs_.size() - 1) : "";
    return fmt::format("{} {} {}{}", model_.name, first.suite().name, first.protocol().name, more);
  }
  std::size_t units() const {
    std::size_t n = 0;
    for (const SuiteRun* run : runs_) n += run->left().size();
    return n;
  }
  std::size_t likelihoods() const {
    std::size_t n = 0;
    for (const SuiteRun* run : runs_) n += run->generates() ? 0 : run->left().size();
    return n;
  }

  std::uint64_t block_tokens() const {
    if (options_.memory_bytes == 0) return kBlockTokens;
    return std::clamp(options_.memory_bytes / kBytesPerBlockToken, kLeastBlockTokens, kBlockTokens);
  }

  Result<bool> ask_likelihoods() {
    std::size_t run = 0, next = 0;
    begin_ = wave_begin_ = Clock::now();
    while (run < runs_.size()) {
      if (stop_requested()) return false;
      ASSAY_TRY(Block block, make_block(run, next));
      if (block.items > 0) ASSAY_OK(ask_block(block));
    }
    return true;
  }

  // From unit `next` of run `run` on, which both move.
  Result<Block> make_block(std::size_t& run, std::size_t& next) {
    Block block;
    block.of_run.resize(runs_.size());
    std::uint64_t tokens = 0;
    for (; run < runs_.size(); ++run, next = 0) {
      if (model_.is_remote() && block.items > 0) break;  // a server's answers are counted for one run
      const SuiteRun& r = *runs_[run];
      if (r.generates()) continue;
      auto& requests = block.of_run[run];
      for (; next < r.left().size(); ++next, ++block.items) {
        if (tokens >= block_tokens() || (model_.is_remote() && block.items == kServerItems)) return fill(std::move(block));
        if (!requests) requests = std::make_unique<ItemRequests>(model_, r.suite(), r.protocol());
        const std::uint64_t before = requests->tokens();
        ASSAY_OK(requests->add(r.left()[next].index));
        tokens += requests->tokens() - before;
        if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      }
    }
    return fill(std::move(block));
  }

  // The requests of all runs side by side; those of an item are one unit.
  static Block fill(Block block) {
    std::int64_t units = 0;
    for (std::size_t r = 0; r < block.of_run.size(); ++r) {
      if (!block.of_run[r]) continue;
      std::vector<ScoreRequest> own = block.of_run[r]->give_requests();
      std::int64_t last = 0;
      for (std::size_t i = 0; i < own.size(); ++i) {
        own[i].account = static_cast<std::int32_t>(r);
        last = std::max(last, own[i].unit);
        own[i].unit += units;
        block.origin.emplace_back(r, i);
        block.requests.push_back(std::move(own[i]));
      }
      units += last + 1;
    }
    return block;
  }

  Status ask_block(Block& block) {
    Backend& engine = *model_.engine;
    engine.reset_stats();
    std::vector<AskedWave> done(runs_.size());
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      if (block.of_run[r]) done[r].whole = block.of_run[r]->take_empty();
    }
    if (first_) forecast_of(engine.plan_score(block.requests), block);
    engine_begin_ = Clock::now();
    ASSAY_OK(engine.score_waves(block.requests, [&](std::span<const std::size_t> which, std::vector<ScoreAnswer> answers) -> Status {
      std::vector<std::int64_t> asked(runs_.size(), 0);
      for (std::size_t i = 0; i < which.size(); ++i) {
        const auto [run, place] = block.origin[which[i]];
        asked[run] += std::max<std::int64_t>(0, std::ssize(block.requests[which[i]].ids) - 1);
        if (auto item = block.of_run[run]->take(place, std::move(answers[i]))) done[run].whole.push_back(std::move(*item));
      }
      return write(done, asked);
    }));
    return write_rest(done);
  }

  // Items that need no answer at all, where no wave took them along.
  Status write_rest(std::vector<AskedWave>& done) {
    return std::ranges::any_of(done, [](const AskedWave& wave) { return !wave.whole.empty(); }) ? write(done, std::vector<std::int64_t>(runs_.size(), 0))
                                                                                              : Status();
  }

  // One transaction a run. What the wave computed is shared out by what each run asked.
  Status write(std::vector<AskedWave>& done, const std::vector<std::int64_t>& asked) {
    const BackendStats stats = model_.engine->stats();
    const auto cells = static_cast<std::size_t>(stats.n_moe_layers * stats.n_experts);
    const double seconds = seconds_since(wave_begin_);
    wave_begin_ = Clock::now();
    std::int64_t all = 0, asked_before = 0, computed_before = 0;
    std::size_t items = 0;
    for (const std::int64_t n : asked) all += n;
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      asked_before += asked[r];
      if (done[r].whole.empty() && asked[r] == 0) continue;
      WaveCost cost{.tokens_asked = model_.is_remote() ? static_cast<std::int64_t>(stats.tokens_asked) : asked[r]};
      const double share = all > 0 ? static_cast<double>(asked[r]) / static_cast<double>(all) : 0;
      const double up_to = all > 0 ? static_cast<double>(asked_before) / static_cast<double>(all) : 1;
      cost.tokens_computed = static_cast<std::int64_t>(up_to * static_cast<double>(stats.tokens_computed)) - computed_before;
      computed_before += cost.tokens_computed;
      cost.tokens_generated = runs_.size() == 1 ? static_cast<std::int64_t>(stats.tokens_generated) : 0;
      cost.seconds = all > 0 ? share * seconds : seconds;
      if ((r + 1) * cells <= stats.expert_tokens.size()) cost.expert_tokens = std::span(stats.expert_tokens).subspan(r * cells, cells);
      items += done[r].whole.size();
      ASSAY_OK(runs_[r]->write(done[r], cost));
      done[r] = {};
    }
    progress_.add(items);
    if (first_) forecast_after(stats.flops, items);
    model_.engine->reset_stats();
    return {};
  }

  // What the first block says of all of them.
  void forecast_of(const Result<WorkPlan>& plan, const Block& block) {
    if (!plan.ok()) {
      first_ = false;
      return;
    }
    blocks_ = static_cast<double>(likelihoods()) / static_cast<double>(block.items);
    prepared_s_ = seconds_since(begin_);
    forecast_.plan = *plan;
    forecast_.plan.flops *= blocks_;
    forecast_.items = likelihoods();
  }

  // After the first wave: what was done at its pace, rows written at the pace of its rows, requests made at that of the first block.
  void forecast_after(double flops, std::size_t items) {
    first_ = false;
    if (!(flops > 0) || items == 0) return;
    const double writing = seconds_since(wave_begin_), computing = std::chrono::duration<double>(wave_begin_ - engine_begin_).count();
    forecast_.seconds = blocks_ * prepared_s_ + computing * forecast_.plan.flops / flops +
                        writing * static_cast<double>(forecast_.items) / static_cast<double>(items);
  }

  Result<bool> ask_samples_of_all() {
    for (SuiteRun* run : runs_) {
      if (!run->generates()) continue;
      ASSAY_TRY(const bool whole, ask_samples_of(*run));
      if (!whole) return false;
    }
    return true;
  }

  Result<bool> ask_samples_of(SuiteRun& run) {
    const std::span<const SampleUnit> units = run.left();
    for (std::size_t done = 0; done < units.size();) {
      if (stop_requested()) return false;
      const auto wave = units.subspan(done, run.wave_size(units.subspan(done)));
      model_.engine->reset_stats();
      const auto begin = Clock::now();
      ASSAY_TRY(AskedWave asked, run.ask_wave(wave, progress_));
      const BackendStats stats = model_.engine->stats();
      ASSAY_OK(run.write(asked, {.tokens_asked = static_cast<std::int64_t>(stats.tokens_asked),
                                 .tokens_computed = static_cast<std::int64_t>(stats.tokens_computed),
                                 .tokens_generated = static_cast<std::int64_t>(stats.tokens_generated),
                                 .seconds = seconds_since(begin),
                                 .expert_tokens = stats.expert_tokens}));
      done += wave.size();
    }
    return true;
  }

  EvalModel& model_;
  std::vector<SuiteRun*> runs_;
  const RunOptions& options_;
  Progress progress_;
  Clock::time_point begin_, wave_begin_, engine_begin_;
  bool first_ = true;
  double blocks_ = 1, prepared_s_ = 0;
  RunForecast forecast_;
};

Status check_suite(const Suite& suite) {
  if (suite.items_loaded) return {};
  return Error{.code = Code::not_found, .message = "the items of this suite are not bundled; name the folder that holds them with --data", .field = suite.name};
}

Result<std::vector<RunReport>> ask_all(EvalModel& model, const std::vector<SuiteRun*>& runs, const RunOptions& options) {
  RunsTogether together(model, runs, options);
  ASSAY_TRY(const bool complete, together.ask());
  std::vector<RunReport> reports;
  for (SuiteRun* run : runs) {
    ASSAY_TRY(RunReport report, run->end(complete));
    report.forecast = together.forecast();
    report.peak_bytes = peak_bytes();
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace

Result<std::vector<RunReport>> run_suites(Recorder& recorder, EvalModel& model, std::span<const SuiteAsk> asks, const RunOptions& options) {
  std::vector<std::unique_ptr<SuiteRun>> runs;
  std::vector<SuiteRun*> pointers;
  for (const SuiteAsk& ask : asks) {
    ASSAY_OK(check_suite(*ask.suite));
    runs.push_back(std::make_unique<SuiteRun>(recorder, model, *ask.suite, *ask.protocol, options));
    pointers.push_back(runs.back().get());
  }
  for (SuiteRun* run : pointers) ASSAY_OK(run->begin());
  return ask_all(model, pointers, options);
}

Result<RunReport> run_suite(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options) {
  const SuiteAsk ask{&suite, &protocol};
  ASSAY_TRY(std::vector<RunReport> reports, run_suites(recorder, model, std::span(&ask, 1), options));
  return std::move(reports.front());
}

Result<RunReport> resume_run(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, std::int64_t run_id,
                             const RunOptions& options) {
  ASSAY_OK(check_suite(suite));
  SuiteRun run(recorder, model, suite, protocol, options);
  ASSAY_OK(run.go_on(run_id));
  ASSAY_TRY(std::vector<RunReport> reports, ask_all(model, {&run}, options));
  return std::move(reports.front());
}

}  // namespace assay
