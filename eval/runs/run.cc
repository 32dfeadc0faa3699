#include "eval/runs/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "base/progress.h"
#include "eval/cost/bench.h"
#include "eval/replay/stored_results.h"
#include "eval/runs/ask.h"
#include "eval/runs/waiting_samples.h"
#include "kernels/device.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

// A wave is one transaction: what an interruption loses. Few enough items that it is a small part of any long run, enough that the engine's
// passes are full: 8 passes' worth of tokens, counted as bytes / 4, the usual size of a token, and what may be generated.
constexpr std::size_t kWaveItems = 256;
constexpr std::size_t kPassesOfWave = 8, kPassTokens = 4096, kBytesPerToken = 4;
constexpr double kSecondsPerHour = 3600;

// One run in progress: its rows, what was measured, what remains. What a wave cost is written with the wave, so that a run that is killed
// at any moment holds the cost of just what it holds.
class SuiteRun {
 public:
  SuiteRun(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options)
      : recorder_(recorder), model_(model), suite_(suite), protocol_(protocol), options_(options), items_(choose_items(suite, options)) {}

  Result<RunReport> start() {
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    RunRecord record{.kind = "run", .items_expected = static_cast<std::int64_t>(items_.size())};
    ASSAY_OK(record_parts(record));
    record.identity = run_identity(model_, suite_, protocol_, items_, options_.seed);
    record.identity_json = parts_json();
    if (!model_.recipe.empty()) record.recipe = model_.recipe;
    record.seed = static_cast<std::int64_t>(options_.seed);
    record.limit_items = options_.limit;
    record.price_id = options_.price_id;
    record.sampling_json = sampling_json();
    record.model_source = model_.source;
    record.data_source = options_.data_dir;
    ASSAY_OK(record_machine(record));
    ASSAY_TRY(run_id_, recorder_.begin_run(record));
    ASSAY_OK(recorder_.event(run_id_, "started", fmt::format("{} {} on {}", suite_.name, protocol_.name, model_.name)));
    ASSAY_OK(transaction.commit());
    return ask(items_);
  }

  Result<RunReport> resume(std::int64_t run_id) {
    run_id_ = run_id;
    ASSAY_OK(check_unchanged());
    RunRecord unused;
    ASSAY_OK(record_parts(unused));
    ASSAY_TRY(asked_, stored_results(recorder_.database(), run_id_, suite_, protocol_, items_, item_rows_));
    std::vector<std::size_t> rest;
    std::size_t next = 0;
    for (const std::size_t index : items_) {
      if (next < asked_.size() && asked_[next].index == index) ++next;
      else rest.push_back(index);
    }
    ASSAY_TRY(waiting_, waiting_samples(recorder_.database(), run_id_, suite_, rest, item_rows_));
    ASSAY_OK(judge_waiting(rest));
    ASSAY_OK(recorder_.event(run_id_, "resumed", fmt::format("{} of {} items are left", rest.size(), items_.size())));
    return ask(rest);
  }

 private:
  std::string parts_json() const {
    Json json = Json::object();
    for (const auto& [name, value] : run_parts(model_, suite_, protocol_, items_, options_.seed)) json[name] = value;
    return dump_json(json);
  }

  std::string sampling_json() const {
    const Sampling& s = protocol_.sampling;
    if (!draws(protocol_)) return R"({"temperature":0})";
    return dump_json({{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"samples", s.samples},
                      {"seed", seed_of(protocol_, options_.seed)}});
  }

  // Where it is computed: on this machine, or on one that nobody here can see.
  Status record_machine(RunRecord& record) {
    record.backend = model_.is_remote() ? "http" : "cpu";
    if (model_.is_remote()) {
      record.server_json = model_.server_json;
      record.price_id = std::nullopt;
      return {};
    }
    record.threads = model_.threads;
    ASSAY_TRY(const DeviceInfo device, this_device());
    record.kernel_set = device.isa;
    ASSAY_TRY(record.device_id, store_device(recorder_.database(), device));
    return {};
  }

