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
#include "eval/bench.h"
#include "eval/price.h"
#include "eval/stored_results.h"
#include "kernels/device.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

// A wave is one transaction: what an interruption loses. Few enough items that it is a small part of any long run, enough that the engine's
// passes are full: 8 passes' worth of tokens, counted as bytes / 4, the usual size of a token, and what may be generated.
constexpr std::size_t kWaveItems = 256;
constexpr std::size_t kPassesOfWave = 8, kPassTokens = 4096, kBytesPerToken = 4;
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
    record.identity = run_identity(model_, suite_, protocol_, items_);
    record.recipe = model_.recipe;
    record.backend = "cpu";
    record.threads = model_.threads;
    record.seed = static_cast<std::int64_t>(options_.seed);
    record.limit_items = options_.limit;
    record.price_id = options_.price_id;
    record.sampling_json = R"({"temperature":0})";
    record.model_source = model_.source;
    record.data_source = options_.data_dir;
    ASSAY_TRY(const DeviceInfo device, this_device());
    record.kernel_set = device.isa;
    ASSAY_TRY(record.device_id, store_device(recorder_.database(), device));
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
    ASSAY_TRY(Statement find, recorder_.database().prepare("SELECT identity, tokens_asked, tokens_computed, tokens_generated, wall_seconds "
                                                           "FROM main.run WHERE id = ?1"));
    find.with(run_id_);
    ASSAY_TRY(const bool there, find.next());
    if (!there) return Error{.code = Code::not_found, .message = "there is no run of that number", .field = "run", .got = std::to_string(run_id_)};
    spent_ = {.tokens_asked = find.integer(1), .tokens_computed = find.integer(2), .tokens_generated = find.integer(3), .seconds = find.real(4)};
    if (find.text(0) == run_identity(model_, suite_, protocol_, items_)) return {};
    return Error{.code = Code::digest_changed, .message = "weights, tokenizer, suite, protocol or flags are not those of the run; start a new one",
                 .field = "run", .got = std::to_string(run_id_)};
  }

  Result<RunReport> ask(const std::vector<std::size_t>& items) {
    Progress progress(fmt::format("{} {} {}", model_.name, suite_.name, protocol_.name), items.size(), "items", options_.quiet);
    std::size_t done = 0;
    while (done < items.size() && !stop_requested()) {
      const std::size_t n = wave_size(std::span(items).subspan(done));
      model_.engine->reset_stats();
      const auto begin = Clock::now();
      auto asked = ask_items(model_, suite_, protocol_, std::span(items).subspan(done, n), options_.seed, progress);
      if (!asked.ok() && asked.error().code == Code::interrupted) break;  // within a wave: its items are asked again
      if (!asked.ok()) return std::move(asked).error();
      ASSAY_OK(write_wave(*asked, begin));
      std::ranges::move(*asked, std::back_inserter(asked_));
      done += n;
    }
    std::ranges::sort(asked_, {}, &AskedItem::index);
    return finish(done == items.size());
  }

  std::size_t wave_size(std::span<const std::size_t> items) const {
    const std::size_t pass = options_.wave_tokens > 0 ? static_cast<std::size_t>(options_.wave_tokens) : kPassTokens;
    std::size_t tokens = 0, n = 0;
    while (n < std::min(kWaveItems, items.size()) && (n == 0 || tokens < kPassesOfWave * pass)) {
      const Item& item = suite_.items[items[n++]];
      std::size_t bytes = item.question.size() + item.passage.size() + item.text.size();
      for (const std::string& option : item.options) bytes += option.size();
      tokens += bytes / kBytesPerToken + (protocol_.kind == ProtocolKind::generate ? static_cast<std::size_t>(std::max(0, protocol_.max_tokens)) : 0);
    }
    return n;
  }

  Status write_wave(std::vector<AskedItem>& asked, Clock::time_point begin) {
    ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
    for (AskedItem& one : asked) {
      one.record.score = &one.score;
      ASSAY_OK(recorder_.result(run_id_, item_rows_.at(suite_.items[one.index].id), one.record));
      one.record = {};  // the rows hold it now
    }
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

  std::optional<double> cost_usd() const {
    if (!options_.usd_per_hour) return std::nullopt;
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
  Spent spent_;
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
