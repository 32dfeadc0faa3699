#include <fmt/format.h>

#include <filesystem>

#include "base/sha256.h"
#include "eval/replay/replay_file.h"

namespace assay {
namespace {

constexpr std::size_t kVersionDigits = 8;

std::string run_identity(const ReplayedFile& content, const ScoredOutputs& scored, const Suite& suite) {
  Sha256 sha;
  sha.add_field("replay").add_field(content.digest).add_field(scored.result.model);
  sha.add_field(suite.items_digest).add_field(scored.protocol->digest);
  return sha.hex();
}

void add_continuations(const ReplayedOutput& stored, ResultRecord& out) {
  const StoredOutput& output = stored.output;
  for (std::size_t i = 0; i < output.log_likelihoods.size(); ++i) {
    ContinuationRecord continuation;
    continuation.text = i < stored.item->options.size() ? stored.item->options[i] : stored.item->text;
    continuation.logprob_nats = output.log_likelihoods[i];
    continuation.tokens = output.tokens.value_or(0);
    continuation.chars = count_code_points(continuation.text);
    continuation.bytes = static_cast<std::int64_t>(continuation.text.size());
    out.continuations.push_back(std::move(continuation));
  }
}

// The row of an item. Data sets are mended between the dates of two files: an item that the database has with another question or answer
// gets a row of its own, under its id and the beginning of its digest, and a warning.
Result<std::int64_t> item_row(Recorder& recorder, std::int64_t suite_id, const Item& item,
                              std::int64_t ordinal, std::vector<std::string>& warnings) {
  auto id = recorder.item(suite_id, item, ordinal);
  if (id.ok() || id.error().code != Code::digest_changed) return id;
  if (warnings.size() < kMaxListed) warnings.push_back(id.error().text());
  Item version = item;
  version.id = fmt::format("{}~{}", item.id, item.digest().substr(0, kVersionDigits));
  return recorder.item(suite_id, version, ordinal);
}

Status record_rows(Recorder& recorder, std::int64_t suite_id, std::int64_t run_id, ScoredOutputs& scored) {
  std::int64_t ordinal = 0;
  for (const auto& row : scored.rows) {
    ASSAY_TRY(const std::int64_t item_id,
              item_row(recorder, suite_id, *row.stored->item, ordinal++, scored.result.warnings));
    ResultRecord out;
    out.score = &row.score.score;
    out.prompt = row.stored->output.prompt;
    out.samples = sample_rows(row.stored->output, row.score);
    add_continuations(*row.stored, out);
    ASSAY_OK(recorder.result(run_id, item_id, out));
  }
  return {};
}

Status record_scored(Recorder& recorder, const Suite& suite, const ReplayedFile& content,
                     ScoredOutputs& scored) {
  const std::string identity = run_identity(content, scored, suite);
  ASSAY_TRY(scored.result.run_id, recorder.complete_run(identity));
  if (scored.result.run_id) return {};  // the same file under the same protocol was recorded before
  RunRecord row;
  row.kind = "replay";
  row.identity = identity;
  row.items_expected = suite.n_items;
  ModelRecord model;
  model.name = scored.result.model;
  ASSAY_TRY(row.model_id, recorder.model(model));
  ASSAY_TRY(row.suite_id, recorder.suite(suite));
  ASSAY_TRY(row.protocol_id, recorder.protocol(row.suite_id, *scored.protocol));
  ASSAY_TRY(row.outputs_artifact_id,
            recorder.artifact("outputs", std::filesystem::path(content.path).filename().string(),
                              content.digest, content.size_bytes));
  ASSAY_TRY(const std::int64_t run_id, recorder.begin_run(row));
  ASSAY_OK(record_rows(recorder, row.suite_id, run_id, scored));
  RunEnd end;
  end.audit = scored.result.audit;
  ASSAY_OK(recorder.end_run(run_id, end));
  for (const auto& warning : scored.result.warnings) ASSAY_OK(recorder.event(run_id, "warning", warning));
  scored.result.run_id = run_id;
  return record_published(recorder, scored.result);
}

}  // namespace

Status record_file(Recorder& recorder, const Suite& suite, ScoredFile& file) {
  ASSAY_TRY(Transaction transaction, Transaction::begin(recorder.database()));
  for (auto& scored : file.scored) ASSAY_OK(record_scored(recorder, suite, file.content, scored));
  return transaction.commit();
}

}  // namespace assay
