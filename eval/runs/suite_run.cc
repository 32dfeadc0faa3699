#include "eval/runs/suite_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/cost/bench.h"
#include "eval/replay/stored_results.h"
#include "eval/runs/waiting_samples.h"
#include "kernels/device.h"

namespace assay {
namespace {

constexpr double kSecondsPerHour = 3600;

}  // namespace

SuiteRun::SuiteRun(Recorder& recorder, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options)
    : recorder_(recorder), model_(model), suite_(suite), protocol_(protocol), options_(options), items_(choose_items(suite, options)) {}

Status SuiteRun::begin() {
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
  left_ = units_of(items_);
  return transaction.commit();
}

Status SuiteRun::go_on(std::int64_t run_id) {
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
  left_ = units_of(rest);
  return recorder_.event(run_id_, "resumed", fmt::format("{} of {} items are left", rest.size(), items_.size()));
}

std::string SuiteRun::parts_json() const {
  Json json = Json::object();
  for (const auto& [name, value] : run_parts(model_, suite_, protocol_, items_, options_.seed)) json[name] = value;
  return dump_json(json);
}

std::string SuiteRun::sampling_json() const {
  const Sampling& s = protocol_.sampling;
  if (!draws(protocol_)) return R"({"temperature":0})";
  return dump_json({{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}, {"min_p", s.min_p}, {"samples", s.samples},
                    {"seed", seed_of(protocol_, options_.seed)}});
}

// Where it is computed: on this machine, or on one that nobody here can see.
Status SuiteRun::record_machine(RunRecord& record) {
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

Status SuiteRun::record_parts(RunRecord& record) {
  ASSAY_TRY(record.model_id, record_model(recorder_, model_));
  ASSAY_TRY(record.suite_id, recorder_.suite(suite_));
  ASSAY_TRY(record.protocol_id, recorder_.protocol(record.suite_id, protocol_));
  ASSAY_TRY(item_rows_, recorder_.items(record.suite_id, suite_));
  return {};
}

Status SuiteRun::check_unchanged() {
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
Error SuiteRun::what_changed(const std::string& stored) const {
  Error error{.code = Code::digest_changed, .message = "this is not what the run was started with; start a new one", .field = "run",
              .got = std::to_string(run_id_)};
  const auto json = parse_json(stored, recorder_.database().path());
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

Status SuiteRun::write(AskedWave& asked, const WaveCost& cost) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
  for (AskedItem& one : asked.whole) {
    one.record.score = &one.score;
    ASSAY_OK(recorder_.result(run_id_, item_row(one.index), one.record));
    if (samples_of_item() > 1) ASSAY_OK(drop_waiting(recorder_.database(), run_id_, item_row(one.index)));
    one.record = {};  // the rows hold it now
  }
  for (const MadeSample* sample : asked.waiting) ASSAY_OK(store_waiting(recorder_.database(), run_id_, item_row(sample->unit.index), *sample));
  spent_.tokens_asked += cost.tokens_asked;
  spent_.tokens_computed += cost.tokens_computed;
  spent_.tokens_generated += cost.tokens_generated;
  spent_.seconds += cost.seconds;
  ASSAY_OK(add_router_stats(cost.expert_tokens));
  ASSAY_TRY(Statement update, recorder_.database().prepare("UPDATE run SET tokens_asked = ?, tokens_computed = ?, tokens_generated = ?, "
                                                           "wall_seconds = ?, cost_usd = ? WHERE id = ?"));
  ASSAY_OK(update.with(spent_.tokens_asked, spent_.tokens_computed, spent_.tokens_generated, spent_.seconds, cost_usd(), run_id_).run());
  ASSAY_OK(transaction.commit());
  std::ranges::move(asked.whole, std::back_inserter(asked_));
  return {};
}

Status SuiteRun::add_router_stats(std::span<const std::uint64_t> expert_tokens) {
  ASSAY_TRY(Statement insert, recorder_.database().prepare("INSERT INTO router_stat (run_id, layer, expert, tokens) VALUES (?, ?, ?, ?) "
                                                           "ON CONFLICT DO UPDATE SET tokens = tokens + excluded.tokens"));
  const std::vector<std::int64_t>& layers = model_.facts.moe_layers;
  const std::size_t n_experts = layers.empty() ? 0 : expert_tokens.size() / layers.size();
  ASSAY_CHECK(expert_tokens.size() == n_experts * layers.size());
  for (std::size_t cell = 0; cell < expert_tokens.size(); ++cell) {
    const auto expert = static_cast<std::int64_t>(cell % n_experts);
    ASSAY_OK(insert.with(run_id_, layers[cell / n_experts], expert, static_cast<std::int64_t>(expert_tokens[cell])).run());
  }
  return {};
}

std::optional<double> SuiteRun::cost_usd() const {
  if (!options_.usd_per_hour || model_.is_remote()) return std::nullopt;  // what a server's hour costs is not known
  return spent_.seconds / kSecondsPerHour * *options_.usd_per_hour;
}

Audit SuiteRun::audit() const {
  Audit out{.expected = static_cast<std::int64_t>(items_.size()), .seen = static_cast<std::int64_t>(asked_.size())};
  for (const AskedItem& one : asked_) {
    out.truncated += one.truncated ? 1 : 0;
    out.unextractable += protocol_.kind == ProtocolKind::generate && !one.score.extracted ? 1 : 0;
    out.fallback += one.score.fallback ? 1 : 0;
    out.harness_faults += one.score.harness_fault ? 1 : 0;
  }
  return out;
}

Result<RunReport> SuiteRun::end(bool complete) {
  std::ranges::sort(asked_, {}, &AskedItem::index);
  RunEnd ended{.status = complete ? "complete" : "interrupted", .wall_seconds = spent_.seconds, .cost_usd = cost_usd(), .audit = audit()};
  ended.tokens_asked = spent_.tokens_asked;
  ended.tokens_computed = spent_.tokens_computed;
  ended.tokens_generated = spent_.tokens_generated;
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder_.database()));
  ASSAY_OK(recorder_.end_run(run_id_, ended));
  ASSAY_OK(recorder_.event(run_id_, ended.status, audit_text(ended.audit)));
  ASSAY_OK(transaction.commit());
  return report(ended);
}

RunReport SuiteRun::report(const RunEnd& end) const {
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

}  // namespace assay
