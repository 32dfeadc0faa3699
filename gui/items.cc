#include "gui/items.h"

#include <algorithm>

#include "base/check.h"
#include "gui/format.h"

namespace assay::gui {
namespace {

constexpr std::int64_t kMaxTokenStrips = 8;  // continuations of one item whose tokens are shown

Cell found_cell(const PairSide& side) {
  if (side.chosen) return plain(option_letter(*side.chosen));
  if (side.extracted) return plain(side.extracted->empty() ? "(empty)" : one_line(*side.extracted, 48));
  if (side.score && !side.correct) return numeric(number(side.score, 4), side.score, Tone::soft);
  return plain("nothing", Tone::open);
}

// Where two outputs part; a shorter one that the longer begins with parts at its end.
std::optional<std::size_t> parting(const std::string& a, const std::string& b) {
  if (a == b) return std::nullopt;
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  (void)in_b;
  return static_cast<std::size_t>(in_a - a.begin());
}

Status read_tokens(const Store& store, const ItemDetail& detail, ItemView& view) {
  std::int64_t strips = 0;
  for (const OptionRow& option : detail.options) {
    if (!option.chosen && detail.options.size() > 1 && std::to_string(option.index) != detail.row.gold)
      continue;
    if (++strips > kMaxTokenStrips) break;
    ASSAY_TRY(view.tokens[option.continuation_id], token_rows(store.database, option.continuation_id));
  }
  return {};
}

}  // namespace

Status ItemList::load(const Store& store, const PairQuery& query) {
  query_ = query;
  ids_.clear();
  blocks_.clear();
  flips_.reset();
  ASSAY_TRY(ids_, pair_item_ids(store.database, query));
  return {};
}

const PairRow* ItemList::row(const Store& store, std::int64_t index) {
  ASSAY_CHECK(index >= 0 && index < size());
  const std::int64_t number = index / kBlockRows;
  auto found = blocks_.find(number);
  if (found == blocks_.end()) {
    const std::int64_t first = number * kBlockRows, n = std::min(kBlockRows, size() - first);
    auto rows =
        pair_rows(store.database, query_.run_a, query_.run_b,
                  std::span(ids_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n)));
    ++blocks_read_;
    if (blocks_.size() >= kMaxBlocks) {
      blocks_.erase(std::min_element(blocks_.begin(), blocks_.end(), [](const auto& a, const auto& b) {
        return a.second.used < b.second.used;
      }));
    }
    found =
        blocks_.emplace(number, Block{.rows = rows.ok() ? std::move(*rows) : std::vector<PairRow>()}).first;
  }
  found->second.used = ++clock_;
  const auto at = static_cast<std::size_t>(index % kBlockRows);
  return at < found->second.rows.size() ? &found->second.rows[at] : nullptr;
}

std::int64_t ItemList::find(Id item) const {
  const auto found = std::find(ids_.begin(), ids_.end(), item);
  return found == ids_.end() ? -1 : found - ids_.begin();
}

std::int64_t ItemList::next_flip(const Store& store, std::int64_t index, int direction) {
  ASSAY_CHECK(direction == 1 || direction == -1);
  if (!query_.run_b || size() == 0) return -1;
  if (!flips_) {
    auto ids = pair_item_ids(store.database,
                             {.run_a = query_.run_a, .run_b = query_.run_b, .filter = PairFilter::flips});
    flips_ = ids.ok() ? std::move(*ids) : std::vector<Id>();
    std::sort(flips_->begin(), flips_->end());
  }
  for (std::int64_t step = 1; step <= size(); ++step) {
    const std::int64_t at = ((index + direction * step) % size() + size()) % size();
    if (std::binary_search(flips_->begin(), flips_->end(), id(at))) return at;
  }
  return -1;
}

std::string option_letter(std::int64_t index) {
  return index >= 0 && index < 26 ? std::string(1, static_cast<char>('A' + index)) : std::to_string(index);
}

std::string gold_text(const std::string& gold, bool is_choice) {
  const bool digits =
      !gold.empty() && gold.size() < 3 && gold.find_first_not_of("0123456789") == std::string::npos;
  return is_choice && digits ? option_letter(std::stoi(gold)) : one_line(gold, 60);
}

std::vector<Column> item_columns(bool with_b) {
  std::vector<Column> columns = {elastic("Item", 130),     elastic("Subset", 100, 2),
                                 elastic("Question", 260), elastic("Expected", 72),
                                 fixed("A", 18),           elastic("Found in A", 84)};
  if (with_b) {
    columns.push_back(fixed("B", 18));
    columns.push_back(elastic("Found in B", 84));
  }
  columns.push_back(numbers("Margin", 58, 1));
  return columns;
}

Line item_line(const PairRow& row, bool with_b) {
  Line line{
      row.item_id,
      {plain(row.key), plain(row.subset, Tone::soft), plain(one_line(row.question_head, 200)),
       plain(gold_text(row.gold, row.a.chosen.has_value())), mark_cell(row.a.correct), found_cell(row.a)}};
  if (with_b) {
    line.cells.push_back(row.b ? mark_cell(row.b->correct) : mark_cell(std::nullopt));
    line.cells.push_back(row.b ? found_cell(*row.b) : plain("not run", Tone::faint));
  }
  const bool close = row.a.margin && *row.a.margin < kCloseMargin;
  line.cells.push_back(numeric(significant(row.a.margin, 3), row.a.margin, close ? Tone::open : Tone::soft));
  return line;
}

Result<ItemView> read_item_view(const Store& store, const PairRow& pair) {
  ItemView view{.pair = pair};
  ASSAY_TRY(view.a, item_detail(store.database, pair.a.item_result_id));
  ASSAY_OK(read_tokens(store, view.a, view));
  if (!pair.b) return view;
  ASSAY_TRY(view.b, item_detail(store.database, pair.b->item_result_id));
  ASSAY_OK(read_tokens(store, *view.b, view));
  if (!view.a.samples.empty() && !view.b->samples.empty()) {
    view.first_difference = parting(view.a.samples[0].output, view.b->samples[0].output);
  }
  return view;
}

}  // namespace assay::gui
