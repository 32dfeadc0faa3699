#include "reference/text/unicode_forms.h"

#include <utf8proc.h>

#include <array>
#include <bitset>
#include <cstdlib>
#include <memory>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr char32_t kCodes = 0x110000;

// Unstable characters: that may change, or be changed by what stands before them, when text is brought to NFC: those with a
// combining class, those whose own NFC is another text, and those that end the decomposition of some character
// (and so may be composed with their predecessor).
using Codes = std::bitset<kCodes>;

bool decomposes(char32_t c, std::array<utf8proc_int32_t, 32>& parts, std::size_t& count) {
  int boundary = 0;
  const auto n = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &boundary);
  ASSAY_CHECK(n > 0 && n <= static_cast<utf8proc_ssize_t>(parts.size()));
  count = static_cast<std::size_t>(n);
  return count != 1 || parts[0] != static_cast<utf8proc_int32_t>(c);
}

std::unique_ptr<const Codes> unstable_codes() {
  auto out = std::make_unique<Codes>();
  std::array<utf8proc_int32_t, 32> parts{};
  for (char32_t c = 0x80; c < kCodes; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if (property->combining_class != 0) out->set(c);
    std::size_t n = 0;
    if (!decomposes(c, parts, n)) continue;
    // What decomposes to one character only never comes back; what comes back was composed of a last part.
    std::string text;
    append_utf8(text, c);
    const std::string before = text;
    to_form(text, false, true);
    if (text != before) out->set(c);
    out->set(static_cast<std::size_t>(parts[n - 1]));
  }
  for (char32_t c = 0x1161; c <= 0x11C2; ++c) out->set(c);  // Hangul vowels and finals
  return out;
}

const Codes& unstable() {
  static const std::unique_ptr<const Codes> kUnstable = unstable_codes();
  return *kUnstable;
}

// The first place from `at` where a character is unstable, or the end; `stable` is where the stable character
// before it begins, if one was passed.
std::size_t next_unstable(std::string_view text, std::size_t at, std::size_t& stable) {
  const Codes& codes = unstable();
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    const Utf8Char c = first < 0x80 ? Utf8Char{first, 1, true} : decode_utf8(text, at);
    if (codes[c.code]) return at;
    stable = at;
    at += c.bytes;
  }
  return at;
}

std::size_t next_stable(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Utf8Char c = decode_utf8(text, at);
    if (!unstable()[c.code]) return at;
    at += c.bytes;
  }
  return at;
}

}  // namespace

void to_form(std::string& text, bool compatible, bool compose) {
  unsigned options = UTF8PROC_STABLE | static_cast<unsigned>(compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  if (compatible) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* out = nullptr;
  const auto n =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out, static_cast<utf8proc_option_t>(options));
  ASSAY_CHECK(n >= 0);  // valid UTF-8 and enough memory
  text.assign(reinterpret_cast<const char*>(out), static_cast<std::size_t>(n));
  std::free(out);
}

// A stable character never changes for what stands before it, so text may be normalized from one to the next.
void to_nfc(std::string& text) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t begin = at;
    const std::size_t hit = next_unstable(text, at, begin);
    if (hit == text.size()) break;
    const std::size_t end = next_stable(text, hit);
    std::string part = text.substr(begin, end - begin);
    to_form(part, false, true);
    out.append(text, done, begin - done);
    out += part;
    done = at = end;
  }
  if (done == 0) return;
  out.append(text, done);
  text = std::move(out);
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    at += c.bytes;
    if (c.code == 0x130)
      out += "i\xCC\x87";  // the only full mapping of one character to two
    else
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code))));
  }
  return out;
}

std::string without_marks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (!is_accent(c.code)) out.append(text.substr(at, c.bytes));
    at += c.bytes;
  }
  return out;
}

bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace assay
