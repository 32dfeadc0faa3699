// What lies over the windows: palette, help, evidence.
#pragma once
#include <string>
#include <vector>

#include "gui/keys.h"
#include "gui/state.h"
#include "gui/store.h"
#include "gui/table.h"
#include "gui/window.h"

namespace assay::gui {

inline constexpr std::int64_t kMaxEvidenceRows = 500;

// The rows behind a figure, as the database gives them now.
struct EvidenceView {
  Evidence evidence;
  std::vector<Column> columns;
  std::vector<Line> lines;
  bool cut = false;  // there are more than kMaxEvidenceRows
  std::string problem;
  Cursor cursor;
};
EvidenceView read_evidence(const Store& store, Evidence evidence);

struct PaletteEntry {
  std::string name;
  std::string keys;
  Press press;
};
// Entries whose name contains every word of `text`.
std::vector<PaletteEntry> matching(const std::vector<PaletteEntry>& entries, const std::string& text);

// Each draws inside the overlay's window. The palette gives the entry that was clicked, -1: none.
int draw_palette(const std::vector<PaletteEntry>& entries, State& state, bool take_focus, const Fonts& fonts);
void draw_help(const Fonts& fonts);
void draw_evidence(EvidenceView& view, const Fonts& fonts);

}  // namespace assay::gui
