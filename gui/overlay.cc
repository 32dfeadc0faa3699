#include "gui/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "gui/format.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

constexpr int kPaletteRows = 12;

Status fill_rows(const Store& store, EvidenceView& view) {
  ASSAY_TRY(Statement statement, store.database.prepare(view.evidence.sql));
  const int n_columns = std::min(statement.columns(), 60);
  for (int i = 0; i < n_columns; ++i) view.columns.push_back({std::string(statement.column_name(i))});
  for (std::int64_t row = 0;; ++row) {
    ASSAY_TRY(const bool found, statement.next());
    if (!found) return {};
    if (row >= kMaxEvidenceRows) {
      view.cut = true;
      return {};
    }
    Line line{.id = row};
    for (int i = 0; i < n_columns; ++i) {
      line.cells.push_back(statement.is_null(i) ? plain("NULL", Tone::faint)
                                                : plain(one_line(statement.text(i), 200)));
    }
    view.lines.push_back(std::move(line));
  }
}

}  // namespace

EvidenceView read_evidence(const Store& store, Evidence evidence) {
  EvidenceView view{.evidence = std::move(evidence)};
  if (view.evidence.sql.empty()) {
    view.problem = "Nothing is selected; choose a row first.";
    return view;
  }
  const Status status = fill_rows(store, view);
  if (!status.ok()) view.problem = status.error().text();
  return view;
}

std::vector<PaletteEntry> matching(const std::vector<PaletteEntry>& entries, const std::string& text) {
  std::vector<PaletteEntry> found;
  for (const PaletteEntry& entry : entries) {
    std::istringstream words(text);
    std::string word;
    bool all = true;
    while (words >> word) all = all && contains_folded(entry.name, word);
    if (all) found.push_back(entry);
  }
  return found;
}

int draw_palette(const std::vector<PaletteEntry>& entries, State& state, bool take_focus,
                 const Fonts& fonts) {
  char buffer[128] = {};
  std::memcpy(buffer, state.palette_text.data(), std::min(state.palette_text.size(), sizeof buffer - 1));
  if (take_focus) ImGui::SetKeyboardFocusHere();
  ImGui::SetNextItemWidth(-1);
  if (ImGui::InputTextWithHint("##palette", "an action or a window", buffer, sizeof buffer)) {
    state.palette_text = buffer;
    state.palette_row = 0;
  }
  const auto found = matching(entries, state.palette_text);
  const int n = static_cast<int>(found.size());
  state.palette_row = std::clamp(state.palette_row, 0, std::max(0, n - 1));
  int clicked = -1;
  const int first = std::clamp(state.palette_row - kPaletteRows + 1, 0, std::max(0, n - kPaletteRows));
  for (int i = first; i < std::min(n, first + kPaletteRows); ++i) {
    const PaletteEntry& entry = found[static_cast<std::size_t>(i)];
    ImGui::PushID(i);
    if (ImGui::Selectable(entry.name.c_str(), i == state.palette_row)) clicked = i;
    ImGui::SameLine(ImGui::GetContentRegionMax().x - ImGui::CalcTextSize(entry.keys.c_str()).x - 6);
    ImGui::PushStyleColor(ImGuiCol_Text, colour::kFaint);
    ImGui::TextUnformatted(entry.keys.c_str());
    ImGui::PopStyleColor();
    ImGui::PopID();
  }
  if (n == 0) draw_wrapped("nothing is called that", colour::kFaint, fonts.text);
  return clicked;
}

void draw_help(const Fonts& fonts) {
  draw_wrapped("Keys", colour::kText, fonts.title);
  if (!ImGui::BeginTable("keys", 2, ImGuiTableFlags_SizingFixedFit)) return;
  for (const Binding& binding : bindings()) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    ImGui::PushFont(fonts.bold);
    ImGui::PushStyleColor(ImGuiCol_Text, colour::kAccent);
    ImGui::TextUnformatted(binding.keys);
    ImGui::PopStyleColor();
    ImGui::PopFont();
    ImGui::TableNextColumn();
    ImGui::TextUnformatted(binding.name);
  }
  ImGui::EndTable();
  draw_wrapped(
      "The mouse does everything too: click heads to sort, rows to select, twice to go in; the line between "
      "rows and inspector can be "
      "dragged. Nothing can be destroyed: the database is opened read-only.",
      colour::kSoft, fonts.text);
}

void draw_evidence(EvidenceView& view, const Fonts& fonts) {
  draw_wrapped(view.evidence.title.empty() ? "Evidence" : view.evidence.title, colour::kText, fonts.title);
  if (!view.evidence.sql.empty()) draw_box("sql", view.evidence.sql, fonts, colour::kAccent);
  if (!view.problem.empty()) {
    draw_wrapped(view.problem, colour::kOpen, fonts.text);
    return;
  }
  const std::string n = fmt::format("{}{} rows; run it yourself with sqlite3, c copies the query",
                                    view.cut ? "the first " : "", view.lines.size());
  draw_wrapped(n, colour::kSoft, fonts.text);
  if (view.lines.empty()) return;
  const LineSource source{static_cast<std::int64_t>(view.lines.size()), [&](std::int64_t row) -> const Line& {
                            return view.lines[static_cast<std::size_t>(row)];
                          }};
  const TableEvent event = draw_table("evidence", view.columns, source, view.cursor, fonts, false);
  if (event.selected) view.cursor.row = *event.selected;
}

}  // namespace assay::gui
