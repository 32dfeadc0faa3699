#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/plot/axis.h"
#include "reports/plot/charts.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

constexpr double kLeft = 70, kRight = 20, kTop = 34, kHeight = 380, kAxisHeight = 52;
constexpr double kBarHeight = 22, kNameWidth = 330;
constexpr std::size_t kMaxBars = 200;

bool is_plottable(const KernelRow& row) {
  return row.flops_per_s && row.intensity_flops_per_byte && *row.flops_per_s > 0 &&
         *row.intensity_flops_per_byte > 0;
}

Ink ink_of_kernel(const std::string& isa) {
  if (isa == "scalar") return Ink::series_b;
  return isa.starts_with("avx") ? Ink::series_a : Ink::series_c;
}

Shape shape_of_kernel(const std::string& isa) {
  if (isa == "scalar") return Shape::triangle;
  return isa.starts_with("avx") ? Shape::circle : Shape::square;
}

std::string tip(const KernelRow& row) {
  return fmt::format(
      "{} {} {} ({}): {:.3e} FLOP/s, {:.3e} byte/s, p50 {:.3e} s{}", row.kernel, row.shape, row.isa,
      row.what_for, row.flops_per_s.value_or(0), row.bytes_per_s.value_or(0), row.seconds_p50,
      row.fraction_of_limit ? fmt::format(", {:.0f} % of {}", *row.fraction_of_limit * 100, row.limit_name)
                            : "");
}

struct Bounds {
  double x_low = 1e300, x_high = 0, y_low = 1e300, y_high = 0, bytes_high = 0, flops_high = 0;
};

constexpr std::string_view kIntegerPeak = "int8-dot";  // whole-number operations are no roof for floating-point ones

Bounds bounds_of(const std::vector<KernelRow>& rows) {
  Bounds b;
  for (const KernelRow& row : rows) {
    b.bytes_high = std::max(b.bytes_high, row.bytes_per_s.value_or(0));
    if (row.kernel != kIntegerPeak) b.flops_high = std::max(b.flops_high, row.flops_per_s.value_or(0));
    if (!is_plottable(row)) continue;
    b.x_low = std::min(b.x_low, *row.intensity_flops_per_byte);
    b.x_high = std::max(b.x_high, *row.intensity_flops_per_byte);
    b.y_low = std::min(b.y_low, *row.flops_per_s);
    b.y_high = std::max(b.y_high, *row.flops_per_s);
  }
  return b;
}

// The roof: bandwidth times intensity up to the ridge, then flat. Both from the highest rates in the rows themselves.
void draw_roof(PlotScene& scene, const Axis& x, const Axis& y, const Bounds& b) {
  if (!(b.bytes_high > 0) || !(b.flops_high > 0)) return;
  const double ridge = std::clamp(b.flops_high / b.bytes_high, x.low(), x.high());
  const double start = std::max(x.low(), y.low() / b.bytes_high);
  if (start < ridge) {
    scene.elements.push_back(Line{x.pixel(start), y.pixel(start * b.bytes_high), x.pixel(ridge),
                                  y.pixel(ridge * b.bytes_high), 1.5, Ink::axis, true});
  }
  scene.elements.push_back(Line{x.pixel(ridge), y.pixel(b.flops_high), x.pixel(x.high()),
                                y.pixel(b.flops_high), 1.5, Ink::axis, true});
}

}  // namespace

PlotScene roofline_plot(const std::vector<KernelRow>& rows, double width) {
  PlotScene scene;
  scene.title = "Kernels: work per second against work per byte";
  scene.width = std::max(width, 400.0);
  scene.height = kTop + kHeight + kAxisHeight;
  const Bounds b = bounds_of(rows);
  const Axis x = Axis::logarithmic(b.x_low / 2, b.x_high * 2, kLeft, scene.width - kRight);
  const Axis y = Axis::logarithmic(b.y_low / 2, std::max(b.y_high, b.flops_high) * 2, kTop + kHeight, kTop);
  draw_horizontal(scene, x, kTop, kTop + kHeight, "floating-point operations per byte, logarithmic");
  draw_vertical(scene, y, kLeft, scene.width - kRight,
                "FLOP/s, logarithmic; dashed: highest rates measured here");
  draw_roof(scene, x, y, b);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!is_plottable(rows[i])) continue;
    const double px = x.pixel(*rows[i].intensity_flops_per_byte), py = y.pixel(*rows[i].flops_per_s);
    scene.elements.push_back(Mark{px, py, 9, shape_of_kernel(rows[i].isa), ink_of_kernel(rows[i].isa)});
    scene.hits.push_back(Hit{px - 7, py - 7, 14, 14, static_cast<int>(i), tip(rows[i])});
  }
  return scene;
}

PlotScene kernel_bars(const std::vector<KernelRow>& rows, double width) {
  PlotScene scene;
  scene.title = "Kernels: fraction of the machine's limit";
  scene.width = std::max(width, kNameWidth + 300);
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < rows.size() && shown.size() < kMaxBars; ++i) {
    if (rows[i].fraction_of_limit && std::isfinite(*rows[i].fraction_of_limit)) shown.push_back(i);
  }
  const double bottom = 12 + kBarHeight * static_cast<double>(std::max<std::size_t>(shown.size(), 1));
  scene.height = bottom + kAxisHeight;
  const Axis axis = Axis::linear(0, 100, kNameWidth, scene.width - 70);
  draw_horizontal(scene, axis, 12, bottom, "percent of the limit");
  for (std::size_t k = 0; k < shown.size(); ++k) {
    const KernelRow& row = rows[shown[k]];
    const double top = 12 + kBarHeight * static_cast<double>(k), percent = *row.fraction_of_limit * 100;
    scene.elements.push_back(Text{kNameWidth - 8, top + 15,
                                  short_text(row.kernel + " " + row.shape + " " + row.isa, 48), 11,
                                  Anchor::end});
    scene.elements.push_back(Box{kNameWidth, top + 4, std::max(0.0, axis.pixel(percent) - kNameWidth),
                                 kBarHeight - 8, ink_of_kernel(row.isa), 0.85});
    scene.elements.push_back(Text{axis.pixel(percent) + 6, top + 15, fmt::format("{:.0f} %", percent), 11,
                                  Anchor::start, Ink::faint});
    scene.hits.push_back(Hit{0, top, scene.width, kBarHeight, static_cast<int>(shown[k]), tip(row)});
  }
  return scene;
}

}  // namespace assay::plot
