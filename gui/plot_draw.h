// Draws the report's plots (display lists of reports/plot) with Dear ImGui: the same plot in both places.
#pragma once
#include <functional>
#include <optional>

#include "gui/theme.h"
#include "reports/plot/scene.h"

namespace assay::gui {

inline constexpr double kPlotPixels =
    13;  // text size that scenes are laid out for; scaled to the display's font

// At the cursor; takes the scene's room. The row that was clicked; `chosen` is outlined, tips show exact figures.
std::optional<int> draw_plot(const plot::PlotScene& scene, const Fonts& fonts, int chosen);

// Keeps a scene until the width changes; `make` gets the width in the scene's pixels.
class PlotCache {
 public:
  using Make = std::function<plot::PlotScene(double width)>;
  const plot::PlotScene& at_width(const Make& make);  // of what is left in the current window
  void forget() { width_ = -1; }

 private:
  plot::PlotScene scene_;
  double width_ = -1;
};

}  // namespace assay::gui
