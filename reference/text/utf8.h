// UTF-8: the text that tokenizers and templates work on, and the character classes they ask for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

// One character of valid or broken UTF-8. Broken bytes give `code` kReplacement and the length of the maximal
// ill-formed part (Unicode 15, section 3.9, "U+FFFD Substitution of Maximal Subparts"), never 0 before the
// end.
struct Utf8Char {
  char32_t code = 0;
  std::uint8_t bytes = 0;  // 1 to 4
  bool valid = false;
};
inline constexpr char32_t kReplacement = 0xFFFD;

Utf8Char decode_utf8(std::string_view text, std::size_t at);  // at < text.size()
void append_utf8(std::string& out, char32_t code);            // code is a Unicode scalar value
bool valid_utf8(std::string_view text);
std::string repair_utf8(std::string_view bytes);  // ill-formed parts become U+FFFD
std::string repair_utf8_bytewise(
    std::string_view bytes);  // every byte of ill-formed parts becomes one U+FFFD
std::size_t count_characters(std::string_view text);

// How many bytes at the end of `bytes` may be the start of a character whose rest is still to come (0 to 3).
std::size_t incomplete_tail_bytes(std::string_view bytes);

bool is_space(char32_t code);        // property White_Space
bool is_word(char32_t code);         // letters, marks, decimal digits, connectors, joiners: \w of Unicode
bool is_numeric(char32_t code);      // categories Nd, Nl, No
bool is_punctuation(char32_t code);  // categories P*, and all ASCII punctuation
bool is_other(char32_t code);        // categories Cc, Cf, Co
bool is_accent(char32_t code);       // category Mn

}  // namespace assay
