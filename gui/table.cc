#include "gui/table.h"

#include <algorithm>
#include <cmath>

#include <imgui_internal.h>

#include "base/check.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

constexpr float kDesignPixels = 15;        // the font size that widths are given for
constexpr float kElasticLeast = 0.7F;      // of its width, before others are dropped
constexpr std::int64_t kLoggedRows = 500;  // before and after the chosen one
constexpr float kColumnPadding = 16;       // both sides of a column, as the theme sets it

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool line_contains(const Line& line, const std::string& part) {
  return std::any_of(line.cells.begin(), line.cells.end(),
                     [&](const Cell& cell) { return contains_folded(cell.text, part); });
}

// Numbers before texts before nothing; NaN is what a cell without a number has.
bool before(const Cell& a, const Cell& b, bool descending) {
  const bool a_number = !std::isnan(a.order), b_number = !std::isnan(b.order);
  if (a_number != b_number) return a_number;
  if (a_number) return descending ? a.order > b.order : a.order < b.order;
  const bool a_none = a.text.empty() || a.text == "-", b_none = b.text.empty() || b.text == "-";
  if (a_none != b_none) return b_none;
  return descending ? a.text > b.text : a.text < b.text;
}

void text_right(const std::string& text) {
  const float width = ImGui::CalcTextSize(text.data(), text.data() + text.size()).x;
  const float left = ImGui::GetContentRegionAvail().x - width;
  if (left > 0) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + left);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
}

// A rounded field in the verdict's colour: letter on a solid square, word beside it.
void draw_chip(const Cell& cell, const Fonts& fonts) {
  const VerdictStyle style = style_of_verdict(cell.text);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float side = ImGui::GetTextLineHeight() + 2;
  const char letter[2] = {style.letter, 0};
  list.AddRectFilled({at.x, at.y - 1}, {at.x + side, at.y - 1 + side}, style.fill, 4);
  ImGui::PushFont(fonts.bold);
  const ImVec2 size = ImGui::CalcTextSize(letter);
  const ImVec2 inside{std::floor(at.x + (side - size.x) / 2 + 0.5F),
                      std::floor(at.y - 1 + (side - size.y) / 2)};
  list.AddText(inside, IM_COL32(12, 14, 18, 255), letter);
  ImGui::PopFont();
  ImGui::Dummy({side + 2, side - 2});
  ImGui::SameLine();
  ImGui::PushStyleColor(ImGuiCol_Text, style.fill);
  ImGui::TextUnformatted(cell.text.data(), cell.text.data() + cell.text.size());
  ImGui::PopStyleColor();
}

// Signs are drawn, not typed: no font is sure to have them. Text and form tell right from wrong, colour only
// helps.
void draw_mark(const Cell& cell) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float h = ImGui::GetTextLineHeight();
  const ImVec2 mid{at.x + h * 0.5F, at.y + h * 0.5F};
  const float r = h * 0.28F;
  const float thick = std::max(1.5F, h * 0.12F);
  const ImU32 ink = colour_of(cell.tone);
  if (cell.text == "right") {
    const ImVec2 points[3] = {
        {mid.x - r, mid.y}, {mid.x - r * 0.25F, mid.y + r * 0.8F}, {mid.x + r * 1.1F, mid.y - r * 0.9F}};
    list.AddPolyline(points, 3, ink, 0, thick);
  } else if (cell.text == "wrong") {
    list.AddLine({mid.x - r, mid.y - r}, {mid.x + r, mid.y + r}, ink, thick);
    list.AddLine({mid.x - r, mid.y + r}, {mid.x + r, mid.y - r}, ink, thick);
  } else {
    list.AddLine({mid.x - r, mid.y}, {mid.x + r, mid.y}, ink, thick);
  }
  ImGui::LogText("%s", cell.text.c_str());
  ImGui::Dummy({h, h});
}

// A head whose title stands on the side where its cells stand.
void draw_head(const Column& column, int index) {
  if (!ImGui::TableSetColumnIndex(index)) return;
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float room = ImGui::GetContentRegionAvail().x;
  ImGui::PushID(index);
  ImGui::TableHeader("##head");
  ImGui::PopID();
  const bool sorted = (ImGui::TableGetColumnFlags(index) & ImGuiTableColumnFlags_IsSorted) != 0;
  const float width = ImGui::CalcTextSize(column.title.c_str()).x;
  const float arrow = sorted ? ImGui::GetFontSize() * 0.9F : 0;
  const float left = column.right ? std::max(0.0F, room - width - arrow) : 0;
  ImGui::GetWindowDrawList()->AddText({at.x + left, at.y}, sorted ? colour::kText : colour::kSoft,
                                      column.title.c_str());
  ImGui::LogText(" %s", column.title.c_str());
}

