// Small pieces that inspectors and windows share.
#pragma once
#include <string>
#include <string_view>

#include "gui/table.h"
#include "gui/theme.h"

namespace assay::gui {

inline constexpr std::size_t kMaxShownBytes = 64 << 10;  // of one text; what is longer is cut and says so

void heading(std::string_view text, const Fonts& fonts);  // a section's name with a rule
void draw_wrapped(std::string_view text, ImU32 ink,
                  ImFont* font);  // wraps at the window's right edge, cut at kMaxShownBytes
void draw_box(const char* id, std::string_view text, const Fonts& fonts,
              ImU32 edge);  // raised field with monospaced text
// "label   value", the value wrapped; nothing where the value is empty.
void fact(std::string_view label, std::string_view value, const Fonts& fonts, Tone tone = Tone::normal);
void draw_empty(std::string_view hint, const Fonts& fonts);  // in the middle of what is left
// A small rounded field with a word; true when it was clicked.
bool pill(const char* id, std::string_view text, ImU32 fill, ImU32 ink, const Fonts& fonts);

// Dear ImGui logs one window at a time: between its Begin and End. Appends to `log`; nullptr: no logging.
void begin_log(const std::string* log);
void end_log(std::string* log);
bool logging();

}  // namespace assay::gui
