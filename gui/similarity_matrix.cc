#include "gui/similarity_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "gui/format.h"

namespace assay::gui {
namespace {

std::optional<std::size_t> place_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  if (names.size() >= kMaxMatrixNames) return std::nullopt;
  names.push_back(name);
  return names.size() - 1;
}

// From dark to bright blue: one hue, brightness tells the order also in grey.
ImU32 heat(double share) {
  const double t = std::clamp(share, 0.0, 1.0);
  const auto mix = [&](double from, double to) {
    return static_cast<unsigned>(from + (to - from) * t + 0.5);
  };
  return IM_COL32(mix(30, 110), mix(38, 186), mix(52, 250), 255);
}

void draw_matrix_cell(const SimilarityMatrix& matrix, std::size_t row, std::size_t column, ImVec2 at,
                      float side, bool chosen) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const MatrixCell& cell = matrix.at(row, column);
  const ImVec2 end{at.x + side - 1, at.y + side - 1};
  const double width = matrix.high - matrix.low;
  const double share = cell.effect && width > 0 ? (*cell.effect - matrix.low) / width : 0.5;
  list.AddRectFilled(at, end,
                     row == column ? colour::kPanel
                     : cell.effect ? heat(share)
                                   : colour::kRaised,
                     2);
  if (chosen) list.AddRect({at.x - 1, at.y - 1}, {end.x + 1, end.y + 1}, colour::kText, 2, 0, 2);
  if (!cell.effect || side < 40) return;
  const std::string text = significant(cell.effect, 2);
  const ImVec2 size = ImGui::CalcTextSize(text.c_str());
  const ImU32 ink = share > 0.55 ? IM_COL32(12, 14, 18, 255) : colour::kText;
  list.AddText({at.x + (side - size.x) / 2, at.y + (side - size.y) / 2}, ink, text.c_str());
}

}  // namespace

SimilarityMatrix build_matrix(const Store& store, const std::string& test) {
  SimilarityMatrix matrix{.test = test};
  std::vector<std::pair<std::size_t, std::size_t>> places;
  std::vector<const SimilarityRow*> rows;
  for (const SimilarityRow& row : store.similarities) {
    if (row.test != test) continue;
    const auto a = place_of(matrix.names, row.a), b = place_of(matrix.names, row.b);
    if (!a || !b) continue;
    places.emplace_back(*a, *b);
    rows.push_back(&row);
  }
  const std::size_t n = matrix.names.size();
  matrix.cells.assign(n * n, {});
  matrix.low = std::numeric_limits<double>::infinity();
  matrix.high = -matrix.low;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [a, b] = places[i];
    matrix.cells[a * n + b] = matrix.cells[b * n + a] = {rows[i]->id, rows[i]->effect};
    if (!rows[i]->effect) continue;
    matrix.low = std::min(matrix.low, *rows[i]->effect);
    matrix.high = std::max(matrix.high, *rows[i]->effect);
  }
  return matrix;
}

std::optional<std::int64_t> draw_matrix(const SimilarityMatrix& matrix, std::optional<std::int64_t> selected,
                                        const Fonts& fonts) {
  std::optional<std::int64_t> clicked;
  const std::size_t n = matrix.names.size();
  ASSAY_CHECK(matrix.cells.size() == n * n);
  const ImVec2 start = ImGui::GetCursorScreenPos(), room = ImGui::GetContentRegionAvail();
  const float em = ImGui::GetFontSize(), label = em * 13;
  const float side = std::clamp(
      std::min((room.x - label) / static_cast<float>(n), (room.y - em * 1.8F) / static_cast<float>(n)),
      em * 1.1F, em * 4);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddText(fonts.bold, fonts.bold->FontSize, start, colour::kSoft, matrix.test.c_str());
  ImGui::LogText("matrix of %s, %d models\n", matrix.test.c_str(), static_cast<int>(n));
  const ImVec2 origin{start.x + label, start.y + em * 1.8F};
  for (std::size_t row = 0; row < n; ++row) {
    const float y = origin.y + side * static_cast<float>(row);
    const std::string name = one_line(matrix.names[row], 30);
    const float width = std::min(label - 10, ImGui::CalcTextSize(name.c_str()).x);
    list.AddText({origin.x - 8 - width, y + (side - em) / 2}, colour::kText, name.c_str());
    for (std::size_t column = 0; column < n; ++column) {
      const ImVec2 at{origin.x + side * static_cast<float>(column), y};
      const MatrixCell& cell = matrix.at(row, column);
      draw_matrix_cell(matrix, row, column, at, side, cell.similarity_id && cell.similarity_id == selected);
      if (!ImGui::IsWindowHovered() || !ImGui::IsMouseHoveringRect(at, {at.x + side, at.y + side}) ||
          !cell.similarity_id)
        continue;
      const std::string tip = fmt::format("{}\n{}\n{} {}", matrix.names[row], matrix.names[column],
                                          matrix.test, significant(cell.effect, 6));
      ImGui::SetTooltip("%s", tip.c_str());
      if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) clicked = cell.similarity_id;
    }
  }
  ImGui::Dummy({label + side * static_cast<float>(n), em * 1.8F + side * static_cast<float>(n)});
  return clicked;
}

}  // namespace assay::gui
