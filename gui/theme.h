// Colours, spacing and fonts of the viewer. Verdicts are told by colour and by letter, so that no one needs
// the colours.
#pragma once
#include <imgui.h>

#include <string>
#include <string_view>

#include "reports/plot/scene.h"

namespace assay::gui {

namespace colour {
inline constexpr ImU32 kGround = IM_COL32(17, 20, 26, 255);  // behind everything
inline constexpr ImU32 kPanel = IM_COL32(24, 28, 36, 255);   // rail, inspector
inline constexpr ImU32 kRaised = IM_COL32(34, 40, 51, 255);  // fields, chips, table heads
inline constexpr ImU32 kLine = IM_COL32(48, 56, 70, 255);    // separators, grid
inline constexpr ImU32 kText = IM_COL32(222, 227, 235, 255);
inline constexpr ImU32 kSoft = IM_COL32(145, 156, 174, 255);    // labels, units
inline constexpr ImU32 kFaint = IM_COL32(98, 109, 128, 255);    // what is not known
inline constexpr ImU32 kAccent = IM_COL32(92, 164, 240, 255);   // selection, run A
inline constexpr ImU32 kSecond = IM_COL32(196, 160, 250, 255);  // run B
inline constexpr ImU32 kGood = IM_COL32(31, 194, 151, 255);
inline constexpr ImU32 kBad = IM_COL32(255, 127, 59, 255);
inline constexpr ImU32 kOpen = IM_COL32(240, 180, 41, 255);
inline constexpr ImU32 kBand = IM_COL32(92, 164, 240, 36);  // equivalence band
}  // namespace colour

// The same colour, more transparent; alpha 0 … 255.
constexpr ImU32 with_alpha(ImU32 packed, unsigned alpha) {
  return (packed & ~IM_COL32_A_MASK) | (alpha << IM_COL32_A_SHIFT);
}

ImVec4 as_vector(ImU32 packed);

struct VerdictStyle {
  char letter;  // as in the report: reports/query.h
  ImU32 fill;
};
VerdictStyle style_of_verdict(std::string_view verdict);
ImU32 ink_colour(plot::Ink ink);  // the report's colours on dark ground

struct Fonts {
  ImFont* text = nullptr;
  ImFont* bold = nullptr;
  ImFont* mono = nullptr;
  ImFont* title = nullptr;
};

// Which letters to draw with. `built_in` is the font inside Dear ImGui: the same pixels on every machine,
// Latin-1 only.
enum class FontChoice { built_in, system };

// Adds the fonts to the current context's atlas; without a known system font the built-in one is taken.
// `scale` is that of the display (1 = 96 dots an inch).
Fonts load_fonts(FontChoice choice, float scale);
// Sets colours and spacing of the current context.
void apply_theme(float scale);

}  // namespace assay::gui
