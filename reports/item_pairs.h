// Items of one run beside the same items of another: a list of ids in the order of the suite first (eight
// bytes an item), then the rows that are looked at. Made for lists of a million items.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "reports/query.h"

namespace assay {

inline constexpr std::int64_t kMaxPairs = 20'000'000;  // items of one run in a list; 160 MB of ids
inline constexpr double kCloseMargin = 1e-4;           // a decision nearer than this is called close

// lost: A right, B wrong; gained: the other way round; close: decided by less than kCloseMargin or downstream
// of a router tie.
enum class PairFilter : std::uint8_t { all, wrong, flips, lost, gained, no_answer, close };

struct PairQuery {
  Id run_a = 0;
  MaybeId run_b;
  PairFilter filter = PairFilter::all;
  std::string contains;  // substring of id, subset, question, gold or what was extracted in A; empty: all
  bool operator==(const PairQuery&) const = default;
};

// One run's part of a row.
struct PairSide {
  Id item_result_id = 0;
  std::optional<bool> correct;
  std::optional<std::string> extracted;
  MaybeReal score, margin;
  MaybeInt chosen, router_ties;
};

struct PairRow {
  Id item_id = 0;
  std::int64_t ordinal = 0;
  std::string key, subset, question_head, gold;  // the question's first 240 characters
  PairSide a;
  std::optional<PairSide> b;  // no value: no run B, or the item is not in it
};

Result<std::vector<Id>> pair_item_ids(const Database& database, const PairQuery& query);
// Rows for `item_ids`, in that order; an id that is not in run A is refused with out_of_range.
Result<std::vector<PairRow>> pair_rows(const Database& database, Id run_a, MaybeId run_b,
                                       std::span<const Id> item_ids);

}  // namespace assay
