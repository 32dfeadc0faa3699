// Items: which questions, and what came out.
#include <fmt/format.h>

#include <algorithm>

#include "gui/details.h"
#include "gui/format.h"
#include "gui/items.h"
#include "gui/widgets.h"
#include "gui/window.h"

namespace assay::gui {
namespace {

const std::vector<std::string> kPairModes = {
    "all", "wrong", "flips", "A right, B wrong", "A wrong, B right", "no answer", "close"};

class Items : public Window {
 public:
  std::string_view key() const override { return "items"; }
  std::string_view title() const override { return "Items"; }
  std::string_view subtitle() const override {
    return "Which questions, what came out, what was found in it";
  }
  std::vector<std::string> modes() const override { return kPairModes; }
  float inspector_share() const override { return 0.42F; }
  std::int64_t rows() const override { return list_.size(); }
  std::string total(const Store&) const override { return has_run_ ? count(list_.size()) : std::string(); }
  std::string summary() const override { return summary_; }

  Status build(const Store& store, State& state) override {
    const RunRow* a = store.run(state.selection.run_a);
    const RunRow* b = store.run(state.selection.run_b);
    has_run_ = a != nullptr;
    if (a == nullptr) return {};
    Cursor& cursor = state.cursor_of(Place::items);
    with_b_ = b != nullptr && b->id != a->id && b->suite_id == a->suite_id;
    const PairQuery wanted{.run_a = a->id,
                           .run_b = with_b_ ? std::optional(b->id) : std::nullopt,
                           .filter = static_cast<PairFilter>(cursor.mode),
                           .contains = cursor.filter};
    if (!loaded_ || !(wanted == list_.query())) {
      ASSAY_OK(list_.load(store, wanted));
      loaded_ = true;
      view_.reset();
      summarise(*a, with_b_ ? b : nullptr, b != nullptr && !with_b_ && b->id != a->id);
    }
    follow(state);
    cursor.row = std::clamp<std::int64_t>(cursor.row, 0, std::max<std::int64_t>(0, rows() - 1));
    cursor.page = cursor.row / kPageRows;
    return read_view(store, cursor);
  }

  void draw(const Store& store, State& state, const Fonts& fonts) override {
    Cursor& cursor = state.cursor_of(Place::items);
    if (!has_run_) {
      draw_empty(
          "No run is chosen.\n\nChoose one in Runs (3) with Enter or a; if there is none,\nassay run MODEL "
          "--suite NAME   makes one.",
          fonts);
      return;
    }
    if (list_.size() == 0) {
      draw_empty(cursor.filter.empty() && cursor.mode == 0
                     ? "This run has no items yet.\n\nassay resume RUN   goes on with an interrupted one."
                     : "No item is of this kind; f shows the next kind, Esc clears the filter.",
                 fonts);
      return;
    }
    draw_pager(store, state, fonts);
    const std::int64_t first = cursor.page * kPageRows;
    const LineSource source{std::min(kPageRows, list_.size() - first),
                            [&](std::int64_t row) -> const Line& { return line(store, first + row); }};
    Cursor local = cursor;
    local.row = cursor.row - first;
    const TableEvent event = draw_table("items", item_columns(with_b_), source, local, fonts, false);
    cursor.reveal = local.reveal;
    if (event.selected) select(store, state, first + *event.selected);
  }

  void inspect(const Store& store, State& state, const Fonts& fonts) override {
    if (!view_) return;
    draw_item(store, *view_, store.run(state.selection.run_a), store.run(state.selection.run_b), fonts);
  }

  void select(const Store&, State& state, std::int64_t row) override {
    if (list_.size() == 0) return;
    Cursor& cursor = state.cursor_of(Place::items);
    cursor.row = std::clamp<std::int64_t>(row, 0, list_.size() - 1);
    state.selection.item = followed_ = list_.id(cursor.row);
  }

  void drill(const Store&, State&) override {}

