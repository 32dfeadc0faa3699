// Axes: a range of values onto pixels, with round ticks, linear or logarithmic.
#pragma once
#include <string>
#include <vector>

#include "reports/plot/scene.h"

namespace assay::plot {

struct Tick {
  double value = 0;
  std::string label;
};

class Axis {
 public:
  // `low` < `high` are made so where they are not; a logarithmic axis needs positive values and moves `low` up to high / 1e12.
  static Axis linear(double low, double high, double pixel_low, double pixel_high, int about_ticks = 6);
  static Axis logarithmic(double low, double high, double pixel_low, double pixel_high);

  double pixel(double value) const;   // clamped to the axis, so that nothing is painted outside the frame
  bool contains(double value) const;  // false for what is not finite
  const std::vector<Tick>& ticks() const { return ticks_; }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_ = 0, high_ = 1, pixel_low_ = 0, pixel_high_ = 1;
  bool log_ = false;
  std::vector<Tick> ticks_;
};

// Ticks at multiples of 1, 2 or 5 times a power of ten inside [low, high].
std::vector<Tick> nice_ticks(double low, double high, int about);
// Powers of ten (and 2, 5 where the range is short) inside [low, high]; both positive.
std::vector<Tick> log_ticks(double low, double high);

// Grid lines, axis line and labels of a horizontal axis whose plot area spans from `top` to `bottom`.
void draw_horizontal(PlotScene& scene, const Axis& axis, double top, double bottom, const std::string& label);
// Of a vertical axis whose plot area spans from `left` to `right`; labels stand left of it.
void draw_vertical(PlotScene& scene, const Axis& axis, double left, double right, const std::string& label);

}  // namespace assay::plot