  Status record_parts(RunRecord& record) {
    ASSAY_TRY(record.model_id, record_model(recorder_, model_));
    ASSAY_TRY(record.suite_id, recorder_.suite(suite_));
    ASSAY_TRY(record.protocol_id, recorder_.protocol(record.suite_id, protocol_));
    ASSAY_TRY(item_rows_, recorder_.items(record.suite_id, suite_));
    return {};
  }

  Status check_unchanged() {
    ASSAY_TRY(Statement find, recorder_.database().prepare("SELECT identity, tokens_asked, tokens_computed, tokens_generated, wall_seconds, "
                                                           "identity_json FROM main.run WHERE id = ?1"));
    find.with(run_id_);
    ASSAY_TRY(const bool there, find.next());
    if (!there) return Error{.code = Code::not_found, .message = "there is no run of that number", .field = "run", .got = std::to_string(run_id_)};
    spent_ = {.tokens_asked = find.integer(1), .tokens_computed = find.integer(2), .tokens_generated = find.integer(3), .seconds = find.real(4)};
    if (find.text(0) == run_identity(model_, suite_, protocol_, items_, options_.seed)) return {};
    return what_changed(find.maybe_text(5).value_or("{}"));
  }

  // Names every part that differs; what was stored and what is there now is told of the first.
  Error what_changed(const std::string& stored) const {
    Error error{.code = Code::digest_changed, .message = "this is not what the run was started with; start a new one", .field = "run",
                .got = std::to_string(run_id_)};
    const auto json = parse_json(stored, recorder_database_path());
    if (!json.ok() || !json->is_object() || json->empty()) return error;
    std::vector<std::string> changed;
    for (const auto& [name, value] : run_parts(model_, suite_, protocol_, items_, options_.seed)) {
      const auto found = json->find(name);
      const std::string was = found != json->end() && found->is_string() ? found->get<std::string>() : "";
      if (was == value) continue;
      if (changed.empty()) error.expected = was, error.got = value;
      changed.push_back(name);
    }
    if (changed.empty()) changed.push_back("what an older version counted as the run's identity");
    error.message = fmt::format("changed since the run was started: {}; start a new one", fmt::join(changed, ", "));
    error.field = changed.front();
    return error;
  }
  const std::string& recorder_database_path() const { return recorder_.database().path(); }

  Result<RunReport> ask(const std::vector<std::size_t>& items) {
    const std::vector<SampleUnit> units = units_of(items);
    Progress progress(fmt::format("{} {} {}", model_.name, suite_.name, protocol_.name), units.size(),
                      protocol_.sampling.samples > 1 ? "samples" : "items", options_.quiet);
    std::size_t done = 0;
    while (done < units.size() && !stop_requested()) {
      const auto wave = std::span(units).subspan(done, wave_size(std::span(units).subspan(done)));
      model_.engine->reset_stats();
      const auto begin = Clock::now();
      auto asked = ask_wave(wave, progress);
      if (!asked.ok() && asked.error().code == Code::interrupted) break;  // within a wave: its items are asked again
      if (!asked.ok()) return std::move(asked).error();
      ASSAY_OK(write_wave(*asked, begin));
      std::ranges::move(asked->whole, std::back_inserter(asked_));
      done += wave.size();
    }
    std::ranges::sort(asked_, {}, &AskedItem::index);
    return finish(done == units.size());
  }

