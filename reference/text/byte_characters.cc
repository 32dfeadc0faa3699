#include "reference/text/byte_characters.h"

#include "reference/text/utf8.h"

namespace assay {

const std::array<char32_t, 256>& byte_characters() {
  static const std::array<char32_t, 256> kTable = [] {
    std::array<char32_t, 256> table{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      table[b] = printable ? b : next++;
    }
    return table;
  }();
  return kTable;
}

int byte_of_character(char32_t c) {
  static const std::array<std::int16_t, 324> kTable = [] {
    std::array<std::int16_t, 324> table{};
    table.fill(-1);
    for (std::size_t b = 0; b < 256; ++b) table.at(byte_characters()[b]) = static_cast<std::int16_t>(b);
    return table;
  }();
  return c < kTable.size() ? kTable[c] : -1;
}

std::string bytes_to_characters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  for (const char b : bytes) append_utf8(out, byte_characters()[static_cast<unsigned char>(b)]);
  return out;
}

std::optional<std::string> characters_to_bytes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const int byte = byte_of_character(c.code);
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
    at += c.bytes;
  }
  return out;
}

}  // namespace assay
