#include <array>
#include <cstdint>

#include "base/check.h"
#include "reference/text/rank_files.h"

namespace assay {
namespace {

constexpr std::uint8_t kNone = 64;

constexpr std::array<std::uint8_t, 256> kValue = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    table[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  return table;
}();

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    const std::size_t padding = !last || text[at + 3] != '=' ? 0 : text[at + 2] == '=' ? 2 : 1;
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t v =
          i < 4 - padding ? kValue[static_cast<unsigned char>(text[at + i])] : std::uint8_t{0};
      if (v == kNone) return std::nullopt;
      word = word << 6U | v;
    }
    for (std::size_t i = 0; i < 3 - padding; ++i) out += static_cast<char>(word >> (16 - 8 * i) & 0xFFU);
    if (padding > 0 && (word & (padding == 2 ? 0xFFFFU : 0xFFU)) != 0)
      return std::nullopt;  // bits that say nothing
  }
  return out;
}

}  // namespace assay