void set_up_columns(const std::vector<Column>& columns, const std::vector<bool>& shown, bool sortable) {
  ImGui::TableSetupScrollFreeze(0, 1);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    ImGuiTableColumnFlags flags =
        column.elastic ? ImGuiTableColumnFlags_WidthStretch : ImGuiTableColumnFlags_WidthFixed;
    if (!sortable) flags |= ImGuiTableColumnFlags_NoSort;
    if (!shown[i]) flags |= ImGuiTableColumnFlags_Disabled;
    ImGui::TableSetupColumn(
        column.title.c_str(), flags,
        column.elastic ? column.width : column.width * ImGui::GetFontSize() / kDesignPixels);
  }
}

void draw_header(const std::vector<Column>& columns, Cursor& cursor, bool sortable) {
  ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
  for (int i = 0; i < static_cast<int>(columns.size()); ++i)
    draw_head(columns[static_cast<std::size_t>(i)], i);
  ImGuiTableSortSpecs* specs = sortable ? ImGui::TableGetSortSpecs() : nullptr;
  if (specs == nullptr || !specs->SpecsDirty) return;
  cursor.sort_column = specs->SpecsCount > 0 ? specs->Specs[0].ColumnIndex : -1;
  cursor.descending = specs->SpecsCount > 0 && specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
  specs->SpecsDirty = false;
}

TableEvent draw_line(const std::vector<Column>& columns, const Line& line, std::int64_t row, bool chosen,
                     const Fonts& fonts) {
  ASSAY_CHECK(line.cells.size() == columns.size());
  TableEvent event;
  ImGui::TableNextRow();
  ImGui::PushID(reinterpret_cast<const void*>(static_cast<std::intptr_t>(row)));
  bool selectable_drawn = false;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!ImGui::TableSetColumnIndex(static_cast<int>(i))) continue;
    if (!selectable_drawn) {
      const ImVec2 start = ImGui::GetCursorPos();
      constexpr auto kFlags = ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowDoubleClick;
      // Rows touch each other: a click between two lines of text belongs to one of them.
      ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing,
                          {ImGui::GetStyle().ItemSpacing.x, 2 * ImGui::GetStyle().CellPadding.y});
      const bool clicked = ImGui::Selectable("##row", chosen, kFlags);
      ImGui::PopStyleVar();
      if (clicked) {
        event.selected = row;
        if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) event.activated = row;
      }
      ImGui::SetCursorPos(start);
      selectable_drawn = true;
    }
    draw_cell(line.cells[i], columns[i], fonts);
  }
  ImGui::PopID();
  return event;
}

float row_pitch() { return ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y; }

// Scrolls no further than needed: a row that is seen does not move. The head takes one pitch.
void reveal_row(std::int64_t row) {
  const float pitch = row_pitch(), top = static_cast<float>(row) * pitch;
  const float room = std::max(pitch, ImGui::GetWindowHeight() - pitch - 2);
  if (top < ImGui::GetScrollY()) {
    ImGui::SetScrollY(top);
  } else if (top + pitch > ImGui::GetScrollY() + room) {
    ImGui::SetScrollY(top + pitch - room);
  }
}

// A text that ends in "..." where its column ends.
void draw_clipped(const std::string& text, ImU32 ink) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float end = at.x + ImGui::GetContentRegionAvail().x;
  const ImVec2 size = ImGui::CalcTextSize(text.data(), text.data() + text.size());
  ImGui::PushStyleColor(ImGuiCol_Text, ink);
  ImGui::RenderTextEllipsis(ImGui::GetWindowDrawList(), at, {end, at.y + size.y}, end, end, text.data(),
                            text.data() + text.size(), &size);
  ImGui::PopStyleColor();
  ImGui::Dummy({std::min(size.x, std::max(1.0F, end - at.x)), ImGui::GetTextLineHeight()});
}

}  // namespace

ImU32 colour_of(Tone tone) {
  switch (tone) {
    case Tone::normal:
      return colour::kText;
    case Tone::soft:
      return colour::kSoft;
    case Tone::faint:
      return colour::kFaint;
    case Tone::good:
      return colour::kGood;
    case Tone::bad:
      return colour::kBad;
    case Tone::open:
      return colour::kOpen;
    case Tone::first:
      return colour::kAccent;
    case Tone::second:
      return colour::kSecond;
  }
  return colour::kText;
}

Cell plain(std::string text, Tone tone) { return {.text = std::move(text), .tone = tone}; }

Cell numeric(std::string text, std::optional<double> order, Tone tone) {
  Cell cell{.text = std::move(text), .tone = order ? tone : Tone::faint};
  if (order) cell.order = *order;
  return cell;
}

Cell verdict_cell(const std::string& verdict) {
  if (verdict.empty()) return plain("not decided", Tone::faint);
  return {.text = verdict, .shape = Shape::chip};
}

Cell mark_cell(std::optional<bool> right) {
  if (!right) return {.text = "none", .tone = Tone::faint, .shape = Shape::mark};
  return {.text = *right ? "right" : "wrong", .tone = *right ? Tone::good : Tone::bad, .shape = Shape::mark};
}

