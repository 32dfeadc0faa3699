// A plot as a display list: shapes in pixels, drawn as SVG here (svg.h) and by ImDrawList in the viewer, so that both show the same.
// y grows downward. Shapes are painted in order.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace assay::plot {

// Colours by meaning; the drawer chooses light or dark values with rgb_of().
enum class Ink : std::uint8_t {
  text,
  faint,
  axis,
  grid,
  paper,
  band,
  published,
  neutral,
  reproduced,
  contradicted,
  undecided,
  mismatch,
  impossible,
  series_a,
  series_b,
  series_c,
  heat,
};
inline constexpr int kInks = static_cast<int>(Ink::heat) + 1;

// 0xRRGGBB. Verdict colours are Okabe and Ito's, which colour-blind readers tell apart; a letter stands beside each anyway.
std::uint32_t rgb_of(Ink ink, bool dark);
const char* name_of(Ink ink);  // "reproduced": CSS variables and tests
Ink ink_of_verdict(const std::string& verdict);

struct Line {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  double width = 1;
  Ink ink = Ink::axis;
  bool dashed = false;
};

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  Ink ink = Ink::band;
  double opacity = 1;
};

enum class Shape : std::uint8_t { circle, diamond, square, triangle };

struct Mark {
  double x = 0, y = 0, size = 8;  // size: full width
  Shape shape = Shape::circle;
  Ink ink = Ink::neutral;
  bool filled = true;
};

enum class Anchor : std::uint8_t { start, middle, end };

struct Text {
  double x = 0, y = 0;  // of the base line
  std::string text;     // UTF-8, one line, already shortened
  double size = 12;
  Anchor anchor = Anchor::start;
  Ink ink = Ink::text;
  bool bold = false;
};

// What the pointer finds: `row` is an index into the rows that the plot was made of.
struct Hit {
  double x = 0, y = 0, width = 0, height = 0;
  int row = -1;
  std::string tip;  // exact figures
};

using Element = std::variant<Line, Box, Mark, Text>;

struct PlotScene {
  std::string title;  // also the accessible name
  double width = 0, height = 0;
  std::vector<Element> elements;
  std::vector<Hit> hits;
};

// Width of a text in pixels, estimated from a sans-serif of mean width 0.56 em; enough to place, not to justify.
double text_width(const std::string& text, double size);

}  // namespace assay::plot
