#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "reports/plot/axis.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

constexpr double kRowHeight = 30, kNameWidth = 250, kFigureWidth = 190, kTop = 26, kAxisHeight = 52;
constexpr std::size_t kNameChars = 34;

MaybeReal shifted(MaybeReal value, double zero, double unit) {
  return value ? MaybeReal((*value - zero) / unit) : std::nullopt;
}

void set_band(ForestRow& row, const ClaimRow& claim, double unit) {
  if (claim.relation == "within") {
    row.band_low = -std::abs(claim.value) / unit;
    row.band_high = std::abs(claim.value) / unit;
    row.has_published = false;
    return;
  }
  const double margin = std::abs(claim.margin.value_or(0)) / unit;
  row.band_low = -margin;
  if (claim.relation != "at-least") row.band_high = margin;
}

// All that must be visible on the axis.
void extend(const ForestRow& row, double& low, double& high) {
  for (const MaybeReal& value : {MaybeReal(0.0), MaybeReal(row.measured), row.fixed_low, row.fixed_high,
                                 row.population_low, row.population_high, row.band_low, row.band_high}) {
    if (!value || !std::isfinite(*value)) continue;
    low = std::min(low, *value);
    high = std::max(high, *value);
  }
}

void draw_interval(PlotScene& scene, const Axis& axis, MaybeReal low, MaybeReal high, double y, double width,
                   Ink ink) {
  if (!low || !high) return;
  const double x0 = axis.pixel(*low), x1 = axis.pixel(*high);
  scene.elements.push_back(Line{x0, y, x1, y, width, ink});
  if (width > 2) return;
  for (const double x : {x0, x1}) scene.elements.push_back(Line{x, y - 4, x, y + 4, width, ink});
}

std::string figures(const ClaimRow& claim) {
  const char* unit = claim.scale == 100 ? " %" : "";
  std::string out = compact_number(claim.measured.value_or(0)) + unit;
  if (claim.n) out += fmt::format(", n = {}", *claim.n);
  return out;
}

std::string interval_words(const char* name, MaybeReal low, MaybeReal high) {
  return low && high ? fmt::format("; {} {:.5g} to {:.5g}", name, *low, *high) : "";
}

std::string tip(const ClaimRow& claim) {
  return fmt::format("{}: {}; published {}, measured {:.6g}{}{}. {}", claim.key, claim.verdict,
                     claim.published, claim.measured.value_or(0),
                     interval_words("items", claim.fixed_low, claim.fixed_high),
                     interval_words("population", claim.population_low, claim.population_high), claim.reason);
}

struct Frame {
  double left, right;
};

void draw_row(PlotScene& scene, const Axis& axis, const ClaimRow& claim, const ForestRow& row, double top,
              Frame frame) {
  const double y = top + kRowHeight / 2;
  const Ink ink = ink_of_verdict(claim.verdict);
  const double band0 = row.band_low ? axis.pixel(*row.band_low) : frame.left;
  const double band1 = row.band_high ? axis.pixel(*row.band_high) : frame.right;
  scene.elements.push_back(
      Box{band0, top + 3, std::max(2.0, band1 - band0), kRowHeight - 6, Ink::band, 0.22});
  scene.elements.push_back(Box{8, y - 9, 18, 18, ink});
  scene.elements.push_back(
      Text{17, y + 4.5, std::string(1, verdict_letter(claim.verdict)), 12, Anchor::middle, Ink::paper, true});
  scene.elements.push_back(Text{34, y + 4, short_text(claim.key, kNameChars), 12});
  draw_interval(scene, axis, row.population_low, row.population_high, y, 1.5, ink);
  draw_interval(scene, axis, row.fixed_low, row.fixed_high, y, 5, ink);
  if (row.has_published)
    scene.elements.push_back(Mark{axis.pixel(0), y, 11, Shape::diamond, Ink::published, false});
  scene.elements.push_back(Mark{axis.pixel(row.measured), y, 8, Shape::circle, ink});
  scene.elements.push_back(Text{scene.width - 8, y + 4, figures(claim), 12, Anchor::end, Ink::faint});
  scene.hits.push_back(Hit{0, top, scene.width, kRowHeight, row.claim, tip(claim)});
}

