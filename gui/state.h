// What the person looks at: one selection that all windows share, and where each window stands. Nothing here
// touches the database.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay::gui {

enum class Place : int { claims, forest, runs, items, similarity, cost, kernels, models, log };
inline constexpr int kPlaces = 9;

// Clicking anywhere moves everywhere. Numbers are row ids of the database.
struct Selection {
  std::optional<std::int64_t> claim, run_a, run_b, item;
  bool operator==(const Selection&) const = default;
};

// Where one window stands.
struct Cursor {
  std::int64_t row = 0;  // among the rows that are shown
  bool reveal = false;   // scroll to it in the next frame
  std::string filter;
  int sort_column = -1;  // -1: the order of the database
  bool descending = false;
  int mode = 0;           // kind of rows; the window knows what it means
  std::int64_t page = 0;  // long lists
};

enum class Overlay { none, palette, help, evidence };

struct State {
  Place place = Place::claims;
  std::vector<Place> trail;  // windows before this one, for Backspace
  Selection selection;
  std::array<Cursor, kPlaces> cursors;
  Overlay overlay = Overlay::none;
  std::string palette_text;
  int palette_row = 0;
  bool focus_filter = false;
  bool leave_filter = false;
  std::string message;  // the last thing that happened, in the status line

  Cursor& cursor() { return cursors[static_cast<std::size_t>(place)]; }
  const Cursor& cursor() const { return cursors[static_cast<std::size_t>(place)]; }
  Cursor& cursor_of(Place which) { return cursors[static_cast<std::size_t>(which)]; }

  void go(Place where) {
    if (where == place) return;
    trail.push_back(place);
    if (trail.size() > 64) trail.erase(trail.begin());
    place = where;
    cursor().reveal = true;
  }
  void back() {
    if (trail.empty()) return;
    place = trail.back();
    trail.pop_back();
    cursor().reveal = true;
  }
};

}  // namespace assay::gui
