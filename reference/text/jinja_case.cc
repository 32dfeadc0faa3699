// Upper, lower and title case as Python's str has them: full mappings where the text may hold them, a final sigma by its neighbours.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <map>

#include "reference/text/jinja_run.h"
#include "reference/text/utf8.h"

namespace assay::jinja {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }
bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

// Unicode's Case_Ignorable: marks, modifiers, formats and the punctuation inside words.
bool ignorable(char32_t c) {
  const auto k = category(c);
  const bool mark = k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_SK;
  return mark || std::u32string_view(U"'.:\u00B7\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A").find(c) != std::u32string_view::npos;
}

bool final_sigma(const std::u32string& all, std::size_t i) {
  std::size_t before = i, after = i + 1;
  while (before > 0 && ignorable(all[before - 1])) --before;
  while (after < all.size() && ignorable(all[after])) ++after;
  return before > 0 && cased(all[before - 1]) && (after == all.size() || !cased(all[after]));
}

void append_lower(std::string& out, const std::u32string& all, std::size_t i) {
  const char32_t c = all[i];
  if (c == 0x130) out += "i\u0307";
  else if (c == 0x3A3) append_utf8(out, final_sigma(all, i) ? 0x3C2 : 0x3C3);
  else append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

struct LongCase {
  const char *upper, *title;
};

// SpecialCasing.txt, the letters that become two or three.
const LongCase* long_case(char32_t c) {
  static const std::map<char32_t, LongCase> kLong = {{0xDF, {"SS", "Ss"}},   {0x149, {"\u02BCN", "\u02BCN"}}, {0x1F0, {"J\u030C", "J\u030C"}}, {0x587, {"\u0535\u0552", "\u0535\u0582"}},
                                                     {0xFB00, {"FF", "Ff"}}, {0xFB01, {"FI", "Fi"}},          {0xFB02, {"FL", "Fl"}},          {0xFB03, {"FFI", "Ffi"}},
                                                     {0xFB04, {"FFL", "Ffl"}}, {0xFB05, {"ST", "St"}},        {0xFB06, {"ST", "St"}}};
  const auto it = kLong.find(c);
  return it == kLong.end() ? nullptr : &it->second;
}

void append_upper(std::string& out, char32_t c) {
  if (const LongCase* all = long_case(c)) out += all->upper;
  else append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

void append_title(std::string& out, char32_t c) {
  if (const LongCase* all = long_case(c)) out += all->title;
  else append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}

}  // namespace

std::u32string codes(const std::string& text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    out += c.code;
    at += c.bytes;
  }
  return out;
}

std::string upper(const std::string& text) {
  std::string out;
  for (const char32_t c : codes(text)) append_upper(out, c);
  return out;
}

std::string lower(const std::string& text) {
  const std::u32string all = codes(text);
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) append_lower(out, all, i);
  return out;
}

// Words begin where a cased letter follows none.
std::string title_text(const std::string& text) {
  const std::u32string all = codes(text);
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && cased(all[i - 1])) append_lower(out, all, i);
    else append_title(out, all[i]);
  }
  return out;
}

std::string capitalized(const std::string& text) {
  const std::u32string all = codes(text);
  std::string out;
  if (!all.empty()) append_title(out, all[0]);
  for (std::size_t i = 1; i < all.size(); ++i) append_lower(out, all, i);
  return out;
}

std::string swapped(const std::string& text) {
  const std::u32string all = codes(text);
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_upper(all[i])) append_lower(out, all, i);
    else if (is_lower(all[i])) append_upper(out, all[i]);
    else append_utf8(out, all[i]);
  }
  return out;
}

std::string casefolded(const std::string& text) {
  std::string out;
  for (const char32_t c : codes(text)) {
    std::array<utf8proc_int32_t, 8> folded{};
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded.data(), folded.size(), UTF8PROC_CASEFOLD, nullptr);
    for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(n, 8); ++i) append_utf8(out, static_cast<char32_t>(folded[static_cast<std::size_t>(i)]));
  }
  return out;
}

bool all_cased(const std::string& text, bool upper_case) {
  bool any = false;
  for (const char32_t c : codes(text)) {
    if (upper_case ? is_lower(c) || is_title(c) : is_upper(c) || is_title(c)) return false;
    any |= upper_case ? is_upper(c) : is_lower(c);
  }
  return any;
}

bool titled(const std::string& text) {
  bool any = false, inside = false;
  for (const char32_t c : codes(text)) {
    if (is_upper(c) || is_title(c) ? inside : is_lower(c) && !inside) return false;
    inside = cased(c);
    any |= inside;
  }
  return any;
}

}  // namespace assay::jinja
