#include "eval/runs/waiting_samples.h"

#include "base/check.h"

namespace assay {
namespace {

constexpr const char* kInsert =
    "INSERT INTO sample_waiting (run_id, item_id, sample_index, output, finish_reason, tokens_generated, seed, router_ties, prompt_digest, ids_digest, "
    "prompt, input_cut) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kSelect =
    "SELECT sample_index, output, finish_reason, tokens_generated, seed, router_ties, prompt_digest, ids_digest, prompt, input_cut "
    "FROM main.sample_waiting WHERE run_id = ?1 AND item_id = ?2 ORDER BY sample_index";

MadeSample read_row(const Statement& row, std::size_t index) {
  MadeSample sample{.unit = {index, row.integer(0)}, .record = {.output = row.text(1)}, .router_ties = row.maybe_integer(5)};
  sample.record.finish_reason = row.maybe_text(2);
  sample.record.tokens_generated = row.maybe_integer(3);
  if (const auto seed = row.maybe_integer(4)) sample.record.seed = static_cast<std::uint64_t>(*seed);
  sample.prompt_digest = row.maybe_text(6);
  sample.ids_digest = row.maybe_text(7);
  sample.prompt = row.maybe_text(8);
  sample.record.input_cut = row.integer(9) != 0;
  return sample;
}

}  // namespace

Result<WaitingSamples> waiting_samples(const Database& database, std::int64_t run_id, const Suite& suite, const std::vector<std::size_t>& items,
                                       const std::unordered_map<std::string, std::int64_t>& item_rows) {
  WaitingSamples out;
  ASSAY_TRY(Statement rows, database.prepare(kSelect));
  for (const std::size_t index : items) {
    rows.with(run_id, item_rows.at(suite.items[index].id));
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) break;
      out[index].push_back(read_row(rows, index));
    }
    ASSAY_OK(rows.run());
  }
  return out;
}

Status store_waiting(const Database& database, std::int64_t run_id, std::int64_t item_id, const MadeSample& sample) {
  ASSAY_TRY(Statement insert, database.prepare(kInsert));
  const SampleRecord& r = sample.record;
  std::optional<std::int64_t> seed;
  if (r.seed) seed = static_cast<std::int64_t>(*r.seed);
  return insert
      .with(run_id, item_id, sample.unit.number, r.output, r.finish_reason, r.tokens_generated, seed, sample.router_ties, sample.prompt_digest,
            sample.ids_digest, sample.prompt, r.input_cut.value_or(false))
      .run();
}

Status drop_waiting(const Database& database, std::int64_t run_id, std::int64_t item_id) {
  ASSAY_TRY(Statement drop, database.prepare("DELETE FROM sample_waiting WHERE run_id = ? AND item_id = ?"));
  return drop.with(run_id, item_id).run();
}

}  // namespace assay
