#include "eval/replay/stored_results.h"

#include "base/parallel.h"
#include "eval/runs/judge_programs.h"

namespace assay {
namespace {

struct StoredScore {
  std::vector<OptionScore> options;  // choice: one an option; rolling: one
  bool truncated = false;
};

Result<StoredScore> read_continuations(const Database& database, std::int64_t result) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT logprob_nats, tokens, truncated_tokens, unconditional_nats FROM main.continuation WHERE item_result_id = ?1 "
                                             "ORDER BY option_index"));
  rows.with(result);
  StoredScore out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    out.options.push_back({.logprob_nats = rows.real(0), .tokens = rows.integer(1), .unconditional_nats = rows.maybe_real(3)});
    out.truncated |= rows.integer(2) > 0;
  }
}

// The samples of a result in the order of their numbers; the records hold what judging them needs.
Result<std::vector<MadeSample>> read_samples(const Database& database, std::int64_t result, std::size_t index) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT sample_index, output, finish_reason, input_cut FROM main.sample WHERE item_result_id = ?1 "
                                             "ORDER BY sample_index"));
  rows.with(result);
  std::vector<MadeSample> out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    MadeSample sample{.unit = {index, rows.integer(0)}, .record = {.output = rows.text(1)}, .router_ties = std::nullopt};
    sample.record.finish_reason = rows.maybe_text(2);
    sample.record.input_cut = rows.maybe_integer(3).value_or(0) != 0;
    out.push_back(std::move(sample));
  }
}

Error damaged(const Database& database, const Item& item) {
  return Error{.code = Code::bad_value, .message = "the run's stored result lacks what it was scored from; start a new run", .file = database.path(),
               .field = item.id};
}

Result<AskedItem> judge_again(const Database& database, const Protocol& protocol, const Suite& suite, std::size_t index, std::int64_t result) {
  ASSAY_TRY(std::vector<MadeSample> samples, read_samples(database, result, index));
  if (static_cast<int>(samples.size()) != protocol.sampling.samples || samples.back().unit.number + 1 != protocol.sampling.samples) {
    return damaged(database, suite.items[index]);
  }
  AskedItem asked = judge_samples(suite, protocol, std::move(samples));
  asked.record = {};
  return asked;
}

Result<AskedItem> score_again(const Database& database, const Protocol& protocol, const Suite& suite, std::size_t index, std::int64_t result) {
  if (protocol.kind == ProtocolKind::generate) return judge_again(database, protocol, suite, index, result);
  const Item& item = suite.items[index];
  ASSAY_TRY(const StoredScore stored, read_continuations(database, result));
  AskedItem asked{.index = index, .truncated = stored.truncated};
  const bool rolling = protocol.kind == ProtocolKind::rolling;
  if (stored.options.size() != (rolling ? 1 : item.options.size())) return damaged(database, item);
  asked.score = rolling ? score_rolling(protocol, item, stored.options[0].logprob_nats, stored.options[0].tokens) : score_choice(protocol, item, stored.options);
  return asked;
}

}  // namespace

Result<std::vector<AskedItem>> stored_results(const Database& database, std::int64_t run_id, const Suite& suite, const Protocol& protocol,
                                              const std::vector<std::size_t>& items,
                                              const std::unordered_map<std::string, std::int64_t>& item_rows) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT item_id, id FROM main.item_result WHERE run_id = ?1"));
  rows.with(run_id);
  std::unordered_map<std::int64_t, std::int64_t> results;  // item -> result
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) break;
    results.emplace(rows.integer(0), rows.integer(1));
  }
  std::vector<AskedItem> out;
  for (const std::size_t index : items) {
    const auto found = results.find(item_rows.at(suite.items[index].id));
    if (found == results.end()) continue;
    ASSAY_TRY(AskedItem asked, score_again(database, protocol, suite, index, found->second));
    out.push_back(std::move(asked));
  }
  std::vector<ItemScore*> scores;
  for (AskedItem& asked : out) scores.push_back(&asked.score);
  judge_programs(scores, hardware_threads());
  return out;
}

}  // namespace assay
