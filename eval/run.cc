#include "eval/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/progress.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "eval/ask.h"
#include "eval/price.h"
#include "kernels/device.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kWaveItems = 256;  // of one transaction: what an interruption loses at most
constexpr double kSecondsPerHour = 3600;

// The items asked by sub-task, in the order in which the sub-tasks appear.
std::vector<std::vector<std::size_t>> by_subset(const Suite& suite) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < suite.items.size(); ++i) {
    const auto [it, is_new] = place.try_emplace(suite.items[i].subset, groups.size());
    if (is_new) groups.emplace_back();
    groups[it->second].push_back(i);
  }
  return groups;
}

// How many of each group, by largest remainders; ties go to the earlier group.
std::vector<std::size_t> shares(const std::vector<std::vector<std::size_t>>& groups, std::size_t total, std::size_t wanted) {
  std::vector<std::size_t> share(groups.size()), order(groups.size());
  std::size_t given = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) given += share[g] = groups[g].size() * wanted / total;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t g) { return groups[g].size() * wanted % total; });
  for (std::size_t i = 0; given < wanted; ++i, ++given) ++share[order[i]];
  return share;
}

Result<std::optional<std::int64_t>> device_id(Recorder& recorder) {
  ASSAY_TRY(const DeviceInfo device, this_device());
  Database& database = recorder.database();
  ASSAY_TRY(Statement insert, database.prepare("INSERT OR IGNORE INTO device (name, kind, cores, memory_bytes, isa) VALUES (?, ?, ?, ?, ?)"));
  const auto memory = static_cast<std::int64_t>(device.memory_bytes);
  ASSAY_OK(insert.with(device.name, device.kind, device.cores, memory, device.isa).run());
  ASSAY_TRY(Statement find, database.prepare("SELECT id FROM device WHERE name = ? AND kind = ? AND cores = ? AND memory_bytes = ? AND isa = ?"));
  find.with(device.name, device.kind, device.cores, memory, device.isa);
  return database.find_integer(find);
}

// One run in progress: its rows, what was measured, what remains.
class SuiteRun {
 public:
  SuiteRun(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options)
      : recorder_(recorder), model_(model), suite_(suite), protocol_(protocol), options_(options), items_(choose_items(suite, options)) {
    audit_.expected = static_cast<std::int64_t>(items_.size());
  }

  Result<RunReport> start() {
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    RunRecord record{.kind = "run", .items_expected = audit_.expected};
    ASSAY_OK(record_parts(record));
    record.identity = run_identity(model_, suite_, protocol_, items_);
    record.recipe = model_.recipe;
    record.backend = "cpu";
    record.threads = model_.threads;
    record.seed = static_cast<std::int64_t>(options_.seed);
    record.limit_items = options_.limit;
    record.price_id = options_.price_id;
    record.sampling_json = R"({"temperature":0})";
    ASSAY_TRY(const DeviceInfo device, this_device());
    record.kernel_set = device.isa;
    ASSAY_TRY(record.device_id, device_id(recorder_));
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
    ASSAY_TRY(const std::vector<std::size_t> rest, without_result());
    ASSAY_OK(recorder_.event(run_id_, "resumed", fmt::format("{} of {} items are left", rest.size(), items_.size())));
    return ask(rest);
  }

 private:
  Status record_parts(RunRecord& record) {
    ASSAY_TRY(record.model_id, record_model(recorder_, model_));
    ASSAY_TRY(record.suite_id, recorder_.suite(suite_));
    ASSAY_TRY(record.protocol_id, recorder_.protocol(record.suite_id, protocol_));
    ASSAY_TRY(item_rows_, recorder_.items(record.suite_id, suite_));
    return {};
  }

  Status check_unchanged() {
    ASSAY_TRY(Statement find, recorder_.database().prepare("SELECT identity FROM run WHERE id = ?"));
    find.with(run_id_);
    ASSAY_TRY(const bool there, find.next());
    if (!there) return Error{.code = Code::not_found, .message = "there is no run of that number", .field = "run", .got = std::to_string(run_id_)};
    if (find.text(0) == run_identity(model_, suite_, protocol_, items_)) return {};
    return Error{.code = Code::digest_changed, .message = "weights, tokenizer, suite, protocol or flags are not those of the run; start a new one",
                 .field = "run", .got = std::to_string(run_id_)};
  }

