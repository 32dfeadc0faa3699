#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/plot/axis.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

constexpr double kRowHeight = 30, kNameWidth = 270, kFigureWidth = 130, kTop = 12, kAxisHeight = 52;
constexpr std::size_t kNameChars = 36;

bool is_positive(MaybeReal value) { return value && *value > 0 && std::isfinite(*value); }

void draw_row(PlotScene& scene, const Axis& axis, const CostRow& row, int index, double top) {
  const double y = top + kRowHeight / 2;
  const Ink ink = row.uses_measurements ? Ink::series_c : Ink::series_a;
  scene.elements.push_back(Text{8, y + 4, short_text(row.subject + ", " + row.stage, kNameChars), 12});
  if (is_positive(row.low_usd) && is_positive(row.high_usd)) {
    const double x0 = axis.pixel(*row.low_usd), x1 = axis.pixel(*row.high_usd);
    scene.elements.push_back(Line{x0, y, x1, y, 3, ink});
    for (const double x : {x0, x1}) scene.elements.push_back(Line{x, y - 5, x, y + 5, 1.5, ink});
  }
  scene.elements.push_back(Mark{axis.pixel(*row.cost_usd), y, 9, Shape::circle, ink});
  scene.elements.push_back(
      Text{scene.width - 8, y + 4, "$ " + compact_number(*row.cost_usd), 12, Anchor::end, Ink::faint});
  const std::string tip =
      fmt::format("{}, {}: {:.6g} USD, low {}, high {}; {}", row.subject, row.stage, *row.cost_usd,
                  maybe_text(row.low_usd, 2), maybe_text(row.high_usd, 2), row.level);
  scene.hits.push_back(Hit{0, top, scene.width, kRowHeight, index, tip});
}

}  // namespace

PlotScene cost_plot(const std::vector<CostRow>& rows, double width) {
  PlotScene scene;
  scene.title = "Cost in US dollars";
  scene.width = std::max(width, kNameWidth + kFigureWidth + 200);
  double low = 1e300, high = 0;
  int shown = 0;
  for (const CostRow& row : rows) {
    if (!is_positive(row.cost_usd)) continue;
    ++shown;
    for (const MaybeReal& value : {row.cost_usd, row.low_usd, row.high_usd}) {
      if (!is_positive(value)) continue;
      low = std::min(low, *value);
      high = std::max(high, *value);
    }
  }
  const double bottom = kTop + kRowHeight * std::max(shown, 1);
  scene.height = bottom + kAxisHeight;
  const Axis axis = Axis::logarithmic(low / 1.5, high * 1.5, kNameWidth, scene.width - kFigureWidth);
  draw_horizontal(scene, axis, kTop, bottom, "US dollars, logarithmic");
  double top = kTop;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!is_positive(rows[i].cost_usd)) continue;
    draw_row(scene, axis, rows[i], static_cast<int>(i), top);
    top += kRowHeight;
  }
  return scene;
}

}  // namespace assay::plot
