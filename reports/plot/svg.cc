#include "reports/plot/svg.h"

#include <fmt/format.h>

#include "base/check.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

std::string color(Ink ink) { return fmt::format("var(--ink-{},#{:06x})", name_of(ink), rgb_of(ink, false)); }

// Coordinates with two digits: the same text on every machine.
std::string at(double pixels) { return fmt::format("{:.2f}", pixels); }

std::string draw(const Line& line) {
  return fmt::format(
      "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke-width=\"{}\" style=\"stroke:{}\"{}/>\n",
      at(line.x0), at(line.y0), at(line.x1), at(line.y1), at(line.width), color(line.ink),
      line.dashed ? " stroke-dasharray=\"4 3\"" : "");
}

std::string draw(const Box& box) {
  ASSAY_CHECK(box.opacity >= 0 && box.opacity <= 1);
  return fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"{:.3f}\" style=\"fill:{}\"/>\n",
      at(box.x), at(box.y), at(box.width), at(box.height), box.opacity, color(box.ink));
}

std::string paint(const Mark& mark) {
  return mark.filled ? fmt::format("style=\"fill:{}\"", color(mark.ink))
                     : fmt::format("stroke-width=\"1.5\" style=\"fill:{};stroke:{}\"", color(Ink::paper),
                                   color(mark.ink));
}

std::string draw(const Mark& mark) {
  const double r = mark.size / 2;
  const auto polygon = [&](const std::string& points) {
    return fmt::format("<polygon points=\"{}\" {}/>\n", points, paint(mark));
  };
  const auto point = [&](double dx, double dy) { return at(mark.x + dx) + "," + at(mark.y + dy) + " "; };
  switch (mark.shape) {
    case Shape::circle:
      return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}/>\n", at(mark.x), at(mark.y), at(r),
                         paint(mark));
    case Shape::diamond:
      return polygon(point(0, -r) + point(r, 0) + point(0, r) + point(-r, 0));
    case Shape::square:
      return polygon(point(-r, -r) + point(r, -r) + point(r, r) + point(-r, r));
    case Shape::triangle:
      return polygon(point(0, -r) + point(r, r) + point(-r, r));
  }
  return "";
}

std::string draw(const Text& text) {
  const char* anchor = text.anchor == Anchor::start    ? "start"
                       : text.anchor == Anchor::middle ? "middle"
                                                       : "end";
  return fmt::format(
      "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\"{} style=\"fill:{}\">{}</text>\n",
      at(text.x), at(text.y), at(text.size), anchor, text.bold ? " font-weight=\"600\"" : "", color(text.ink),
      escape_xml(text.text));
}

std::string draw(const Hit& hit) {
  return fmt::format(
      "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"transparent\"><title>{}</title></rect>\n",
      at(hit.x), at(hit.y), at(hit.width), at(hit.height), escape_xml(hit.tip));
}

}  // namespace

std::string to_svg(const PlotScene& scene) {
  ASSAY_CHECK(scene.width > 0 && scene.height > 0);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\" "
      "role=\"img\" aria-label=\"{}\" "
      "font-family=\"system-ui, sans-serif\">\n",
      at(scene.width), at(scene.height), at(scene.width), at(scene.height), escape_xml(scene.title));
  out += fmt::format("<title>{}</title>\n", escape_xml(scene.title));
  for (const Element& element : scene.elements) {
    out += std::visit([](const auto& shape) { return draw(shape); }, element);
  }
  for (const Hit& hit : scene.hits) {
    if (!hit.tip.empty()) out += draw(hit);
  }
  return out + "</svg>\n";
}

std::string css_variables(bool dark) {
  std::string out = ":root{";
  for (int i = 0; i < kInks; ++i) {
    const auto ink = static_cast<Ink>(i);
    out += fmt::format("--ink-{}:#{:06x};", name_of(ink), rgb_of(ink, dark));
  }
  return out + "}";
}

}  // namespace assay::plot
