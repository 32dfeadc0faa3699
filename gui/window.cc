#include "gui/window.h"

#include <algorithm>

#include "base/check.h"
#include "gui/widgets.h"

namespace assay::gui {

std::vector<std::unique_ptr<Window>> make_windows() {
  std::vector<std::unique_ptr<Window>> all;
  all.push_back(make_claims_window());
  all.push_back(make_forest_window());
  all.push_back(make_runs_window());
  all.push_back(make_items_window());
  all.push_back(make_similarity_window());
  all.push_back(make_cost_window());
  all.push_back(make_kernels_window());
  all.push_back(make_models_window());
  all.push_back(make_log_window());
  ASSAY_CHECK(static_cast<int>(all.size()) == kPlaces);
  return all;
}

Status TableWindow::build(const Store& store, State& state) {
  Cursor& cursor = state.cursor_of(place_);
  const Wanted wanted{cursor.filter, cursor.sort_column, cursor.descending, cursor.mode, state.selection};
  if (!(wanted == built_for_)) {
    table_ = fill(store, state, cursor.mode);
    for (const Line& line : table_.lines) ASSAY_CHECK(line.cells.size() == table_.columns.size());
    arrange(table_, cursor.filter, cursor.sort_column, cursor.descending);
    built_for_ = wanted;
  }
  follow(state);
  cursor.row = std::clamp<std::int64_t>(cursor.row, 0, std::max<std::int64_t>(0, rows() - 1));
  return {};
}

// The shared selection may have moved in another window.
void TableWindow::follow(State& state) {
  const auto id = linked(state);
  if (!id || id == followed_) return;
  followed_ = id;
  for (std::size_t i = 0; i < table_.lines.size(); ++i) {
    if (table_.lines[i].id != *id) continue;
    state.cursor_of(place_).row = static_cast<std::int64_t>(i);
    state.cursor_of(place_).reveal = true;
  }
}

void TableWindow::draw(const Store& store, State& state, const Fonts& fonts) {
  Cursor& cursor = state.cursor_of(place_);
  if (table_.lines.empty()) {
    draw_empty(
        cursor.filter.empty() && cursor.mode == 0 ? empty_hint() : "No row fits this filter; Esc clears it.",
        fonts);
    return;
  }
  const TableEvent event =
      draw_table(std::string(key()).c_str(), table_.columns, source_of(table_), cursor, fonts, true);
  if (event.selected) select(store, state, *event.selected);
  if (event.activated) drill(store, state);
}

void TableWindow::select(const Store& store, State& state, std::int64_t row) {
  if (rows() == 0) return;
  Cursor& cursor = state.cursor_of(place_);
  cursor.row = std::clamp<std::int64_t>(row, 0, rows() - 1);
  on_select(store, state, table_.lines[static_cast<std::size_t>(cursor.row)].id);
  followed_ = linked(state);
}

void TableWindow::drill(const Store& store, State& state) {
  const auto id = selected_id(state);
  if (id) on_drill(store, state, *id);
}

std::optional<std::int64_t> TableWindow::selected_id(const State& state) const {
  const auto row = static_cast<std::size_t>(state.cursors[static_cast<std::size_t>(place_)].row);
  if (row >= table_.lines.size()) return std::nullopt;
  return table_.lines[row].id;
}

std::string TableWindow::copy(const State& state) const {
  const auto row = static_cast<std::size_t>(state.cursors[static_cast<std::size_t>(place_)].row);
  return row < table_.lines.size() ? markdown(table_.columns, table_.lines[row]) : std::string();
}

}  // namespace assay::gui
