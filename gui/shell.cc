// How the shell looks: the parts of App that draw.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "gui/app.h"
#include "gui/details.h"
#include "gui/format.h"
#include "gui/widgets.h"

namespace assay::gui {
namespace {

constexpr std::size_t kMaxFilterBytes = 256;
constexpr float kCardEms = 4.4F;  // height of the cards of runs A and B
constexpr float kLeastInspectorShare = 0.15F, kMostInspectorShare = 0.75F;

void soft_text(std::string_view text) {
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kSoft);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopStyleColor();
}

// A little key cap with the digit that opens a window.
void draw_cap(ImVec2 at, float side, const std::string& text, ImU32 ink) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRect(at, {at.x + side, at.y + side}, with_alpha(ink, 110), 4);
  const ImVec2 size = ImGui::CalcTextSize(text.c_str());
  list.AddText({std::floor(at.x + (side - size.x) / 2 + 0.5F), std::floor(at.y + (side - size.y) / 2)}, ink,
               text.c_str());
}

}  // namespace

void App::draw_rail(const Fonts& fonts) {
  ImGui::PushFont(fonts.title);
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kAccent);
  ImGui::TextUnformatted("assay");
  ImGui::PopStyleColor();
  ImGui::PopFont();
  ImGui::Dummy({0, ImGui::GetFontSize() * 0.4F});
  for (int i = 0; i < kPlaces; ++i) draw_rail_entry(static_cast<Place>(i), fonts);
  const float cards = 2 * (std::floor(ImGui::GetFontSize() * kCardEms) + ImGui::GetStyle().ItemSpacing.y);
  const float gap = ImGui::GetContentRegionAvail().y - cards;
  if (gap > 0) ImGui::Dummy({0, gap});
  draw_side_card("A", state_.selection.run_a, colour::kAccent, fonts);
  draw_side_card("B", state_.selection.run_b, colour::kSecond, fonts);
}

void App::draw_rail_entry(Place place, const Fonts& fonts) {
  const bool here = place == state_.place;
  const float em = ImGui::GetFontSize(), height = std::floor(em * 1.9F);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  ImGui::PushID(static_cast<int>(place));
  if (ImGui::InvisibleButton("entry", {width, height})) act({Action::open_window, static_cast<int>(place)});
  const bool hot = ImGui::IsItemHovered();
  ImGui::PopID();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  if (here || hot)
    list.AddRectFilled(at, {at.x + width, at.y + height},
                       here ? with_alpha(colour::kAccent, 44) : colour::kRaised, 6);
  const float y = std::floor(at.y + (height - em) / 2);
  draw_cap({at.x + 6, std::floor(at.y + (height - em * 1.2F) / 2)}, std::floor(em * 1.2F),
           std::to_string(static_cast<int>(place) + 1), here ? colour::kAccent : colour::kFaint);
  const std::string title(window(place).title()), total = window(place).total(store_);
  ImFont* font = here ? fonts.bold : fonts.text;
  list.AddText(font, font->FontSize, {at.x + em * 2.1F, y}, here ? colour::kText : colour::kSoft,
               title.c_str());
  list.AddText({at.x + width - 8 - ImGui::CalcTextSize(total.c_str()).x, y}, colour::kFaint, total.c_str());
  ImGui::LogText("%s %s %s\n", here ? ">" : " ", title.c_str(), total.c_str());
}

void App::draw_side_card(const char* name, MaybeId id, ImU32 ink, const Fonts& fonts) {
  const float em = ImGui::GetFontSize(), height = std::floor(em * kCardEms);
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(at, {at.x + width, at.y + height}, colour::kRaised, 6);
  list.AddRectFilled(at, {at.x + 3, at.y + height}, ink, 6, ImDrawFlags_RoundCornersLeft);
  list.PushClipRect(at, {at.x + width - 4, at.y + height}, true);
  const RunRow* run = store_.run(id);
  list.AddText(fonts.bold, fonts.bold->FontSize, {at.x + 11, at.y + 6}, ink, name);
  const std::string model = run == nullptr ? "no run chosen" : run->model;
  list.AddText({at.x + 30, at.y + 6}, run == nullptr ? colour::kFaint : colour::kText, model.c_str());
  if (run != nullptr) {
    list.AddText({at.x + 11, at.y + 6 + em * 1.25F}, colour::kSoft,
                 (run->suite + " " + run->protocol).c_str());
    list.AddText({at.x + 11, at.y + 6 + em * 2.5F}, colour::kText, score(run->score, run->metric).c_str());
  } else {
    list.AddText({at.x + 11, at.y + 6 + em * 1.25F}, colour::kFaint,
                 fmt::format("{} in Runs (3)", name[0] == 'A' ? "a" : "b").c_str());
  }
  list.PopClipRect();
  ImGui::LogText("%s: %s\n", name, run == nullptr ? "-" : run_name(store_, id).c_str());
  if (ImGui::InvisibleButton(name, {width, height}))
    act({Action::open_window, static_cast<int>(Place::runs)});
}

void App::draw_centre(const Fonts& fonts) {
  const float field = ImGui::GetFontSize() * 15;
  ImGui::PushFont(fonts.title);
  ImGui::TextUnformatted(active().title().data());
  ImGui::PopFont();
  ImGui::SameLine();
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() + fonts.title->FontSize - fonts.text->FontSize - 1);
  soft_text(active().subtitle());
  ImGui::SameLine(std::max(0.0F, ImGui::GetContentRegionMax().x - field));
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() - fonts.title->FontSize + fonts.text->FontSize - 1);
  ImGui::SetNextItemWidth(field);
  draw_filter();
  draw_modes(fonts);
  if (!problem_.empty()) {
    draw_empty(problem_, fonts);
    return;
  }
  active().draw(store_, state_, fonts);
}

