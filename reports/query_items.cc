// Items of a run: pages by key, and everything about one.
#include <fmt/format.h>

#include <algorithm>

#include "reports/query_rows.h"

namespace assay::shown {
namespace {

constexpr std::string_view kItemColumns = R"(
  i.id, r.id, i.ordinal, i.key, i.subset, i.question, i.gold, r.extracted, r.extractor, r.why, r.extracted IS NOT NULL,
  r.correct, r.score, r.margin, r.chosen, r.router_ties)";
constexpr std::string_view kItemTables = "FROM main.item_result r JOIN main.item i ON i.id = r.item_id";

ItemRow read_item(Columns& in) {
  ItemRow row;
  row.item_id = in.integer();
  row.item_result_id = in.integer();
  row.ordinal = in.integer();
  row.key = in.text();
  row.subset = in.text();
  row.question = in.text();
  row.gold = in.text();
  row.extracted = in.text();
  row.extractor = in.text();
  row.why = in.text();
  row.has_extracted = in.flag();
  row.correct = in.maybe_flag();
  row.score = in.maybe_real();
  row.margin = in.maybe_real();
  row.chosen = in.maybe_integer();
  row.router_ties = in.maybe_integer();
  return row;
}

std::string_view condition(ItemFilter filter) {
  switch (filter) {
    case ItemFilter::all:
      return "1";
    case ItemFilter::right:
      return "r.correct = 1";
    case ItemFilter::wrong:
      return "r.correct = 0";
    case ItemFilter::unjudged:
      return "r.correct IS NULL";
    case ItemFilter::unextractable:
      return "r.extracted IS NULL";
    case ItemFilter::router_ties:
      return "r.router_ties > 0";
  }
  return "1";
}

// ?1 run, ?2 subset, ?3 substring; values are bound, only our own fragments are pasted.
std::string where(const ItemQuery& query) {
  return fmt::format(R"(WHERE r.run_id = ?1 AND {} AND (?2 = '' OR i.subset = ?2)
    AND (?3 = '' OR instr(lower(i.key), lower(?3)) OR instr(lower(i.question), lower(?3)) OR instr(lower(i.gold), lower(?3))
         OR instr(lower(coalesce(r.extracted, '')), lower(?3))))",
                     condition(query.filter));
}

Result<std::vector<SampleRow>> samples_of(const Database& database, Id item_result_id) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT sample_index, output, finish_reason, extracted, tokens_generated, correct FROM main.sample
    WHERE item_result_id = ? ORDER BY sample_index)"));
  statement.bind(1, item_result_id);
  return collect<SampleRow>(statement, [](Columns& in) {
    SampleRow row;
    row.index = in.integer();
    row.output = in.text();
    row.finish_reason = in.text();
    row.extracted = in.text();
    row.tokens_generated = in.maybe_integer();
    row.correct = in.maybe_flag();
    return row;
  });
}

Result<std::vector<OptionRow>> options_of(const Database& database, Id item_result_id, MaybeInt chosen) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT id, option_index, text, logprob_nats, greedy, tokens, chars, bytes, truncated_tokens FROM main.continuation
    WHERE item_result_id = ? ORDER BY option_index)"));
  statement.bind(1, item_result_id);
  return collect<OptionRow>(statement, [chosen](Columns& in) {
    OptionRow row;
    row.continuation_id = in.integer();
    row.index = in.integer();
    row.text = in.text();
    row.logprob_nats = in.real();
    row.greedy = in.flag();
    row.tokens = in.integer();
    row.chars = in.integer();
    row.bytes = in.integer();
    row.truncated_tokens = in.integer();
    row.chosen = chosen == row.index;
    return row;
  });
}

}  // namespace

Result<std::vector<ItemRow>> item_rows(const Database& database, const ItemQuery& query) {
  ASSAY_TRY(Statement statement, database.prepare(fmt::format(
                                     "SELECT {} {} {} AND i.ordinal > ?4 ORDER BY i.ordinal, i.id LIMIT ?5",
                                     kItemColumns, kItemTables, where(query))));
  statement.with(query.run_id, query.subset, query.contains, query.after,
                 std::clamp(query.limit, 1, kMaxRows));
  return collect<ItemRow>(statement, read_item);
}

Result<std::int64_t> count_items(const Database& database, const ItemQuery& query) {
  ASSAY_TRY(Statement statement,
            database.prepare(fmt::format("SELECT count(*) {} {}", kItemTables, where(query))));
  statement.with(query.run_id, query.subset, query.contains);
  ASSAY_TRY(const std::optional<std::int64_t> count, database.find_integer(statement));
  ASSAY_CHECK(count.has_value());
  return *count;
}

Result<ItemDetail> item_detail(const Database& database, Id item_result_id) {
  ASSAY_TRY(Statement statement,
            database.prepare(
                fmt::format("SELECT {}, r.prompt, r.prompt_digest, r.ids_digest, i.cluster {} WHERE r.id = ?",
                            kItemColumns, kItemTables)));
  statement.bind(1, item_result_id);
  ASSAY_TRY(std::vector<ItemDetail> found, collect<ItemDetail>(statement, [](Columns& in) {
              ItemDetail detail;
              detail.row = read_item(in);
              detail.prompt = in.text();
              detail.prompt_digest = in.text();
              detail.ids_digest = in.text();
              detail.cluster = in.text();
              return detail;
            }));
  if (found.empty()) {
    return Error{.code = Code::out_of_range,
                 .message = "no item result of that number",
                 .file = database.path(),
                 .got = std::to_string(item_result_id)};
  }
  ItemDetail& detail = found.front();
  ASSAY_TRY(detail.samples, samples_of(database, item_result_id));
  ASSAY_TRY(detail.options, options_of(database, item_result_id, detail.row.chosen));
  return std::move(detail);
}

Result<std::vector<TokenRow>> token_rows(const Database& database, Id continuation_id) {
  ASSAY_TRY(Statement statement, database.prepare(R"(
    SELECT position, token_id, token_text, logprob_nats FROM main.token_logprob WHERE continuation_id = ? ORDER BY position)"));
  statement.bind(1, continuation_id);
  return collect<TokenRow>(statement, [](Columns& in) {
    TokenRow row;
    row.position = in.integer();
    row.token_id = in.integer();
    row.text = in.text();
    row.logprob_nats = in.real();
    return row;
  });
}

}  // namespace assay::shown
