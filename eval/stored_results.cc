#include "eval/stored_results.h"

#include "base/parallel.h"
#include "eval/judge_programs.h"

namespace assay {
namespace {

struct StoredScore {
  std::vector<OptionScore> options;  // choice: one an option; rolling: one
  std::string output;
  bool truncated = false;
};

Result<StoredScore> read_continuations(const Database& database, std::int64_t result) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT logprob_nats, tokens, truncated_tokens FROM main.continuation WHERE item_result_id = ?1 "
                                             "ORDER BY option_index"));
  rows.with(result);
  StoredScore out;
  for (;;) {
    ASSAY_TRY(const bool row, rows.next());
    if (!row) return out;
    out.options.push_back({.logprob_nats = rows.real(0), .tokens = rows.integer(1)});
    out.truncated |= rows.integer(2) > 0;
  }
}

Result<StoredScore> read_output(const Database& database, std::int64_t result) {
  ASSAY_TRY(Statement rows, database.prepare("SELECT output, finish_reason FROM main.sample WHERE item_result_id = ?1 AND sample_index = 0"));
  rows.with(result);
  ASSAY_TRY(const bool row, rows.next());
  if (!row) return StoredScore{};
  return StoredScore{.output = rows.text(0), .truncated = rows.text(1) == "length"};
}

Error damaged(const Database& database, const Item& item) {
  return Error{.code = Code::bad_value, .message = "the run's stored result lacks what it was scored from; start a new run", .file = database.path(),
               .field = item.id};
}

Result<AskedItem> score_again(const Database& database, const Protocol& protocol, const Suite& suite, std::size_t index, std::int64_t result) {
  const Item& item = suite.items[index];
  const bool generated = protocol.kind == ProtocolKind::generate;
  ASSAY_TRY(const StoredScore stored, generated ? read_output(database, result) : read_continuations(database, result));
  AskedItem asked{.index = index, .truncated = stored.truncated};
  switch (protocol.kind) {
    case ProtocolKind::generate: asked.score = score_output(protocol, item, stored.output, {}, stored.truncated); break;
    case ProtocolKind::choice:
      if (stored.options.size() != item.options.size()) return damaged(database, item);
      asked.score = score_choice(protocol, item, stored.options);
      break;
    case ProtocolKind::rolling:
      if (stored.options.size() != 1) return damaged(database, item);
      asked.score = score_rolling(protocol, item, stored.options[0].logprob_nats, stored.options[0].tokens);
      break;
  }
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
