#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

constexpr double kNameWidth = 190, kMaxCell = 74, kMinCell = 26, kTop = 120;
constexpr std::size_t kNameChars = 26, kMaxNames = 40;  // more cannot be read

std::size_t place_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

MaybeReal shown_value(const SimilarityRow& row) { return row.statistic ? row.statistic : row.effect; }

// Colours run over the values of this matrix: the least alike pair is palest.
struct Range {
  double low = 0, high = 1;
  double part(double value) const {
    return high > low ? std::clamp((value - low) / (high - low), 0.0, 1.0) : 0.5;
  }
};

Range range_of(const SimilarityMatrix& matrix, const std::vector<SimilarityRow>& rows) {
  Range range{1e300, -1e300};
  for (const int cell : matrix.cells) {
    const MaybeReal value = cell < 0 ? std::nullopt : shown_value(rows[static_cast<std::size_t>(cell)]);
    if (!value || !std::isfinite(*value)) continue;
    range.low = std::min(range.low, *value);
    range.high = std::max(range.high, *value);
  }
  return range;
}

void draw_cell(PlotScene& scene, const SimilarityRow& row, int index, double x, double y, double cell,
               const Range& range) {
  const MaybeReal value = shown_value(row);
  const double part = value && std::isfinite(*value) ? range.part(*value) : 0;
  scene.elements.push_back(Box{x + 1, y + 1, cell - 2, cell - 2, Ink::heat, 0.08 + 0.82 * part});
  if (value) {
    scene.elements.push_back(Text{x + cell / 2, y + cell / 2 + 4, fmt::format("{:.3g}", *value), 11,
                                  Anchor::middle, part > 0.55 ? Ink::paper : Ink::text});
  }
  const std::string tip =
      fmt::format("{} and {}: {} {}, p {}, {}", row.a, row.b, row.test,
                  value ? fmt::format("{:.6g}", *value) : "without value", p_text(row.p), row.verdict);
  scene.hits.push_back(Hit{x, y, cell, cell, index, tip});
}

// Names above the columns climb in steps: no rotated text, so that every drawer can show them.
void draw_names(PlotScene& scene, const SimilarityMatrix& matrix, double cell) {
  for (std::size_t i = 0; i < matrix.names.size(); ++i) {
    const double at = static_cast<double>(i) * cell, step = static_cast<double>(i % 6) * 15;
    const std::string name = short_text(matrix.names[i], kNameChars);
    const double x = kNameWidth + at + cell / 2;
    scene.elements.push_back(Text{kNameWidth - 8, kTop + at + cell / 2 + 4, name, 12, Anchor::end});
    scene.elements.push_back(Line{x, kTop - 18 - step, x, kTop - 2, 1, Ink::grid});
    scene.elements.push_back(Text{x - 4, kTop - 20 - step, name, 11, Anchor::start});
  }
}

}  // namespace

std::vector<SimilarityMatrix> similarity_matrices(const std::vector<SimilarityRow>& rows) {
  std::vector<SimilarityMatrix> matrices;
  std::map<std::pair<std::string, std::string>, std::vector<int>> groups;
  std::vector<std::pair<std::string, std::string>> order;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto key = std::pair(rows[i].kind, rows[i].test);
    if (!groups.contains(key)) order.push_back(key);
    groups[key].push_back(static_cast<int>(i));
  }
  for (const auto& key : order) {
    SimilarityMatrix matrix{.kind = key.first, .test = key.second, .names = {}, .cells = {}};
    std::vector<std::pair<std::size_t, std::size_t>> places;
    for (const int i : groups[key]) {
      const SimilarityRow& row = rows[static_cast<std::size_t>(i)];
      const std::size_t a = place_of(matrix.names, row.a);
      places.emplace_back(a, place_of(matrix.names, row.b));
    }
    const std::size_t n = matrix.names.size();
    if (n > kMaxNames) continue;
    matrix.cells.assign(n * n, -1);
    for (std::size_t k = 0; k < places.size(); ++k) {
      matrix.cells[places[k].first * n + places[k].second] = groups[key][k];
      matrix.cells[places[k].second * n + places[k].first] = groups[key][k];
    }
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

PlotScene similarity_plot(const SimilarityMatrix& matrix, const std::vector<SimilarityRow>& rows,
                          double width) {
  const std::size_t n = matrix.names.size();
  ASSAY_CHECK(n > 0 && matrix.cells.size() == n * n);
  const double cell = std::clamp((width - kNameWidth - 140) / static_cast<double>(n), kMinCell, kMaxCell);
  PlotScene scene;
  scene.title = fmt::format("Similarity of {}: {}", matrix.kind, matrix.test);
  scene.width = kNameWidth + cell * static_cast<double>(n) + 140;
  scene.height = kTop + cell * static_cast<double>(n) + 12;
  draw_names(scene, matrix, cell);
  const Range range = range_of(matrix, rows);
  for (std::size_t i = 0; i < n * n; ++i) {
    const double x = kNameWidth + cell * static_cast<double>(i % n),
                 y = kTop + cell * static_cast<double>(i / n);
    const int index = matrix.cells[i];
    if (index >= 0) {
      draw_cell(scene, rows[static_cast<std::size_t>(index)], index, x, y, cell, range);
    } else {
      scene.elements.push_back(Box{x + 1, y + 1, cell - 2, cell - 2, Ink::grid, 0.5});
    }
  }
  return scene;
}

}  // namespace assay::plot
