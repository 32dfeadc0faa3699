// Rows of plain text with a tone, sorted and filtered: what a window's build() gives, and the one way to draw
// it.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "gui/state.h"
#include "gui/theme.h"

namespace assay::gui {

enum class Tone { normal, soft, faint, good, bad, open, first, second };
ImU32 colour_of(Tone tone);

// text: as it is. chip: a coloured cell with its letter (verdicts). mark: + right, x wrong, "-" none, drawn
// as a sign.
enum class Shape { text, chip, mark };

struct Cell {
  std::string text;
  Tone tone = Tone::normal;
  Shape shape = Shape::text;
  double order = std::numeric_limits<double>::quiet_NaN();  // what to sort by; NaN: the text
};
Cell plain(std::string text, Tone tone = Tone::normal);
Cell numeric(std::string text, std::optional<double> order, Tone tone = Tone::normal);
Cell verdict_cell(const std::string& verdict);
Cell mark_cell(std::optional<bool> right);

// Widths are pixels at a font of 15. Where the window is too narrow, columns with the highest `drop` go first; 0 stays.
struct Column {
  std::string title;
  float width = 0;
  int drop = 0;
  bool right = false;
  bool mono = false;
  bool elastic = false;  // shares what is left, by width; may shrink to 70 % of it
};
Column fixed(std::string title, float width, int drop = 0);
Column numbers(std::string title, float width, int drop = 0);  // to the right
Column elastic(std::string title, float width, int drop = 0);
Column digest_column(std::string title, int drop = 0);
// Which columns fit into `width` pixels, one flag a column.
std::vector<bool> fitting(const std::vector<Column>& columns, float width);

struct Line {
  std::int64_t id = 0;
  std::vector<Cell> cells;  // one for each column
};

struct Table {
  std::vector<Column> columns;
  std::vector<Line> lines;
};

// Keeps the lines that contain `filter` in any cell (ASCII letters without case), sorts them stably by a
// column; -1: no sorting. Cells without a number come last in either direction.
void arrange(Table& table, const std::string& filter, int sort_column, bool descending);
bool contains_folded(std::string_view text, std::string_view part);

// The same line as Markdown: header, rule, row.
std::string markdown(const std::vector<Column>& columns, const Line& line);

struct TableEvent {
  std::optional<std::int64_t> selected;   // row that was clicked
  std::optional<std::int64_t> activated;  // row that was double-clicked
};

// Rows that are asked for only when they are seen.
struct LineSource {
  std::int64_t count = 0;
  std::function<const Line&(std::int64_t row)> at;
};
LineSource source_of(const Table& table);

// Draws into what is left of the current window; clicks on a head change cursor.sort_column where `sortable`.
TableEvent draw_table(const char* name, const std::vector<Column>& columns, const LineSource& lines,
                      Cursor& cursor, const Fonts& fonts, bool sortable);

// One sign or chip at the cursor, for inspectors too.
void draw_cell(const Cell& cell, const Column& column, const Fonts& fonts);

}  // namespace assay::gui