  // Items that have all their samples and no result: from a database whose results somebody took out.
  Status judge_waiting(std::vector<std::size_t>& rest) {
    AskedWave complete;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (static_cast<std::int64_t>(it->second.size()) != samples_of_item()) {
        ++it;
        continue;
      }
      complete.whole.push_back(judge_samples(suite_, protocol_, std::move(it->second), model_.threads));
      std::erase(rest, it->first);
      it = waiting_.erase(it);
    }
    if (complete.whole.empty()) return {};
    model_.engine->reset_stats();
    ASSAY_OK(write_wave(complete, Clock::now()));
    std::ranges::move(complete.whole, std::back_inserter(asked_));
    return {};
  }

  // What is left to ask: every item once, or its samples that are neither in a result nor waiting for the others.
  std::vector<SampleUnit> units_of(const std::vector<std::size_t>& items) const {
    std::vector<SampleUnit> units;
    for (const std::size_t index : items) {
      const auto found = waiting_.find(index);
      for (std::int64_t number = 0; number < samples_of_item(); ++number) {
        const bool there = found != waiting_.end() && std::ranges::find(found->second, SampleUnit{index, number}, &MadeSample::unit) != found->second.end();
        if (!there) units.push_back({index, number});
      }
    }
    return units;
  }
  std::int64_t samples_of_item() const { return protocol_.kind == ProtocolKind::generate ? protocol_.sampling.samples : 1; }

  struct AskedWave {
    std::vector<AskedItem> whole;
    std::vector<const MadeSample*> waiting;  // new ones, in waiting_
  };

  Result<AskedWave> ask_wave(std::span<const SampleUnit> units, Progress& progress) {
    AskedWave out;
    if (protocol_.kind != ProtocolKind::generate) {
      std::vector<std::size_t> items;
      for (const SampleUnit& unit : units) items.push_back(unit.index);
      ASSAY_TRY(out.whole, ask_items(model_, suite_, protocol_, items, options_.seed, progress));
      return out;
    }
    ASSAY_TRY(std::vector<MadeSample> made, ask_samples(model_, suite_, protocol_, units, options_.seed, progress));
    std::vector<SampleUnit> fresh;
    for (MadeSample& sample : made) {
      fresh.push_back(sample.unit);
      waiting_[sample.unit.index].push_back(std::move(sample));
    }
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (i + 1 < fresh.size() && fresh[i + 1].index == fresh[i].index) continue;  // the last of its item in this wave
      auto& samples = waiting_.at(fresh[i].index);
      std::ranges::sort(samples, {}, [](const MadeSample& sample) { return sample.unit.number; });
      if (static_cast<std::int64_t>(samples.size()) == samples_of_item()) {
        out.whole.push_back(judge_samples(suite_, protocol_, std::move(samples), model_.threads));
        waiting_.erase(fresh[i].index);
        continue;
      }
      for (const MadeSample& sample : samples) {
        if (std::ranges::find(fresh, sample.unit) != fresh.end()) out.waiting.push_back(&sample);
      }
    }
    return out;
  }

  std::size_t wave_size(std::span<const SampleUnit> units) const {
    const std::size_t pass = options_.wave_tokens > 0 ? static_cast<std::size_t>(options_.wave_tokens) : kPassTokens;
    std::size_t tokens = 0, n = 0;
    while (n < std::min(kWaveItems, units.size()) && (n == 0 || tokens < kPassesOfWave * pass)) {
      const Item& item = suite_.items[units[n++].index];
      std::size_t bytes = item.question.size() + item.passage.size() + item.text.size();
      for (const std::string& option : item.options) bytes += option.size();
      tokens += bytes / kBytesPerToken + (protocol_.kind == ProtocolKind::generate ? static_cast<std::size_t>(std::max(0, protocol_.max_tokens)) : 0);
    }
    return n;
  }

  std::int64_t item_row(std::size_t index) const { return item_rows_.at(suite_.items[index].id); }

  Status write_wave(AskedWave& asked, Clock::time_point begin) {
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    for (AskedItem& one : asked.whole) {
      one.record.score = &one.score;
      ASSAY_OK(recorder_.result(run_id_, item_row(one.index), one.record));
      if (samples_of_item() > 1) ASSAY_OK(drop_waiting(recorder_.database(), run_id_, item_row(one.index)));
      one.record = {};  // the rows hold it now
    }
    for (const MadeSample* sample : asked.waiting) ASSAY_OK(store_waiting(recorder_.database(), run_id_, item_row(sample->unit.index), *sample));
    const BackendStats stats = model_.engine->stats();
    spent_.tokens_asked += static_cast<std::int64_t>(stats.tokens_asked);
    spent_.tokens_computed += static_cast<std::int64_t>(stats.tokens_computed);
    spent_.tokens_generated += static_cast<std::int64_t>(stats.tokens_generated);
    ASSAY_OK(add_router_stats(stats));
    spent_.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    ASSAY_TRY(Statement update, recorder_.database().prepare("UPDATE run SET tokens_asked = ?, tokens_computed = ?, tokens_generated = ?, "
                                                             "wall_seconds = ?, cost_usd = ? WHERE id = ?"));
    ASSAY_OK(update.with(spent_.tokens_asked, spent_.tokens_computed, spent_.tokens_generated, spent_.seconds, cost_usd(), run_id_).run());
    return transaction.commit();
  }

  Status add_router_stats(const BackendStats& stats) {
    ASSAY_TRY(Statement insert, recorder_.database().prepare("INSERT INTO router_stat (run_id, layer, expert, tokens) VALUES (?, ?, ?, ?) "
                                                             "ON CONFLICT DO UPDATE SET tokens = tokens + excluded.tokens"));
    std::size_t cell = 0;
    for (const std::int64_t layer : model_.facts.moe_layers) {
      for (std::int64_t expert = 0; expert < stats.n_experts; ++expert) {
        ASSAY_OK(insert.with(run_id_, layer, expert, static_cast<std::int64_t>(stats.expert_tokens[cell++])).run());
      }
    }
    ASSAY_CHECK(cell == stats.expert_tokens.size());
    return {};
  }

  std::optional<double> cost_usd() const {
    if (!options_.usd_per_hour || model_.is_remote()) return std::nullopt;  // what a server's hour costs is not known
    return spent_.seconds / kSecondsPerHour * *options_.usd_per_hour;
  }

  Audit audit() const {
    Audit out{.expected = static_cast<std::int64_t>(items_.size()), .seen = static_cast<std::int64_t>(asked_.size())};
    for (const AskedItem& one : asked_) {
      out.truncated += one.truncated ? 1 : 0;
      out.unextractable += protocol_.kind == ProtocolKind::generate && !one.score.extracted ? 1 : 0;
      out.fallback += one.score.fallback ? 1 : 0;
      out.harness_faults += one.score.harness_fault ? 1 : 0;
    }
    return out;
  }

  Result<RunReport> finish(bool complete) {
    RunEnd end{.status = complete ? "complete" : "interrupted", .wall_seconds = spent_.seconds, .cost_usd = cost_usd(), .audit = audit()};
    end.tokens_asked = spent_.tokens_asked;
    end.tokens_computed = spent_.tokens_computed;
    end.tokens_generated = spent_.tokens_generated;
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    ASSAY_OK(recorder_.end_run(run_id_, end));
    ASSAY_OK(recorder_.event(run_id_, end.status, audit_text(end.audit)));
    ASSAY_OK(transaction.commit());
    return report(end);
  }

  RunReport report(const RunEnd& end) const {
    RunReport out{.run_id = run_id_, .suite = suite_.name, .protocol = protocol_.name, .status = end.status};
    std::vector<ScoredItem> all;
    std::map<std::string, std::vector<ScoredItem>> parts;
    for (const AskedItem& one : asked_) {
      const Item& item = suite_.items[one.index];
      all.push_back({&item, one.score});
      parts[item.subset].push_back(all.back());
    }
    out.n = static_cast<std::int64_t>(all.size());
    out.metrics = aggregate(protocol_, all);
    for (const auto& [name, scored] : parts) {
      if (parts.size() > 1) out.tasks.emplace_back(name, aggregate(protocol_, scored));
    }
    out.audit = end.audit;
    out.tokens_asked = spent_.tokens_asked;
    out.tokens_computed = spent_.tokens_computed;
    out.tokens_generated = spent_.tokens_generated;
    out.seconds = spent_.seconds;
    out.cost_usd = end.cost_usd;
    return out;
  }

  struct Spent {
    std::int64_t tokens_asked = 0, tokens_computed = 0, tokens_generated = 0;
    double seconds = 0;
  };

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
  Spent spent_;
};

Status check_suite(const Suite& suite) {
  if (suite.items_loaded) return {};
  return Error{.code = Code::not_found, .message = "the items of this suite are not bundled; name the folder that holds them with --data", .field = suite.name};
}

}  // namespace

Result<RunReport> run_suite(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options) {
  ASSAY_OK(check_suite(suite));
  return SuiteRun(recorder, model, suite, protocol, options).start();
}

Result<RunReport> resume_run(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, std::int64_t run_id,
                             const RunOptions& options) {
  ASSAY_OK(check_suite(suite));
  return SuiteRun(recorder, model, suite, protocol, options).resume(run_id);
}

}  // namespace assay
