#include "gui/widgets.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include <algorithm>

namespace assay::gui {
namespace {

constexpr int kLogDepth = 64;         // tree nodes that the log opens by itself
constexpr float kLabelShare = 0.36F;  // of an inspector's width

// The longest head of `text` within the limit that does not cut a UTF-8 sequence.
std::string_view shown_part(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return text;
  std::size_t end = kMaxShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

void draw_text(std::string_view text) { ImGui::TextUnformatted(text.data(), text.data() + text.size()); }

}  // namespace

void heading(std::string_view text, const Fonts& fonts) {
  ImGui::Dummy({0, 4});
  ImGui::PushFont(fonts.bold);
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kSoft);
  draw_text(text);
  ImGui::PopStyleColor();
  ImGui::PopFont();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  ImGui::GetWindowDrawList()->AddLine({at.x, at.y - 2}, {at.x + ImGui::GetContentRegionAvail().x, at.y - 2},
                                      colour::kLine);
  ImGui::Dummy({0, 1});
}

void draw_wrapped(std::string_view text, ImU32 ink, ImFont* font) {
  const std::string_view part = shown_part(text);
  ImGui::PushFont(font);
  ImGui::PushStyleColor(ImGuiCol_Text, ink);
  ImGui::PushTextWrapPos(0);
  draw_text(part);
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
  ImGui::PopFont();
  if (part.size() == text.size()) return;
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kOpen);
  draw_text(fmt::format("... {} more bytes in the database", text.size() - part.size()));
  ImGui::PopStyleColor();
}

void draw_box(const char* id, std::string_view text, const Fonts& fonts, ImU32 edge) {
  ImGui::PushID(id);
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x;
  list.ChannelsSplit(2);
  list.ChannelsSetCurrent(1);
  ImGui::SetCursorScreenPos({at.x + 10, at.y + 6});
  ImGui::BeginGroup();
  const float wrap = ImGui::GetCursorPosX() + width - 20;
  const std::string_view part = shown_part(text);
  ImGui::PushFont(fonts.mono);
  ImGui::PushTextWrapPos(wrap);
  draw_text(part.empty() ? std::string_view("(empty)") : part);
  if (part.size() < text.size())
    draw_text(fmt::format("... {} more bytes in the database", text.size() - part.size()));
  ImGui::PopTextWrapPos();
  ImGui::PopFont();
  ImGui::EndGroup();
  const float low = ImGui::GetItemRectMax().y + 6;
  list.ChannelsSetCurrent(0);
  list.AddRectFilled(at, {at.x + width, low}, colour::kRaised, 5);
  list.AddRectFilled(at, {at.x + 3, low}, edge, 5, ImDrawFlags_RoundCornersLeft);
  list.ChannelsMerge();
  ImGui::SetCursorScreenPos({at.x, low});
  ImGui::Dummy({width, 2});
  ImGui::PopID();
}

void fact(std::string_view label, std::string_view value, const Fonts& fonts, Tone tone) {
  if (value.empty()) return;
  const float left = ImGui::GetCursorPosX();
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kSoft);
  draw_text(label);
  ImGui::PopStyleColor();
  const float column =
      std::max(ImGui::GetContentRegionMax().x * kLabelShare, left + ImGui::GetFontSize() * 6);
  const float used = left + ImGui::CalcTextSize(label.data(), label.data() + label.size()).x;
  ImGui::SameLine(used + 8 < column ? column : used + 8);
  draw_wrapped(value, colour_of(tone), fonts.text);
}

void draw_empty(std::string_view hint, const Fonts& fonts) {
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float width = std::min(room.x * 0.8F, ImGui::GetFontSize() * 34);
  const ImVec2 size = ImGui::CalcTextSize(hint.data(), hint.data() + hint.size(), false, width);
  ImGui::SetCursorPos(
      {ImGui::GetCursorPosX() + (room.x - size.x) / 2, ImGui::GetCursorPosY() + room.y * 0.38F});
  ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + width + 1);
  ImGui::PushStyleColor(ImGuiCol_Text, colour::kSoft);
  ImGui::PushFont(fonts.text);
  draw_text(hint);
  ImGui::PopFont();
  ImGui::PopStyleColor();
  ImGui::PopTextWrapPos();
}

bool pill(const char* id, std::string_view text, ImU32 fill, ImU32 ink, const Fonts& fonts) {
  ImGui::PushFont(fonts.text);
  const ImVec2 size = ImGui::CalcTextSize(text.data(), text.data() + text.size());
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const ImVec2 box{size.x + 18, size.y + 6};
  const bool clicked = ImGui::InvisibleButton(id, box);
  const bool hot = ImGui::IsItemHovered();
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(at, {at.x + box.x, at.y + box.y}, fill, box.y / 2);
  if (hot) list.AddRect(at, {at.x + box.x, at.y + box.y}, with_alpha(ink, 120), box.y / 2);
  list.AddText({at.x + 9, at.y + 3}, ink, text.data(), text.data() + text.size());
  ImGui::LogText("(%.*s) ", static_cast<int>(text.size()), text.data());
  ImGui::PopFont();
  return clicked;
}

void begin_log(const std::string* log) {
  if (log != nullptr) ImGui::LogToBuffer(kLogDepth);
}

void end_log(std::string* log) {
  if (log == nullptr) return;
  log->append(ImGui::GetCurrentContext()->LogBuffer.c_str());
  log->append("\n");
  ImGui::LogFinish();
}

bool logging() { return ImGui::GetCurrentContext()->LogEnabled; }

}  // namespace assay::gui
