// Facts about languages that suites/ifeval/language.cc decides by: the words without which hardly a sentence is written, and letters of the
// alphabet that others lack.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

enum class Script : std::uint8_t {
  latin, cyrillic, arabic, devanagari, bengali, gurmukhi, gujarati, tamil, telugu, kannada, malayalam, thai, hangul, kana, han, greek, hebrew
};
inline constexpr std::size_t kScripts = 17;

// What is known of one language.
struct LanguageFacts {
  std::string_view code;
  Script script;
  std::string_view words;    // separated by blanks, lower case
  std::string_view letters;  // that mark it, lower case
  std::string_view endings;  // of its longer words, for texts of few function words
};

// All languages, those of a script side by side. The first of a script is taken where nothing speaks for any.
std::span<const LanguageFacts> language_facts();

}  // namespace assay
