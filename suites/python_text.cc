#include "suites/python_text.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/check.h"
#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"

namespace assay::python {
namespace {

struct Range {
  char32_t first, last;
};

// Cased characters that are no letters Lu or Ll: Other_Uppercase and Other_Lowercase of PropList.txt.
constexpr Range kOtherUpper[] = {{0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
constexpr Range kOtherLower[] = {{0xAA, 0xAA},     {0xBA, 0xBA},     {0x2B0, 0x2B8},   {0x2C0, 0x2C1},   {0x2E0, 0x2E4},   {0x345, 0x345},
                                 {0x37A, 0x37A},   {0x1D2C, 0x1D6A}, {0x1D78, 0x1D78}, {0x1D9B, 0x1DBF}, {0x2071, 0x2071}, {0x207F, 0x207F},
                                 {0x2090, 0x209C}, {0x2170, 0x217F}, {0x24D0, 0x24E9}, {0x2C7C, 0x2C7D}, {0xA69C, 0xA69D}, {0xA770, 0xA770}};

template <std::size_t n>
bool in(const Range (&ranges)[n], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const Range& r) { return code >= r.first && code <= r.last; });
}

utf8proc_category_t category(char32_t code) { return utf8proc_category(static_cast<utf8proc_int32_t>(code)); }

// Whether all cased characters are of the case that `wanted` accepts.
template <class WantedClass>
bool all_cased(std::string_view text, WantedClass wanted) {
  bool cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    at += c.bytes;
    if (!c.valid) continue;
    const bool title = category(c.code) == UTF8PROC_CATEGORY_LT;
    if (!title && wanted(c.code)) cased = true;
    else if (title || is_upper(c.code) || is_lower(c.code)) return false;
  }
  return cased;
}

std::size_t blanks_before(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!is_space(c.code)) break;
    at += c.bytes;
  }
  return at;
}

std::size_t blanks_after(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    const Utf8Char c = decode_utf8(text, begin);
    if (begin + c.bytes != end || !is_space(c.code)) break;
    end = begin;
  }
  return end;
}

// The longest runs of characters that `inside` accepts.
template <class Inside>
std::vector<std::string_view> runs(std::string_view text, Inside inside) {
  std::vector<std::string_view> out;
  std::size_t begin = 0, at = 0;
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!inside(c)) {
      if (at > begin) out.push_back(text.substr(begin, at - begin));
      begin = at + c.bytes;
    }
    at += c.bytes;
  }
  if (at > begin) out.push_back(text.substr(begin));
  return out;
}

}  // namespace

bool is_space(char32_t code) { return (code >= 0x1C && code <= 0x1F) || assay::is_space(code); }

bool is_alphanumeric(char32_t code) {
  switch (category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(char32_t code) { return category(code) == UTF8PROC_CATEGORY_ND; }
bool is_upper(char32_t code) { return category(code) == UTF8PROC_CATEGORY_LU || in(kOtherUpper, code); }
bool is_lower(char32_t code) { return category(code) == UTF8PROC_CATEGORY_LL || in(kOtherLower, code); }

bool is_upper(std::string_view text) {
  return all_cased(text, [](char32_t c) { return is_upper(c); });
}

bool is_lower(std::string_view text) {
  return all_cased(text, [](char32_t c) { return is_lower(c); });
}

std::string_view strip(std::string_view text) {
  text = text.substr(0, blanks_after(text));
  return text.substr(blanks_before(text));
}

std::string_view strip(std::string_view text, std::string_view chars) {
  const auto begin = text.find_first_not_of(chars);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(chars) - begin + 1);
}

std::string lower(std::string_view text) { return lowercase(valid_utf8(text) ? std::string(text) : repair_utf8(text)); }

std::vector<std::string_view> split(std::string_view text) {
  return runs(text, [](const Utf8Char& c) { return !is_space(c.code); });
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  ASSAY_CHECK(!separator.empty());
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + separator.size());
  }
}

std::vector<std::string_view> word_runs(std::string_view text) {
  return runs(text, [](const Utf8Char& c) { return c.valid && (c.code == '_' || is_alphanumeric(c.code)); });
}

std::string remove_all(std::string_view text, char c) {
  std::string out(text);
  std::erase(out, c);
  return out;
}

bool is_blank(std::string_view text) { return strip(text).empty(); }

}  // namespace assay::python
