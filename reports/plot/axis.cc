#include "reports/plot/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

constexpr int kMaxTicks = 40;            // a plot with more cannot be read
constexpr double kLogRangeLimit = 1e12;  // decades below are cut off

double nice_step(double span, int about) {
  const double raw = span / about, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step) {
  if (std::abs(value) >= 1e4) return compact_number(value);
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
  return fmt::format("{:.{}f}", value == 0 ? 0.0 : value, digits);
}

}  // namespace

std::vector<Tick> nice_ticks(double low, double high, int about) {
  ASSAY_CHECK(low < high);
  ASSAY_CHECK(about > 0);
  const double step = nice_step(high - low, about);
  std::vector<Tick> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) {
    if (ticks.size() >= kMaxTicks) break;
    ticks.push_back({k * step, tick_label(k * step, step)});
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  ASSAY_CHECK(0 < low && low < high);
  const bool with_parts = high / low < 200;
  std::vector<Tick> ticks;
  for (double power = std::floor(std::log10(low)); power <= std::log10(high) + 1e-9; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10.0, power);
      const bool wanted = factor == 1.0 || with_parts;
      const bool inside = value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
      if (wanted && inside && ticks.size() < kMaxTicks) ticks.push_back({value, compact_number(value)});
    }
  }
  return ticks;
}

Axis Axis::linear(double low, double high, double pixel_low, double pixel_high, int about_ticks) {
  if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
  if (!(low < high))
    low -= std::max(0.5, std::abs(low) * 0.1), high = low + std::max(1.0, std::abs(low) * 0.2);
  Axis axis;
  axis.low_ = low;
  axis.high_ = high;
  axis.pixel_low_ = pixel_low;
  axis.pixel_high_ = pixel_high;
  axis.ticks_ = nice_ticks(low, high, about_ticks);
  ASSAY_CHECK(axis.low_ < axis.high_);
  return axis;
}

Axis Axis::logarithmic(double low, double high, double pixel_low, double pixel_high) {
  if (!(high > 0) || !std::isfinite(high)) low = 1, high = 10;
  if (!(low > high / kLogRangeLimit)) low = high / kLogRangeLimit;
  if (!(low < high)) low = high / 10, high *= 10;
  Axis axis;
  axis.log_ = true;
  axis.low_ = low;
  axis.high_ = high;
  axis.pixel_low_ = pixel_low;
  axis.pixel_high_ = pixel_high;
  axis.ticks_ = log_ticks(low, high);
  return axis;
}

bool Axis::contains(double value) const { return value >= low_ && value <= high_; }

double Axis::pixel(double value) const {
  const double inside = value >= low_ ? std::min(value, high_) : low_;  // NaN goes to the low end
  const double part =
      log_ ? std::log(inside / low_) / std::log(high_ / low_) : (inside - low_) / (high_ - low_);
  return pixel_low_ + part * (pixel_high_ - pixel_low_);
}

void draw_horizontal(PlotScene& scene, const Axis& axis, double top, double bottom,
                     const std::string& label) {
  for (const Tick& tick : axis.ticks()) {
    const double x = axis.pixel(tick.value);
    scene.elements.push_back(Line{x, top, x, bottom, 1, Ink::grid});
    scene.elements.push_back(Text{x, bottom + 16, tick.label, 11, Anchor::middle, Ink::faint});
  }
  const double left = axis.pixel(axis.low()), right = axis.pixel(axis.high());
  scene.elements.push_back(Line{left, bottom, right, bottom, 1, Ink::axis});
  scene.elements.push_back(Text{(left + right) / 2, bottom + 34, label, 12, Anchor::middle, Ink::faint});
}

void draw_vertical(PlotScene& scene, const Axis& axis, double left, double right, const std::string& label) {
  for (const Tick& tick : axis.ticks()) {
    const double y = axis.pixel(tick.value);
    scene.elements.push_back(Line{left, y, right, y, 1, Ink::grid});
    scene.elements.push_back(Text{left - 6, y + 4, tick.label, 11, Anchor::end, Ink::faint});
  }
  scene.elements.push_back(Line{left, axis.pixel(axis.low()), left, axis.pixel(axis.high()), 1, Ink::axis});
  scene.elements.push_back(Text{left, axis.pixel(axis.high()) - 10, label, 12, Anchor::start, Ink::faint});
}

}  // namespace assay::plot
