#include "gui/theme.h"

#include <array>
#include <filesystem>

#include "base/check.h"
#include "reports/query.h"

namespace assay::gui {
namespace {

constexpr float kTextPixels = 15.0F;  // readable at arm's length on a 96 dpi screen
constexpr float kTitlePixels = 20.0F;
constexpr float kBuiltInPixels = 13.0F;  // the only size at which the built-in bitmap font is sharp

// Latin with accents, Greek, Cyrillic, punctuation, arrows, mathematics, box drawing, dingbats: what
// questions and answers hold.
constexpr ImWchar kRanges[] = {0x0020, 0x024F, 0x0250, 0x02FF, 0x0370, 0x052F, 0x1E00, 0x1EFF,
                               0x2000, 0x22FF, 0x2500, 0x27BF, 0xFFFD, 0xFFFD, 0};
constexpr ImWchar kShortRanges[] = {0x0020, 0x017F, 0x0391, 0x03C9, 0x2010, 0x2044, 0x2190,
                                    0x2199, 0x2200, 0x226B, 0xFFFD, 0xFFFD, 0};

struct Family {
  const char* text;
  const char* bold;
  const char* mono;
};

// Where Debian, Ubuntu, Fedora and Arch keep DejaVu, and two others that are often there.
constexpr std::array kFamilies = {
    Family{"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
           "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
           "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"},
    Family{"/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
           "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf",
           "/usr/share/fonts/dejavu-sans-mono-fonts/DejaVuSansMono.ttf"},
    Family{"/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf",
           "/usr/share/fonts/TTF/DejaVuSansMono.ttf"},
    Family{"/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
           "/usr/share/fonts/truetype/noto/NotoSans-Bold.ttf",
           "/usr/share/fonts/truetype/noto/NotoSansMono-Regular.ttf"},
    Family{"/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
           "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf",
           "/usr/share/fonts/truetype/liberation/LiberationMono-Regular.ttf"},
};

bool there(const Family& family) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(family.text, ignored) &&
         std::filesystem::is_regular_file(family.bold, ignored) &&
         std::filesystem::is_regular_file(family.mono, ignored);
}

Fonts load_built_in(float scale) {
  ImFontConfig config;
  config.SizePixels = kBuiltInPixels * scale;
  ImFont* font = ImGui::GetIO().Fonts->AddFontDefault(&config);
  return {font, font, font, font};
}

ImFont* add(const char* path, float pixels, const ImWchar* ranges) {
  ImFontConfig config;
  config.OversampleH = 2;
  config.PixelSnapH = true;
  return ImGui::GetIO().Fonts->AddFontFromFileTTF(path, pixels, &config, ranges);
}

void set(ImGuiCol slot, ImU32 packed) { ImGui::GetStyle().Colors[slot] = as_vector(packed); }

void set_colours() {
  namespace c = colour;
  set(ImGuiCol_Text, c::kText);
  set(ImGuiCol_TextDisabled, c::kFaint);
  set(ImGuiCol_WindowBg, c::kGround);
  set(ImGuiCol_ChildBg, c::kGround);
  set(ImGuiCol_PopupBg, c::kPanel);
  set(ImGuiCol_Border, c::kLine);
  set(ImGuiCol_FrameBg, c::kRaised);
  set(ImGuiCol_FrameBgHovered, IM_COL32(42, 50, 64, 255));
  set(ImGuiCol_FrameBgActive, IM_COL32(48, 58, 76, 255));
  set(ImGuiCol_Header, with_alpha(c::kAccent, 52));
  set(ImGuiCol_HeaderHovered, with_alpha(c::kAccent, 34));
  set(ImGuiCol_HeaderActive, with_alpha(c::kAccent, 72));
  set(ImGuiCol_Button, c::kRaised);
  set(ImGuiCol_ButtonHovered, IM_COL32(46, 56, 72, 255));
  set(ImGuiCol_ButtonActive, IM_COL32(56, 70, 92, 255));
  set(ImGuiCol_Separator, c::kLine);
  set(ImGuiCol_ScrollbarBg, with_alpha(c::kGround, 0));
  set(ImGuiCol_ScrollbarGrab, IM_COL32(56, 65, 82, 255));
  set(ImGuiCol_ScrollbarGrabHovered, IM_COL32(74, 86, 108, 255));
  set(ImGuiCol_TableHeaderBg, c::kGround);
  set(ImGuiCol_TableBorderLight, c::kLine);
  set(ImGuiCol_TableBorderStrong, c::kLine);
  set(ImGuiCol_TableRowBgAlt, IM_COL32(255, 255, 255, 5));
  set(ImGuiCol_TextSelectedBg, with_alpha(c::kAccent, 90));
  set(ImGuiCol_CheckMark, c::kAccent);
  set(ImGuiCol_ModalWindowDimBg, IM_COL32(6, 8, 11, 170));
}

}  // namespace

ImVec4 as_vector(ImU32 packed) { return ImGui::ColorConvertU32ToFloat4(packed); }

VerdictStyle style_of_verdict(std::string_view verdict) {
  const std::string name(verdict);
  return {verdict_letter(name), ink_colour(plot::ink_of_verdict(name))};
}

ImU32 ink_colour(plot::Ink ink) {
  const std::uint32_t rgb = plot::rgb_of(ink, true);
  return IM_COL32(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255, 255);
}

Fonts load_fonts(FontChoice choice, float scale) {
  ASSAY_CHECK(ImGui::GetCurrentContext() != nullptr);
  ASSAY_CHECK(scale > 0.25F && scale < 8.0F);
  if (choice == FontChoice::built_in) return load_built_in(scale);
  for (const Family& family : kFamilies) {
    if (!there(family)) continue;
    const Fonts fonts{add(family.text, kTextPixels * scale, kRanges),
                      add(family.bold, kTextPixels * scale, kShortRanges),
                      add(family.mono, kTextPixels * scale * 0.9F, kRanges),
                      add(family.bold, kTitlePixels * scale, kShortRanges)};
    if (fonts.text != nullptr && fonts.bold != nullptr && fonts.mono != nullptr && fonts.title != nullptr)
      return fonts;
  }
  return load_built_in(scale);
}

void apply_theme(float scale) {
  ImGuiStyle& style = ImGui::GetStyle();
  style = ImGuiStyle();
  style.WindowPadding = {12, 10};
  style.FramePadding = {9, 5};
  style.CellPadding = {8, 4};
  style.ItemSpacing = {8, 6};
  style.ItemInnerSpacing = {6, 4};
  style.ScrollbarSize = 12;
  style.WindowBorderSize = 0;
  style.ChildBorderSize = 0;
  style.PopupBorderSize = 1;
  style.FrameBorderSize = 0;
  style.WindowRounding = 0;
  style.ChildRounding = 0;
  style.FrameRounding = 5;
  style.PopupRounding = 8;
  style.ScrollbarRounding = 6;
  style.GrabRounding = 5;
  style.ScaleAllSizes(scale);
  set_colours();
}

}  // namespace assay::gui