// One panel of rows that share an axis; gives the y below it.
double draw_panel(PlotScene& scene, const std::vector<ClaimRow>& claims, const std::vector<ForestRow>& rows,
                  double top, const std::string& label) {
  if (rows.empty()) return top;
  double low = 0, high = 0;
  for (const ForestRow& row : rows) extend(row, low, high);
  const double pad = std::max((high - low) * 0.05, 1e-6),
               bottom = top + kRowHeight * static_cast<double>(rows.size());
  const Frame frame{kNameWidth, scene.width - kFigureWidth};
  const Axis axis = Axis::linear(low - pad, high + pad, frame.left, frame.right);
  draw_horizontal(scene, axis, top, bottom, label);
  scene.elements.push_back(Line{axis.pixel(0), top, axis.pixel(0), bottom, 1, Ink::axis, true});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto claim = static_cast<std::size_t>(rows[i].claim);
    ASSAY_CHECK(claim < claims.size());
    draw_row(scene, axis, claims[claim], rows[i], top + kRowHeight * static_cast<double>(i), frame);
  }
  return bottom + kAxisHeight;
}

void draw_legend(PlotScene& scene) {
  const double y = 14;
  double x = kNameWidth;
  const auto word = [&](const std::string& text) {
    scene.elements.push_back(Text{x, y, text, 11, Anchor::start, Ink::faint});
    x += text_width(text, 11) + 18;
  };
  scene.elements.push_back(Mark{x + 5, y - 4, 10, Shape::diamond, Ink::published, false});
  x += 15;
  word("published");
  scene.elements.push_back(Mark{x + 4, y - 4, 8, Shape::circle, Ink::neutral});
  x += 13;
  word("measured");
  scene.elements.push_back(Line{x, y - 4, x + 20, y - 4, 5, Ink::neutral});
  x += 26;
  word("these items");
  scene.elements.push_back(Line{x, y - 4, x + 20, y - 4, 1.5, Ink::neutral});
  x += 26;
  word("population");
  scene.elements.push_back(Box{x, y - 11, 20, 14, Ink::band, 0.22});
  x += 26;
  word("claim kept");
}

}  // namespace

std::optional<ForestRow> forest_row(const ClaimRow& claim, int index) {
  if (!claim.measured || !std::isfinite(*claim.measured)) return std::nullopt;
  ForestRow row;
  row.claim = index;
  row.points = claim.scale == 100;
  const double unit =
      row.points ? 1.0 : std::abs(claim.value) / 100;  // points, or percent of the published value
  if (!(unit > 0) || !std::isfinite(unit)) return std::nullopt;
  const double zero = claim.relation == "within" ? 0 : claim.value;
  row.measured = (*claim.measured - zero) / unit;
  row.fixed_low = shifted(claim.fixed_low, zero, unit);
  row.fixed_high = shifted(claim.fixed_high, zero, unit);
  row.population_low = shifted(claim.population_low, zero, unit);
  row.population_high = shifted(claim.population_high, zero, unit);
  set_band(row, claim, unit);
  return row;
}

PlotScene forest_plot(const std::vector<ClaimRow>& claims, double width) {
  PlotScene scene;
  scene.title = "Published claims against what was measured";
  scene.width = std::max(width, kNameWidth + kFigureWidth + 200);
  std::vector<ForestRow> points, relative;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::optional<ForestRow> row = forest_row(claims[i], static_cast<int>(i));
    if (row) (row->points ? points : relative).push_back(*row);
  }
  draw_legend(scene);
  const double below = draw_panel(scene, claims, points, kTop, "measured minus published, in points");
  scene.height = draw_panel(scene, claims, relative, below,
                            "measured minus published, in percent of the published value");
  if (points.empty() && relative.empty()) {
    scene.elements.push_back(
        Text{kNameWidth, kTop + 20, "no claim is decided yet", 12, Anchor::start, Ink::faint});
    scene.height = kTop + 40;
  }
  return scene;
}

}  // namespace assay::plot
