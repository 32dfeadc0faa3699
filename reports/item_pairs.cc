#include "reports/item_pairs.h"

#include <fmt/format.h>

namespace assay {
namespace {

std::string_view condition(PairFilter filter) {
  switch (filter) {
    case PairFilter::all:
      return "1";
    case PairFilter::wrong:
      return "a.correct = 0";
    case PairFilter::flips:
      return "a.correct <> b.correct";
    case PairFilter::lost:
      return "a.correct = 1 AND b.correct = 0";
    case PairFilter::gained:
      return "a.correct = 0 AND b.correct = 1";
    case PairFilter::no_answer:
      return "a.extracted IS NULL AND a.chosen IS NULL AND a.correct IS NOT NULL";
    case PairFilter::close:
      return "(abs(a.margin) < ?4 OR a.router_ties > 0)";
  }
  return "1";
}

// NULL never equals, so that a missing run B gives no partner and no flips.
constexpr std::string_view kPairTables = R"(
  FROM main.item_result a JOIN main.item i ON i.id = a.item_id
  LEFT JOIN main.item_result b ON b.run_id = ?2 AND b.item_id = a.item_id)";

PairSide read_side(const Statement& row, int column) {
  PairSide side;
  side.item_result_id = row.integer(column);
  if (const MaybeInt correct = row.maybe_integer(column + 1)) side.correct = *correct != 0;
  side.extracted = row.maybe_text(column + 2);
  side.score = row.maybe_real(column + 3);
  side.margin = row.maybe_real(column + 4);
  side.chosen = row.maybe_integer(column + 5);
  side.router_ties = row.maybe_integer(column + 6);
  return side;
}

PairRow read_row(const Statement& row) {
  PairRow pair;
  pair.item_id = row.integer(0);
  pair.ordinal = row.integer(1);
  pair.key = row.text(2);
  pair.subset = row.text(3);
  pair.question_head = row.text(4);
  pair.gold = row.text(5);
  pair.a = read_side(row, 6);
  if (!row.is_null(13)) pair.b = read_side(row, 13);
  return pair;
}

}  // namespace

Result<std::vector<Id>> pair_item_ids(const Database& database, const PairQuery& query) {
  ASSAY_TRY(Statement statement, database.prepare(fmt::format(R"(SELECT i.id {} WHERE a.run_id = ?1 AND {}
    AND (?3 = '' OR instr(lower(i.key), lower(?3)) OR instr(lower(i.subset), lower(?3)) OR instr(lower(i.question), lower(?3))
         OR instr(lower(i.gold), lower(?3)) OR instr(lower(coalesce(a.extracted, '')), lower(?3)))
    AND ?4 > 0 ORDER BY i.ordinal, i.id)",
                                                              kPairTables, condition(query.filter))));
  statement.with(query.run_a, query.run_b, query.contains, kCloseMargin);
  std::vector<Id> ids;
  for (;;) {
    ASSAY_TRY(const bool found, statement.next());
    if (!found) return ids;
    if (static_cast<std::int64_t>(ids.size()) >= kMaxPairs) {
      return Error{.code = Code::too_large,
                   .message = "a run has more items than can be listed",
                   .file = database.path(),
                   .expected = fmt::format("at most {}", kMaxPairs)};
    }
    ids.push_back(statement.integer(0));
  }
}

Result<std::vector<PairRow>> pair_rows(const Database& database, Id run_a, MaybeId run_b,
                                       std::span<const Id> item_ids) {
  ASSAY_TRY(Statement statement, database.prepare(fmt::format(R"(
    SELECT i.id, i.ordinal, i.key, i.subset, substr(i.question, 1, 240), i.gold,
           a.id, a.correct, a.extracted, a.score, a.margin, a.chosen, a.router_ties,
           b.id, b.correct, b.extracted, b.score, b.margin, b.chosen, b.router_ties
    {} WHERE a.run_id = ?1 AND a.item_id = ?3)",
                                                              kPairTables)));
  std::vector<PairRow> rows;
  rows.reserve(item_ids.size());
  for (const Id id : item_ids) {
    statement.with(run_a, run_b, id);
    ASSAY_TRY(const bool found, statement.next());
    if (!found) {
      return Error{.code = Code::out_of_range,
                   .message = "the run has no such item",
                   .file = database.path(),
                   .got = std::to_string(id)};
    }
    rows.push_back(read_row(statement));
    ASSAY_OK(statement.run());  // to the end, ready for the next id
  }
  ASSAY_CHECK(rows.size() == item_ids.size());
  return rows;
}

}  // namespace assay