  void flip(const Store& store, State& state, int direction) override {
    const std::int64_t at =
        has_run_ ? list_.next_flip(store, state.cursor_of(Place::items).row, direction) : -1;
    if (at < 0) {
      state.message = with_b_ ? "A and B differ on none of these items"
                              : "choose a second run of the same suite with b (window 3)";
      return;
    }
    select(store, state, at);
    state.cursor_of(Place::items).reveal = true;
  }

  std::string copy(const State&) const override {
    return view_ ? markdown(item_columns(with_b_), item_line(view_->pair, with_b_)) : std::string();
  }

  Evidence evidence(const Store&, const State&) const override {
    if (!view_) return {};
    return {
        "Everything stored about this item",
        fmt::format(
            "SELECT r.run_id, i.key, i.gold, r.correct, r.score, r.extracted, r.extractor, r.why, r.margin,\n"
            "       s.output, c.option_index, c.text, c.logprob_nats\n"
            "FROM item_result r JOIN item i ON i.id = r.item_id\n"
            "LEFT JOIN sample s ON s.item_result_id = r.id LEFT JOIN continuation c ON c.item_result_id = "
            "r.id\n"
            "WHERE r.item_id = {} AND r.run_id IN ({}, {}) ORDER BY r.run_id, s.sample_index, c.option_index",
            view_->pair.item_id, list_.query().run_a, list_.query().run_b.value_or(list_.query().run_a))};
  }

 private:
  void summarise(const RunRow& a, const RunRow* b, bool other_suite) {
    summary_ = fmt::format("A: {} {} ({})", a.model, run_where(a), score(a.score, a.metric));
    if (b != nullptr)
      summary_ += fmt::format("   B: {} {} ({})", b->model, b->protocol, score(b->score, b->metric));
    if (other_suite) summary_ += "   B is of another suite and not shown";
  }

  void follow(State& state) {
    if (!state.selection.item || state.selection.item == followed_) return;
    followed_ = state.selection.item;
    const std::int64_t at = list_.find(*followed_);
    if (at < 0) return;
    state.cursor_of(Place::items).row = at;
    state.cursor_of(Place::items).reveal = true;
  }

  Status read_view(const Store& store, const Cursor& cursor) {
    if (list_.size() == 0) {
      view_.reset();
      return {};
    }
    const PairRow* row = list_.row(store, cursor.row);
    if (row == nullptr || (view_ && view_->pair.item_id == row->item_id &&
                           view_->pair.a.item_result_id == row->a.item_result_id))
      return {};
    ASSAY_TRY(view_, read_item_view(store, *row));
    return {};
  }

  const Line& line(const Store& store, std::int64_t index) {
    static const PairRow kGone{.key = "(gone)"};
    const PairRow* row = list_.row(store, index);
    line_ = item_line(row == nullptr ? kGone : *row, with_b_);
    return line_;
  }

  void draw_pager(const Store& store, State& state, const Fonts& fonts) {
    if (list_.size() <= kPageRows) return;
    const Cursor& cursor = state.cursor_of(Place::items);
    const std::int64_t first = cursor.page * kPageRows, last = std::min(list_.size(), first + kPageRows);
    if (pill("before", "<", colour::kRaised, colour::kText, fonts) && first > 0)
      select(store, state, first - kPageRows);
    ImGui::SameLine();
    const std::string where =
        fmt::format("rows {} to {} of {}", count(first + 1), count(last), count(list_.size()));
    ImGui::TextUnformatted(where.c_str());
    ImGui::SameLine();
    if (pill("after", ">", colour::kRaised, colour::kText, fonts) && last < list_.size())
      select(store, state, last);
  }

  ItemList list_;
  bool loaded_ = false, has_run_ = false, with_b_ = false;
  std::string summary_;
  std::optional<ItemView> view_;
  std::optional<std::int64_t> followed_;
  Line line_;
};

}  // namespace

std::unique_ptr<Window> make_items_window() { return std::make_unique<Items>(); }

}  // namespace assay::gui
