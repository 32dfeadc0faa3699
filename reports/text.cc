#include "reports/text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/check.h"

namespace assay {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t point = kReplacement;
  std::size_t size = 1;  // bytes consumed
};

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

// One code point at `at`; a broken sequence is one replacement character a byte.
Decoded decode(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 && first < 0xF8   ? 4
                           : first >= 0xE0 && first < 0xF0 ? 3
                           : first >= 0xC2 && first < 0xE0 ? 2
                                                           : 1;
  if (size == 1) return {};
  char32_t point = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text, at + i)) return {};
    point = (point << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  if (point < kSmallest[size] || surrogate || point > 0x10FFFF) return {};
  return {point, size};
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | (c >> 6U));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | (c >> 12U));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (c >> 18U));
    out += static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  }
}

bool is_bidirectional_control(char32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F ||
         c == 0x061C;
}

char32_t shown(char32_t c, bool keep_lines) {
  if (c == '\n' || c == '\t') return keep_lines ? c : U' ';
  if (c < 0x20) return 0x2400 + c;
  if (c == 0x7F) return 0x2421;
  const bool c1_control = c >= 0x80 && c < 0xA0;
  const bool no_character = (c & 0xFFFEU) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
  return c1_control || no_character || is_bidirectional_control(c) ? kReplacement : c;
}

// Shown characters up to `max_chars`; gives the byte where it stopped.
std::size_t append_shown(std::string& out, std::string_view text, std::size_t max_chars, bool keep_lines) {
  std::size_t at = 0;
  for (std::size_t n = 0; at < text.size() && n < max_chars; ++n) {
    const Decoded decoded = decode(text, at);
    append_utf8(out, shown(decoded.point, keep_lines));
    at += decoded.size;
  }
  ASSAY_CHECK(at <= text.size());
  return at;
}

std::size_t chars_after(std::string_view text, std::size_t at) {
  std::size_t n = 0;
  for (; at < text.size(); ++n) at += decode(text, at).size;
  return n;
}

}  // namespace

std::string display_text(std::string_view text, std::size_t max_chars, bool keep_lines) {
  std::string out;
  const std::size_t stop = append_shown(out, text, max_chars, keep_lines);
  if (stop < text.size()) out += fmt::format("… ({} more characters)", chars_after(text, stop));
  return out;
}

std::string short_text(std::string_view text, std::size_t max_chars) {
  ASSAY_CHECK(max_chars > 0);
  std::string out;
  if (chars_after(text, 0) <= max_chars) {
    append_shown(out, text, max_chars, false);
    return out;
  }
  append_shown(out, text, max_chars - 1, false);
  return out + "…";
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : display_text(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "|*_`[]#\\";
  std::string out;
  for (const char c : display_text(text, kShownChars, false)) {
    if (c == '<' || c == '>' || c == '&') {
      out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;";
      continue;
    }
    if (kSpecial.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string escape_csv(std::string_view text) {
  const std::string shown_text = display_text(text);
  const bool formula =
      !shown_text.empty() && std::string_view("=+-@\t").find(shown_text[0]) != std::string_view::npos;
  std::string out;
  if (formula) out += '\'';
  for (const char c : shown_text) out.append(c == '"' ? 2 : 1, c);
  if (shown_text.find_first_of(",\"\n\r") == std::string::npos) return out;
  return fmt::format("\"{}\"", out);
}

std::size_t count_chars(std::string_view utf8) { return chars_after(utf8, 0); }

std::string number_text(double value, int digits) {
  ASSAY_CHECK(digits >= 0 && digits <= 17);
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "-";
}

std::string compact_number(double value) {
  if (!std::isfinite(value)) return "-";
  constexpr std::array<std::pair<double, const char*>, 6> kUnits = {
      {{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}}};
  for (const auto& [unit, letter] : kUnits) {
    const double divisor = unit == 1e4 ? 1e3 : unit;
    if (std::abs(value) >= unit) return fmt::format("{:.4g}{}", value / divisor, letter);
  }
  return fmt::format("{:.4g}", value);
}

std::string percent_text(std::optional<double> fraction) {
  return fraction ? fmt::format("{:.1f} %", *fraction * 100) : "-";
}

std::string maybe_text(std::optional<double> value, int digits) {
  return value ? number_text(*value, digits) : "-";
}

std::string p_text(std::optional<double> p) {
  if (!p) return "-";
  return *p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", *p);
}

}  // namespace assay