bool contains_folded(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return fold(a) == fold(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

void arrange(Table& table, const std::string& filter, int sort_column, bool descending) {
  if (!filter.empty())
    std::erase_if(table.lines, [&](const Line& line) { return !line_contains(line, filter); });
  if (sort_column < 0 || sort_column >= static_cast<int>(table.columns.size())) return;
  const auto at = static_cast<std::size_t>(sort_column);
  std::stable_sort(table.lines.begin(), table.lines.end(), [&](const Line& a, const Line& b) {
    return before(a.cells[at], b.cells[at], descending);
  });
}

std::string markdown(const std::vector<Column>& columns, const Line& line) {
  ASSAY_CHECK(line.cells.size() == columns.size());
  std::string head = "|", rule = "|", row = "|";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    head += " " + columns[i].title + " |";
    rule += columns[i].right ? " ---: |" : " --- |";
    row += " ";
    for (const char c : line.cells[i].text)
      row += c == '|' ? std::string("\\|") : std::string(1, c == '\n' || c == '\r' ? ' ' : c);
    row += " |";
  }
  return head + "\n" + rule + "\n" + row + "\n";
}

LineSource source_of(const Table& table) {
  return {static_cast<std::int64_t>(table.lines.size()),
          [&table](std::int64_t row) -> const Line& { return table.lines[static_cast<std::size_t>(row)]; }};
}

void draw_cell(const Cell& cell, const Column& column, const Fonts& fonts) {
  if (cell.shape == Shape::chip) return draw_chip(cell, fonts);
  if (cell.shape == Shape::mark) return draw_mark(cell);
  if (column.mono) ImGui::PushFont(fonts.mono);
  if (column.right) {
    ImGui::PushStyleColor(ImGuiCol_Text, colour_of(cell.tone));
    text_right(cell.text);
    ImGui::PopStyleColor();
  } else {
    draw_clipped(cell.text, colour_of(cell.tone));
  }
  if (column.mono) ImGui::PopFont();
}

Column fixed(std::string title, float width, int drop) {
  return {.title = std::move(title), .width = width, .drop = drop};
}
Column numbers(std::string title, float width, int drop) {
  return {.title = std::move(title), .width = width, .drop = drop, .right = true};
}
Column elastic(std::string title, float width, int drop) {
  return {.title = std::move(title), .width = width, .drop = drop, .elastic = true};
}
Column digest_column(std::string title, int drop) {
  return {.title = std::move(title), .width = 112, .drop = drop, .mono = true};
}

std::vector<bool> fitting(const std::vector<Column>& columns, float width) {
  std::vector<bool> shown(columns.size(), true);
  const auto needed = [&] {
    float sum = 0;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (shown[i])
        sum += (columns[i].elastic ? columns[i].width * kElasticLeast : columns[i].width) + kColumnPadding;
    }
    return sum;
  };
  while (needed() > width) {
    std::size_t worst = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (shown[i] && columns[i].drop > 0 &&
          (worst == columns.size() || columns[i].drop > columns[worst].drop))
        worst = i;
    }
    if (worst == columns.size()) break;
    shown[worst] = false;
  }
  return shown;
}

TableEvent draw_table(const char* name, const std::vector<Column>& columns, const LineSource& lines,
                      Cursor& cursor, const Fonts& fonts, bool sortable) {
  TableEvent event;
  ASSAY_CHECK(!columns.empty() && columns.size() < 64);
  ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_BordersInnerH |
                          ImGuiTableFlags_Resizable | ImGuiTableFlags_NoBordersInBody |
                          ImGuiTableFlags_PadOuterX;
  if (sortable) flags |= ImGuiTableFlags_Sortable | ImGuiTableFlags_SortTristate;
  const ImVec2 room = ImGui::GetContentRegionAvail();
  if (!ImGui::BeginTable(name, static_cast<int>(columns.size()), flags, room)) return event;
  set_up_columns(columns, fitting(columns, room.x * kDesignPixels / ImGui::GetFontSize()), sortable);
  draw_header(columns, cursor, sortable);
  if (cursor.reveal) reveal_row(cursor.row);
  const auto draw_rows = [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t row = from; row < to; ++row) {
      const TableEvent here = draw_line(columns, lines.at(row), row, row == cursor.row, fonts);
      if (here.selected) event = here;
    }
  };
  if (logging()) {  // the clipper would draw every row for the log
    draw_rows(std::max<std::int64_t>(0, cursor.row - kLoggedRows),
              std::min(lines.count, cursor.row + kLoggedRows));
  } else {
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(lines.count), row_pitch());
    while (clipper.Step()) draw_rows(clipper.DisplayStart, clipper.DisplayEnd);
  }
  cursor.reveal = false;
  ImGui::EndTable();
  return event;
}

}  // namespace assay::gui