  Result<std::vector<std::size_t>> without_result() {
    ASSAY_TRY(Statement rows, recorder_.database().prepare("SELECT item_id FROM item_result WHERE run_id = ?"));
    rows.with(run_id_);
    std::vector<std::int64_t> done;
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      done.push_back(rows.integer(0));
    }
    std::ranges::sort(done);
    std::vector<std::size_t> rest;
    for (const std::size_t index : items_) {
      if (!std::ranges::binary_search(done, item_rows_.at(suite_.items[index].id))) rest.push_back(index);
    }
    return rest;
  }

  Result<RunReport> ask(const std::vector<std::size_t>& items) {
    model_.engine->reset_stats();
    const auto begin = Clock::now();
    Progress progress(fmt::format("{} {} {}", model_.name, suite_.name, protocol_.name), items.size(), "items", options_.quiet);
    std::size_t done = 0;
    while (done < items.size() && !stop_requested()) {
      const std::size_t n = std::min(kWaveItems, items.size() - done);
      ASSAY_TRY(std::vector<AskedItem> asked, ask_items(model_, suite_, protocol_, std::span(items).subspan(done, n), options_.seed, progress));
      ASSAY_OK(write_wave(asked));
      std::ranges::move(asked, std::back_inserter(asked_));
      done += n;
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    return finish(done == items.size());
  }

  Status write_wave(std::vector<AskedItem>& asked) {
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    for (AskedItem& one : asked) {
      one.record.score = &one.score;
      ASSAY_OK(recorder_.result(run_id_, item_rows_.at(suite_.items[one.index].id), one.record));
      one.record = {};  // the rows hold it now
    }
    return transaction.commit();
  }

  void count_audit() {
    audit_.seen = static_cast<std::int64_t>(asked_.size());
    for (const AskedItem& one : asked_) {
      audit_.truncated += one.truncated ? 1 : 0;
      audit_.unextractable += protocol_.kind == ProtocolKind::generate && !one.score.extracted ? 1 : 0;
      audit_.fallback += one.score.fallback ? 1 : 0;
    }
  }

  Result<RunReport> finish(bool complete) {
    count_audit();
    const BackendStats stats = model_.engine->stats();
    RunEnd end{.status = complete ? "complete" : "interrupted", .wall_seconds = seconds_, .audit = audit_};
    end.tokens_asked = static_cast<std::int64_t>(stats.tokens_asked);
    end.tokens_computed = static_cast<std::int64_t>(stats.tokens_computed);
    end.tokens_generated = static_cast<std::int64_t>(stats.tokens_generated);
    if (options_.usd_per_hour) end.cost_usd = seconds_ / kSecondsPerHour * *options_.usd_per_hour;
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    ASSAY_OK(recorder_.end_run(run_id_, end));
    ASSAY_OK(write_router_stats(stats));
    ASSAY_OK(recorder_.event(run_id_, end.status, audit_text(audit_)));
    ASSAY_OK(transaction.commit());
    return report(end);
  }

  Status write_router_stats(const BackendStats& stats) {
    ASSAY_TRY(Statement insert, recorder_.database().prepare("INSERT OR REPLACE INTO router_stat (run_id, layer, expert, tokens) VALUES (?, ?, ?, ?)"));
    const auto& layers = model_.engine->config().layers;
    std::size_t cell = 0;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      for (std::int64_t expert = 0; layers[layer].is_moe && expert < stats.n_experts; ++expert) {
        ASSAY_OK(insert.with(run_id_, layer, expert, static_cast<std::int64_t>(stats.expert_tokens[cell++])).run());
      }
    }
    ASSAY_CHECK(cell == stats.expert_tokens.size());
    return {};
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
    out.audit = audit_;
    out.tokens_asked = *end.tokens_asked;
    out.tokens_computed = *end.tokens_computed;
    out.tokens_generated = *end.tokens_generated;
    out.seconds = seconds_;
    out.cost_usd = end.cost_usd;
    return out;
  }

  Recorder& recorder_;
  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  const RunOptions& options_;
  std::vector<std::size_t> items_;
  std::unordered_map<std::string, std::int64_t> item_rows_;
  std::int64_t run_id_ = 0;
  std::vector<AskedItem> asked_;
  Audit audit_;
  double seconds_ = 0;
};

Status check_suite(const Suite& suite) {
  if (suite.items_loaded) return {};
  return Error{.code = Code::not_found, .message = "the items of this suite are not bundled; name the folder that holds them with --data", .field = suite.name};
}

}  // namespace

