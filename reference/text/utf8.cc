#include "reference/text/utf8.h"

#include <utf8proc.h>

#include <array>

#include "base/check.h"

namespace assay {
namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xC0U) == 0x80U; }

// The bytes that may follow a lead byte (Unicode 15, table 3-7): length, and the range of the second byte.
struct Lead {
  std::uint8_t length, low, high;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Bytes of the well-formed start of a character at `at`; `lead` belongs to its first byte and is not empty.
std::size_t well_formed_prefix(std::string_view text, std::size_t at, const Lead& lead) {
  std::size_t n = 1;
  while (n < lead.length && at + n < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at + n]);
    const bool ok = n == 1 ? byte >= lead.low && byte <= lead.high : is_continuation(byte);
    if (!ok) break;
    ++n;
  }
  return n;
}

utf8proc_category_t category(char32_t code) { return utf8proc_category(static_cast<utf8proc_int32_t>(code)); }

// Where the `tokenizers` library's own tables say otherwise than Unicode 14.
struct Exception {
  char32_t first, last;
  char name;
};
constexpr Exception kExceptions[] = {
#include "reference/text/class_delta.inc"
};

bool excepted(char32_t c, char name) {
  if (c < 0x300) return false;
  for (const Exception& e : kExceptions) {
    if (c < e.first) return false;  // ascending by first
    if (c <= e.last && e.name == name) return true;
  }
  return false;
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, std::size_t at) {
  ASSAY_CHECK(at < text.size());
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {kReplacement, 1, false};
  const std::size_t n = well_formed_prefix(text, at, lead);
  if (n < lead.length) return {kReplacement, static_cast<std::uint8_t>(n), false};
  auto code = static_cast<char32_t>(first & (0xFFU >> (lead.length + 1U)));
  for (std::size_t i = 1; i < n; ++i) code = code << 6U | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  return {code, lead.length, true};
}

void append_utf8(std::string& out, char32_t code) {
  ASSAY_CHECK(code < 0x110000 && !(code >= 0xD800 && code < 0xE000));
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes.data());
  ASSAY_CHECK(n >= 1 && n <= 4);
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(n));
}

bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Char c = decode_utf8(text, at);
    if (!c.valid) return false;
    at += c.bytes;
  }
  return true;
}

std::string repair_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes, at);
    if (c.valid)
      out.append(bytes.substr(at, c.bytes));
    else
      append_utf8(out, kReplacement);
    at += c.bytes;
  }
  return out;
}

std::string repair_utf8_bytewise(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Char c = decode_utf8(bytes, at);
    const std::size_t used = c.valid ? c.bytes : 1;
    if (c.valid)
      out.append(bytes.substr(at, used));
    else
      append_utf8(out, kReplacement);
    at += used;
  }
  return out;
}

std::size_t count_characters(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t at = 0; at < text.size(); at += decode_utf8(text, at).bytes) ++n;
  return n;
}

std::size_t incomplete_tail_bytes(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const std::size_t at = bytes.size() - back;
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (is_continuation(byte)) continue;
    const Lead lead = lead_of(byte);
    const bool open = lead.length > back && well_formed_prefix(bytes, at, lead) == back;
    return open ? back : 0;
  }
  return 0;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
             (c >= 0x1F150 && c <= 0x1F169) ||
             (c >= 0x1F170 && c <= 0x1F189);  // joiners, Other_Alphabetic So
  }
}

bool is_numeric(char32_t c) {
  const auto k = category(c);
  const bool number = k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
  return number != excepted(c, 'N');
}

bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
           (c >= 0x7B && c <= 0x7E);
  const auto k = category(c);
  return (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO) != excepted(c, 'P');
}

bool is_other(char32_t c) {
  const auto k = category(c);
  const bool other = k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
  return other != excepted(c, 'C');
}

bool is_accent(char32_t c) { return (category(c) == UTF8PROC_CATEGORY_MN) != excepted(c, 'M'); }

}  // namespace assay
