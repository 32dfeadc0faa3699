#include "gui/plot_draw.h"

#include <algorithm>
#include <cmath>

namespace assay::gui {
namespace {

// Scene pixels to screen pixels.
struct Frame {
  ImVec2 origin;
  float scale;
  ImVec2 at(double x, double y) const {
    return {origin.x + static_cast<float>(x) * scale, origin.y + static_cast<float>(y) * scale};
  }
};

float scale_now() { return ImGui::GetFontSize() / static_cast<float>(kPlotPixels); }

void draw(const Frame& frame, const plot::Line& line, const Fonts&) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 from = frame.at(line.x0, line.y0), to = frame.at(line.x1, line.y1);
  const ImU32 ink = ink_colour(line.ink);
  const float width = std::max(1.0F, static_cast<float>(line.width) * frame.scale);
  if (!line.dashed) return list.AddLine(from, to, ink, width);
  const float dx = to.x - from.x, dy = to.y - from.y, length = std::sqrt(dx * dx + dy * dy);
  const int dashes = std::clamp(static_cast<int>(length / 8), 1, 2000);
  for (int i = 0; i < dashes; ++i) {
    const float a = static_cast<float>(i) / static_cast<float>(dashes),
                b = a + 0.55F / static_cast<float>(dashes);
    list.AddLine({from.x + dx * a, from.y + dy * a}, {from.x + dx * b, from.y + dy * b}, ink, width);
  }
}

void draw(const Frame& frame, const plot::Box& box, const Fonts&) {
  const auto alpha = static_cast<unsigned>(std::clamp(box.opacity, 0.0, 1.0) * 255 + 0.5);
  ImGui::GetWindowDrawList()->AddRectFilled(frame.at(box.x, box.y),
                                            frame.at(box.x + box.width, box.y + box.height),
                                            with_alpha(ink_colour(box.ink), alpha));
}

void draw(const Frame& frame, const plot::Mark& mark, const Fonts&) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 c = frame.at(mark.x, mark.y);
  const float r = static_cast<float>(mark.size) / 2 * frame.scale;
  const ImU32 ink = ink_colour(mark.ink);
  if (mark.shape == plot::Shape::circle) {
    if (mark.filled) return list.AddCircleFilled(c, r, ink);
    return list.AddCircle(c, r, ink, 0, 2);
  }
  const ImVec2 diamond[4] = {{c.x, c.y - r}, {c.x + r, c.y}, {c.x, c.y + r}, {c.x - r, c.y}};
  const ImVec2 square[4] = {{c.x - r, c.y - r}, {c.x + r, c.y - r}, {c.x + r, c.y + r}, {c.x - r, c.y + r}};
  const ImVec2 triangle[4] = {{c.x, c.y - r}, {c.x + r, c.y + r}, {c.x - r, c.y + r}, {c.x, c.y - r}};
  const ImVec2* corners = mark.shape == plot::Shape::diamond  ? diamond
                          : mark.shape == plot::Shape::square ? square
                                                              : triangle;
  const int n = mark.shape == plot::Shape::triangle ? 3 : 4;
  if (mark.filled) return list.AddConvexPolyFilled(corners, n, ink);
  list.AddConvexPolyFilled(corners, n, colour::kGround);
  list.AddPolyline(corners, n, ink, ImDrawFlags_Closed, 2);
}

void draw(const Frame& frame, const plot::Text& text, const Fonts& fonts) {
  ImFont* font = text.bold ? fonts.bold : fonts.text;
  const float size = static_cast<float>(text.size) * frame.scale;
  const char* begin = text.text.data();
  const char* end = begin + text.text.size();
  const float width = font->CalcTextSizeA(size, 1e6F, 0, begin, end).x;
  const float shift = text.anchor == plot::Anchor::start    ? 0
                      : text.anchor == plot::Anchor::middle ? width / 2
                                                            : width;
  const ImVec2 base = frame.at(text.x, text.y);
  // Scenes give the base line; Dear ImGui wants the top, which lies an ascent above.
  const float ascent = font->Ascent / font->FontSize * size;
  ImGui::GetWindowDrawList()->AddText(font, size, {std::floor(base.x - shift), std::floor(base.y - ascent)},
                                      ink_colour(text.ink), begin, end);
  ImGui::LogText("%.*s ", static_cast<int>(text.text.size()), begin);
}

std::optional<int> find_hit(const Frame& frame, const plot::PlotScene& scene, int chosen) {
  std::optional<int> clicked;
  const bool over = ImGui::IsWindowHovered();
  for (const plot::Hit& hit : scene.hits) {
    const ImVec2 from = frame.at(hit.x, hit.y), to = frame.at(hit.x + hit.width, hit.y + hit.height);
    if (hit.row == chosen && hit.row >= 0)
      ImGui::GetWindowDrawList()->AddRect(from, to, with_alpha(colour::kAccent, 190), 3, 0, 1.5F);
    if (!over || !ImGui::IsMouseHoveringRect(from, to)) continue;
    ImGui::BeginTooltip();
    ImGui::PushTextWrapPos(ImGui::GetFontSize() * 32);
    ImGui::TextUnformatted(hit.tip.data(), hit.tip.data() + hit.tip.size());
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
    if (ImGui::IsMouseClicked(ImGuiMouseButton_Left)) clicked = hit.row;
  }
  return clicked;
}

}  // namespace

std::optional<int> draw_plot(const plot::PlotScene& scene, const Fonts& fonts, int chosen) {
  const Frame frame{ImGui::GetCursorScreenPos(), scale_now()};
  for (const plot::Element& element : scene.elements) {
    std::visit([&](const auto& part) { draw(frame, part, fonts); }, element);
  }
  ImGui::LogText("\n");
  const auto clicked = find_hit(frame, scene, chosen);
  ImGui::Dummy(
      {static_cast<float>(scene.width) * frame.scale, static_cast<float>(scene.height) * frame.scale});
  return clicked;
}

const plot::PlotScene& PlotCache::at_width(const Make& make) {
  // A scrollbar's room is always kept free, so that its coming and going does not change the layout back and forth.
  const double width = std::max(
      320.0F, (ImGui::GetContentRegionMax().x - ImGui::GetStyle().WindowPadding.x) / scale_now() - 16);
  if (width != width_) {
    scene_ = make(width);
    width_ = width;
  }
  return scene_;
}

}  // namespace assay::gui