Status price_run(Database& database, RunOptions& options) {
  ASSAY_TRY(const std::vector<Price> book, bundled_prices());
  ASSAY_TRY(const DeviceInfo device, this_device());
  ASSAY_TRY(const Price price, machine_price(book, device.cores));
  ASSAY_TRY(options.price_id, price_row(database, price));
  options.usd_per_hour = price.usd_per_hour;
  return {};
}

std::vector<std::size_t> choose_items(const Suite& suite, const RunOptions& options) {
  std::vector<std::size_t> all(suite.items.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (!options.limit || static_cast<std::size_t>(*options.limit) >= all.size()) return all;
  auto groups = by_subset(suite);
  const auto share = shares(groups, all.size(), static_cast<std::size_t>(*options.limit));
  std::vector<std::size_t> chosen;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Stream draws(options.seed, g);
    for (std::size_t i = 0; i < share[g]; ++i) {  // a partial Fisher-Yates shuffle
      std::swap(groups[g][i], groups[g][i + draws.below(groups[g].size() - i)]);
      chosen.push_back(groups[g][i]);
    }
  }
  std::ranges::sort(chosen);
  return chosen;
}

std::string run_identity(const EvalModel& model, const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items) {
  Sha256 digest;
  for (const std::string& part : {model.weights_digest, model.config_digest, model.tokenizer_digest, model.template_digest, suite.name,
                                  suite.items_digest, protocol.name, protocol.digest, model.recipe}) {
    digest.add_field(part);
  }
  for (const auto& [name, value] : model.engine->conventions()) digest.add_field(name).add_field(value);
  for (const std::size_t index : items) digest.add_field(suite.items[index].id);
  return digest.hex();
}

Result<RunReport> run_suite(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options) {
  ASSAY_OK(check_suite(suite));
  return SuiteRun(recorder, model, suite, protocol, options).start();
}

Result<RunReport> resume_run(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, std::int64_t run_id,
                             const RunOptions& options) {
  ASSAY_OK(check_suite(suite));
  return SuiteRun(recorder, model, suite, protocol, options).resume(run_id);
}

Result<std::optional<std::int64_t>> find_complete_run(const Database& database, const std::string& identity) {
  ASSAY_TRY(Statement find, database.prepare("SELECT max(id) FROM run WHERE identity = ? AND kind = 'run' AND status = 'complete'"));
  find.with(identity);
  return database.find_integer(find);
}

Json report_json(const RunReport& report) {
  Json tasks = Json::object();
  for (const auto& [name, metrics] : report.tasks) {
    tasks[name] = {{"n", metrics.empty() ? 0 : metrics.front().n}, {"metrics", metrics_json(metrics)}};
  }
  Json json = {{"run", report.run_id},
               {"suite", report.suite},
               {"protocol", report.protocol},
               {"status", report.status},
               {"n", report.n},
               {"metrics", metrics_json(report.metrics)},
               {"audit", audit_json(report.audit)},
               {"tokens", {{"asked", report.tokens_asked}, {"computed", report.tokens_computed}, {"generated", report.tokens_generated}}},
               {"seconds", report.seconds},
               {"cost_usd", report.cost_usd ? Json(*report.cost_usd) : Json(nullptr)}};
  if (!report.tasks.empty()) json["tasks"] = std::move(tasks);
  return json;
}

std::string report_text(const RunReport& report) {
  std::string text = fmt::format("run {}: {} under {}, {}\n", report.run_id, report.suite, report.protocol, report.status);
  for (const Metric& metric : report.metrics) {
    text += fmt::format("  {:14} {:.4f}", metric.name, metric.value);
    if (metric.se_population) text += fmt::format("  ± {:.4f} on such items", *metric.se_population);
    if (metric.low && metric.high) text += fmt::format(", 95 % {:.4f} to {:.4f}", *metric.low, *metric.high);
    text += fmt::format(", n = {}\n", metric.n);
  }
  text += fmt::format("  {}\n", audit_text(report.audit));
  text += fmt::format("  {} tokens asked, {} computed, {} generated, {:.1f} s", report.tokens_asked, report.tokens_computed,
                      report.tokens_generated, report.seconds);
  if (report.cost_usd) text += fmt::format(", {:.6f} USD", *report.cost_usd);
  return text;
}

}  // namespace assay