void App::draw_filter() {
  std::string& filter = state_.cursor().filter;
  char buffer[kMaxFilterBytes] = {};
  std::memcpy(buffer, filter.data(), std::min(filter.size(), sizeof buffer - 1));
  if (state_.focus_filter) ImGui::SetKeyboardFocusHere();
  state_.focus_filter = false;
  ImGui::PushID(static_cast<int>(state_.place));
  const bool changed = ImGui::InputTextWithHint("##filter", "/  filter", buffer, sizeof buffer);
  ImGui::PopID();
  if (!changed) return;
  filter = buffer;
  state_.cursor().row = 0;
}

void App::draw_modes(const Fonts& fonts) {
  const auto modes = active().modes();
  Cursor& cursor = state_.cursor();
  for (int i = 0; i < static_cast<int>(modes.size()); ++i) {
    const bool on = cursor.mode == i;
    if (i > 0) ImGui::SameLine();
    ImGui::PushID(i);
    if (pill("mode", modes[static_cast<std::size_t>(i)],
             on ? with_alpha(colour::kAccent, 60) : colour::kRaised, on ? colour::kText : colour::kSoft,
             fonts))
      cursor.mode = i;
    ImGui::PopID();
  }
  soft_text(active().summary());
  ImGui::Dummy({0, 2});
}

void App::draw_inspector(const Fonts& fonts) {
  if (!problem_.empty()) return;
  ImGui::PushID(static_cast<int>(state_.place));
  active().inspect(store_, state_, fonts);
  ImGui::PopID();
}

void App::draw_splitter(float height, float room) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  ImGui::InvisibleButton("splitter", {5, height});
  const bool held = ImGui::IsItemActive();
  if (held || ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_ResizeEW);
  float& share = inspector_share_[static_cast<std::size_t>(state_.place)];
  if (held)
    share = std::clamp(share - ImGui::GetIO().MouseDelta.x / room, kLeastInspectorShare, kMostInspectorShare);
  ImGui::GetWindowDrawList()->AddRectFilled(at, {at.x + 5, at.y + height},
                                            held ? colour::kAccent : colour::kGround);
}

void App::draw_status(const Fonts& fonts) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(at, display, colour::kRaised);
  const float em = ImGui::GetFontSize(), y = std::floor(at.y + (display.y - at.y - em) / 2);
  const std::string name = std::filesystem::path(store_.database.path()).filename().string();
  const std::string left = fmt::format("{}   {}   sha256 {}   read-only", name, bytes(store_.size_bytes),
                                       short_digest(store_.digest));
  const std::string right = "? keys    Ctrl+P palette    / filter    e evidence";
  list.AddText({em * 0.8F, y}, colour::kSoft, left.c_str());
  list.AddText({display.x - em * 0.8F - ImGui::CalcTextSize(right.c_str()).x, y}, colour::kFaint,
               right.c_str());
  const float middle = em * 0.8F + ImGui::CalcTextSize(left.c_str()).x + em * 2;
  list.AddText(fonts.bold, fonts.bold->FontSize, {middle, y}, colour::kAccent,
               one_line(state_.message, 100).c_str());
  ImGui::LogText("%s\n", state_.message.c_str());
}

void App::draw_overlay(const Fonts& fonts, std::string* log) {
  if (state_.overlay == Overlay::none) return;
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const float em = ImGui::GetFontSize();
  const Overlay shown = state_.overlay;
  constexpr auto kPlain =
      ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings;
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(display);
  ImGui::PushStyleColor(ImGuiCol_WindowBg, IM_COL32(6, 8, 11, 150));
  ImGui::Begin("dim", nullptr, kPlain);
  if (ImGui::IsWindowHovered() && ImGui::IsMouseClicked(ImGuiMouseButton_Left))
    state_.overlay = Overlay::none;
  ImGui::End();
  ImGui::PopStyleColor();
  const bool wide = shown == Overlay::evidence;
  const float width = std::min(display.x * 0.92F, em * (wide ? 84 : 42));
  ImGui::SetNextWindowPos({std::floor((display.x - width) / 2), std::floor(display.y * 0.1F)});
  ImGui::SetNextWindowSize({width, wide ? display.y * 0.75F : 0});
  ImGui::PushStyleColor(ImGuiCol_WindowBg, colour::kPanel);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowRounding, 8);
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 1);
  const char* names[] = {"none", "palette", "help", "evidence"};
  ImGui::Begin(names[static_cast<int>(shown)], nullptr,
               shown == Overlay::palette || wide ? kPlain : kPlain | ImGuiWindowFlags_AlwaysAutoResize);
  begin_log(log);
  if (ImGui::IsWindowAppearing()) ImGui::SetWindowFocus();
  if (shown == Overlay::help) draw_help(fonts);
  if (shown == Overlay::evidence) draw_evidence(evidence_, fonts);
  if (shown == Overlay::palette) {
    const int clicked = draw_palette(palette_entries(), state_, ImGui::IsWindowAppearing(), fonts);
    if (clicked >= 0) {
      state_.palette_row = clicked;
      run_palette_entry();
    }
  }
  end_log(log);
  ImGui::End();
  ImGui::PopStyleVar(2);
  ImGui::PopStyleColor();
}

}  // namespace assay::gui
