#include "reference/text/spm_normalizer.h"

#include <fmt/format.h>

#include <cstring>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// One unit of a Darts-clone double array (s-yata/darts-clone, darts.h).
bool has_leaf(std::uint32_t unit) { return (unit >> 8U & 1U) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7FFFFFFFU; }
std::uint32_t label_of(std::uint32_t unit) { return unit & 0x800000FFU; }
std::uint32_t offset_of(std::uint32_t unit) { return unit >> 10U << ((unit & 0x200U) >> 6U); }

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view blob, const std::string& file) {
  Charsmap out;
  if (blob.empty()) return out;
  const auto broken = [&](std::string expected) {
    return Error{.code = Code::bad_value,
                 .message = "the table of normalizations is broken",
                 .file = file,
                 .field = "normalizer_spec.precompiled_charsmap",
                 .expected = std::move(expected),
                 .got = fmt::format("{} bytes", blob.size())};
  };
  std::uint32_t bytes = 0;
  if (blob.size() > kMaxCharsmapBytes) return broken(fmt::format("at most {} bytes", kMaxCharsmapBytes));
  if (blob.size() <= sizeof bytes) return broken("a size and a trie");
  std::memcpy(&bytes, blob.data(), sizeof bytes);
  if (bytes == 0 || bytes % sizeof(std::uint32_t) != 0 || bytes >= blob.size() - sizeof bytes)
    return broken("a trie of whole units and replacements after it");
  out.units_.resize(bytes / sizeof(std::uint32_t));
  std::memcpy(out.units_.data(), blob.data() + sizeof bytes, bytes);
  out.replacements_ = blob.substr(sizeof bytes + bytes);
  if (out.replacements_.back() != '\0' || !valid_utf8(out.replacements_))
    return broken("replacements in UTF-8, ended by a zero");
  return out;
}

// A trie from outside may point anywhere: every step is checked, and one step takes one byte of the text.
std::size_t Charsmap::longest(std::string_view text, std::size_t at, std::string_view& replacement) const {
  if (units_.empty()) return 0;
  std::size_t found = 0;
  std::uint32_t place = offset_of(units_[0]);
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    place ^= byte;
    if (place >= units_.size() || label_of(units_[place]) != byte) break;
    const std::uint32_t unit = units_[place];
    place ^= offset_of(unit);
    if (place >= units_.size()) break;
    if (!has_leaf(unit)) continue;
    const std::uint32_t value = value_of(units_[place]);
    if (value >= replacements_.size()) continue;
    found = i + 1 - at;
    replacement = std::string_view(replacements_.c_str() + value);
  }
  return found;
}

Result<SpmNormalizer> SpmNormalizer::from_parts(const TokenizerParts& parts) {
  SpmNormalizer out;
  ASSAY_TRY(out.charsmap_, Charsmap::parse(parts.charsmap, parts.file));
  std::vector<std::pair<std::string, int>> own;
  for (std::size_t i = 0; i < parts.types.size(); ++i) {
    if (parts.types[i] == TokenType::kUserDefined) own.emplace_back(parts.tokens[i], 0);
  }
  out.user_defined_ = Trie(std::move(own));
  out.add_dummy_prefix_ = parts.add_dummy_prefix;
  out.remove_extra_ = parts.remove_extra_whitespaces;
  out.escape_ = parts.escape_whitespaces;
  out.suffix_ = parts.whitespace_is_suffix;
  return out;
}

std::pair<std::string_view, std::size_t> SpmNormalizer::prefix(std::string_view text, std::size_t at) const {
  const Trie::Hit own = user_defined_.empty() ? Trie::Hit{} : user_defined_.longest(text, at);
  if (own.bytes > 0) return {text.substr(at, own.bytes), own.bytes};
  std::string_view replacement;
  const std::size_t n = charsmap_.longest(text, at, replacement);
  // A key may end within a character only in a broken table; the character then stays as it is.
  const std::size_t one = decode_utf8(text, at).bytes;
  if (n < one) return {text.substr(at, one), one};
  if (at + n < text.size() && (static_cast<unsigned char>(text[at + n]) & 0xC0U) == 0x80U)
    return {text.substr(at, one), one};
  return {replacement, n};
}

void SpmNormalizer::fold(std::string_view text, std::size_t at, std::string& out) const {
  bool after_space = remove_extra_;
  while (at < text.size()) {
    auto [piece, used] = prefix(text, at);
    at += used;
    while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
    for (const char c : piece) {
      if (escape_ && c == ' ')
        out += kSpaceMark;
      else
        out += c;
    }
    if (!piece.empty()) after_space = piece.ends_with(' ');
    if (!remove_extra_) after_space = false;
  }
}

void SpmNormalizer::apply(std::string& text) const {
  std::size_t at = 0;
  while (remove_extra_ && at < text.size()) {
    const auto [piece, used] = prefix(text, at);
    if (piece != " ") break;
    at += used;
  }
  if (at == text.size()) {
    text.clear();
    return;
  }
  const std::string_view space = escape_ ? kSpaceMark : std::string_view(" ");
  std::string out;
  out.reserve(text.size() + text.size() / 2 + space.size());
  if (!suffix_ && add_dummy_prefix_) out += space;
  fold(text, at, out);
  while (remove_extra_ && out.ends_with(space)) out.erase(out.size() - space.size());
  if (suffix_ && add_dummy_prefix_) out += space;
  text = std::move(out);
}

}  // namespace assay
