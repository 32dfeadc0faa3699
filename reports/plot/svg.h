// A plot as an SVG document or as an element inside HTML. Colours are CSS variables (--ink-reproduced ...) with the light values
// as fallback, so that the same text follows a page's dark theme and stands alone.
#pragma once
#include <string>

#include "reports/plot/scene.h"

namespace assay::plot {

std::string to_svg(const PlotScene& scene);  // one <svg> element, with its namespace: also a file by itself

// ":root{--ink-text:#1b1f24;…}" for the page that holds the plots.
std::string css_variables(bool dark);

}  // namespace assay::plot
