// Items of run A beside run B: a list of ids, and blocks of rows that are read when they are seen, so that a
// million items stay fluid.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "gui/store.h"
#include "gui/table.h"
#include "reports/item_pairs.h"

namespace assay::gui {

inline constexpr std::int64_t kPageRows = 100'000;  // in one scrolled list: above, float pixels get coarse
inline constexpr std::int64_t kBlockRows = 128;     // read at once
inline constexpr std::size_t kMaxBlocks = 64;       // kept

class ItemList {
 public:
  // Reads the ids that fit; the rows follow when they are asked for.
  Status load(const Store& store, const PairQuery& query);
  const PairQuery& query() const { return query_; }
  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }
  Id id(std::int64_t index) const { return ids_[static_cast<std::size_t>(index)]; }
  // The row at `index`; nullptr where the database does not give it any more.
  const PairRow* row(const Store& store, std::int64_t index);
  // The place of an item in the list, -1: not in it.
  std::int64_t find(Id item) const;
  // The next item after `index` (direction 1) or before it (-1) on which the runs differ, around the ends;
  // -1: there is none.
  std::int64_t next_flip(const Store& store, std::int64_t index, int direction);
  std::int64_t blocks_read() const { return blocks_read_; }

 private:
  struct Block {
    std::vector<PairRow> rows;
    std::int64_t used = 0;  // for dropping the one that was not used longest
  };
  PairQuery query_;
  std::vector<Id> ids_;
  std::map<std::int64_t, Block> blocks_;
  std::optional<std::vector<Id>> flips_;  // sorted
  std::int64_t clock_ = 0;
  std::int64_t blocks_read_ = 0;
};

std::string option_letter(std::int64_t index);  // A, B, ... ; the number where the letters end
// A choice's expected answer is stored as an index and shown as its letter.
std::string gold_text(const std::string& gold, bool is_choice);
std::vector<Column> item_columns(bool with_b);
Line item_line(const PairRow& row, bool with_b);

// All about one item in both runs, for the inspector.
struct ItemView {
  PairRow pair;
  ItemDetail a;
  std::optional<ItemDetail> b;
  std::map<Id, std::vector<TokenRow>> tokens;  // by continuation; only the chosen and the expected option's
  std::optional<std::size_t>
      first_difference;  // byte at which the first outputs part; none: the same, or one is missing
};
Result<ItemView> read_item_view(const Store& store, const PairRow& pair);

void draw_item(const Store& store, const ItemView& view, const RunRow* run_a, const RunRow* run_b,
               const Fonts& fonts);

// From sure (grey) to surprised (red): the ground of a token in the strip.
ImU32 colour_of_logprob(double nats);

}  // namespace assay::gui
