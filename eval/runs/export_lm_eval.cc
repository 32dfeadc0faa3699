#include "eval/runs/export_lm_eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "eval/runs/export_lm_eval_record.h"
#include "suites/score.h"
#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

struct RunFacts {
  std::string model, suite, items_digest, protocol, protocol_digest, status, started;
  std::int64_t expected = 0;
};

Result<RunFacts> read_exported_run(const Database& database, std::int64_t run) {
  ASSAY_TRY(Statement rows, database.prepare(
      "SELECT m.name, s.name, s.items_digest, p.name, p.digest, r.status, r.started_at_utc, r.items_expected FROM main.run r"
      " JOIN main.model m ON m.id = r.model_id JOIN main.suite s ON s.id = r.suite_id JOIN main.protocol p ON p.id = r.protocol_id"
      " WHERE r.id = ?1"));
  rows.with(run);
  ASSAY_TRY(const bool there, rows.next());
  if (!there) return Error{.code = Code::not_found, .message = "no such run", .file = database.path(), .field = "--run", .got = std::to_string(run)};
  RunFacts facts{rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5), rows.text(6), rows.integer(7)};
  if (facts.status == "complete") return facts;
  return Error{.code = Code::bad_value, .message = "the run is not complete; resume it first", .file = database.path(), .field = "--run", .got = facts.status};
}

Error changed(const char* what, const std::string& expected, const std::string& got) {
  return Error{.code = Code::digest_changed, .message = fmt::format("the {} is not the one that the run had", what), .expected = expected, .got = got};
}

Result<Suite> load_own_suite(const RunFacts& run, const LmEvalOptions& options) {
  ASSAY_TRY(Suite suite, load_suite(options.suite.empty() ? run.suite : options.suite, options.data_dir));
  if (suite.items_digest != run.items_digest) return changed("suite", run.items_digest, suite.items_digest);
  const Protocol* protocol = suite.find_protocol(run.protocol);
  if (protocol == nullptr) return changed("protocol", run.protocol, "no protocol of that name");
  // Where the items are not here the examples shown are not either, and the digest that holds them cannot be made again.
  if (suite.items_loaded && protocol->digest != run.protocol_digest) return changed("protocol", run.protocol_digest, protocol->digest);
  return suite;
}

Result<std::vector<OptionScore>> read_exported_options(const Database& database, std::int64_t result, LmEvalAnswer& answer) {
  ASSAY_TRY(Statement rows, database.prepare(
      "SELECT logprob_nats, tokens, greedy, text FROM main.continuation WHERE item_result_id = ?1 ORDER BY option_index"));
  rows.with(result);
  std::vector<OptionScore> options;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return options;
    options.push_back({rows.real(0), rows.integer(1)});
    answer.greedy.push_back(rows.integer(2) != 0);
    answer.texts.push_back(rows.text(3));
  }
}

Status read_exported_samples(const Database& database, std::int64_t result, LmEvalAnswer& answer) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT output FROM main.sample WHERE item_result_id = ?1 ORDER BY sample_index"));
  rows.with(result);
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return {};
    answer.outputs.push_back(rows.text(0));
  }
}

// The item as the suite has it, else as the database does.
Item exported_item(const Suite& suite, const std::unordered_map<std::string_view, const Item*>& by_id, Item stored, const LmEvalAnswer& answer) {
  if (const auto at = by_id.find(stored.id); at != by_id.end()) return *at->second;
  ASSAY_CHECK(!suite.items_loaded || suite.items.empty() || !stored.id.empty());
  if (answer.texts.size() < 2) return stored;
  stored.options = answer.texts;
  const bool index = stored.gold.size() == 1 && stored.gold[0] >= '0' && stored.gold[0] < '0' + static_cast<int>(stored.options.size());
  if (index) stored.gold_index = stored.gold[0] - '0';
  return stored;
}

struct Exported {
  std::vector<Item> items;
  std::vector<ItemScore> scores;
  std::string lines;
};

Status add_exported_row(const Database& database, const Suite& suite, const Protocol& protocol,
               const std::unordered_map<std::string_view, const Item*>& by_id, Statement& row, Exported& out) {
  LmEvalAnswer answer;
  answer.prompt = row.maybe_text(5).value_or("");
  ASSAY_TRY(answer.options, read_exported_options(database, row.integer(0), answer));
  ASSAY_OK(read_exported_samples(database, row.integer(0), answer));
  Item stored;
  stored.id = row.text(1);
  stored.subset = row.text(2);
  stored.question = row.text(3);
  stored.gold = row.text(4);
  Item item = exported_item(suite, by_id, std::move(stored), answer);
  ASSAY_TRY(LmEvalRecord record, lm_eval_record(suite, protocol, item, answer, row.integer(6)));
  out.lines += dump_json(record.line) + "\n";
  out.items.push_back(std::move(item));
  out.scores.push_back(std::move(record.score));
  return {};
}

Result<Exported> read_exported_rows(const Database& database, const Suite& suite, const Protocol& protocol, std::int64_t run) {
  std::unordered_map<std::string_view, const Item*> by_id;
  for (const auto& item : suite.items) by_id.emplace(item.id, &item);
  ASSAY_TRY(Statement rows, database.prepare(
      "SELECT r.id, i.key, i.subset, i.question, i.gold, r.prompt, i.ordinal FROM main.item_result r JOIN main.item i ON i.id = r.item_id"
      " WHERE r.run_id = ?1 ORDER BY i.ordinal, i.key"));
  rows.with(run);
  Exported out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) break;
    ASSAY_OK(add_exported_row(database, suite, protocol, by_id, rows, out));
  }
  return out;
}

// Model names as the harness makes folders of them (lm_eval/utils.py, sanitize_model_name).
std::string folder_name_of(std::string_view name) {
  constexpr std::string_view kOdd = "\"<>:/|\\?*[]";
  std::string out;
  bool odd = false;
  for (const char c : name) {
    if (!std::exchange(odd, kOdd.find(c) != std::string_view::npos) && odd) out += "__";
    if (!odd) out += c;
  }
  return out.empty() || out == "." || out == ".." ? "model" : out;
}

std::string task_name_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    out += plain ? c : '_';
  }
  return out;
}

// "2026-11-27T14:13:12Z" as the harness dates its files.
std::string date_of(std::string started) {
  std::replace(started.begin(), started.end(), ':', '-');
  if (started.ends_with('Z')) started.pop_back();
  return started + ".000000";
}

Json results_json(const RunFacts& run, const Protocol& protocol, const Exported& exported, const std::string& task) {
  std::vector<ScoredItem> scored;
  for (std::size_t i = 0; i < exported.items.size(); ++i) scored.push_back({&exported.items[i], exported.scores[i]});
  const auto n = static_cast<std::int64_t>(scored.size());
  const std::string filter = lm_eval_filter(protocol);
  Json values = {{"alias", task}}, better = Json::object();
  for (const auto& metric : aggregate(protocol, scored)) {
    const auto theirs = lm_eval_metric(metric.name);
    if (theirs.empty()) continue;
    values[fmt::format("{},{}", theirs, filter)] = finite_or_null(metric.value);
    values[fmt::format("{}_stderr,{}", theirs, filter)] = metric.se_population ? finite_or_null(*metric.se_population) : Json("N/A");
    better[std::string(theirs)] = theirs != "bits_per_byte";
  }
  const auto shots = static_cast<std::int64_t>(protocol.shots.size());
  return {{"results", {{task, values}}},
          {"group_subtasks", {{task, Json::array()}}},
          {"configs", {{task, lm_eval_config(protocol, task)}}},
          {"versions", {{task, protocol.digest.substr(0, 12)}}},
          {"n-shot", {{task, shots}}},
          {"higher_is_better", {{task, better}}},
          {"n-samples", {{task, {{"original", run.expected}, {"effective", n}}}}},
          {"config", {{"model", "assay"}, {"model_args", run.model}, {"batch_size", nullptr}, {"device", nullptr}, {"limit", nullptr}}},
          {"task_hashes", {{task, sha256_hex(exported.lines)}}},
          {"model_source", "assay"},
          {"model_name", run.model},
          {"model_name_sanitized", folder_name_of(run.model)}};
}

}  // namespace

Result<LmEvalExport> export_lm_eval(const Database& database, const LmEvalOptions& options) {
  ASSAY_TRY(const RunFacts run, read_exported_run(database, options.run));
  ASSAY_TRY(const Suite suite, load_own_suite(run, options));
  const Protocol& protocol = *suite.find_protocol(run.protocol);
  ASSAY_TRY(const Exported exported, read_exported_rows(database, suite, protocol, options.run));
  LmEvalExport out;
  out.n = static_cast<std::int64_t>(exported.items.size());
  out.task = task_name_of(fmt::format("{}_{}", run.suite, run.protocol));
  const fs::path folder = fs::path(options.out) / folder_name_of(run.model);
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{.code = Code::io, .message = "cannot make the folder", .file = folder.string()};
  const std::string date = date_of(run.started);
  out.results = (folder / fmt::format("results_{}.json", date)).string();
  out.samples = (folder / fmt::format("samples_{}_{}.jsonl", out.task, date)).string();
  ASSAY_OK(write_file_atomic(out.samples, exported.lines));
  ASSAY_OK(write_file_atomic(out.results, dump_json(results_json(run, protocol, exported, out.task), 2) + "\n"));
  return out;
}

}  // namespace assay
