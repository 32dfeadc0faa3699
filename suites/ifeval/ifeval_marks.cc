#include <algorithm>

#include "base/check.h"
#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"
#include "suites/ifeval/ifeval_checks.h"
#include "suites/python_text.h"
#include "suites/regex.h"

namespace assay::ifeval {
namespace {

// M-IFEval's list: Latin-1 letters with a mark, in both cases (a capital Ÿ is not in it).
constexpr std::u32string_view kAccented = U"àáâãäåçèéêëìíîïñòóôõöùúûüýÿÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝ";
constexpr std::u32string_view kTildes = U"áéíóúÁÉÍÓÚ";

template <class Wanted>
bool any_character(std::string_view text, Wanted wanted) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    if (c.valid && wanted(c.code)) return true;
    at += c.bytes;
  }
  return false;
}

template <class Wanted>
std::int64_t count_words_with(std::string_view text, Wanted wanted) {
  const auto words = python::word_runs(text);
  return std::count_if(words.begin(), words.end(), [&](std::string_view word) { return any_character(word, wanted); });
}

// remove_accents of the original: compatibility forms without their combining marks.
std::string bare_word(std::string word) {
  to_form(word, true, false);
  return without_marks(word);
}

}  // namespace

bool is_informal(const Instruction&, std::string_view response) {
  const Regex* regex = cached_regex("(*UCP)(?i)\\b(?:tu|te|toi|ton|ta|tes)\\b|\\bt'\\b");
  ASSAY_CHECK(regex != nullptr);
  return regex->first(response).has_value();
}

bool has_no_digits(const Instruction&, std::string_view response) {
  return !any_character(response, [](char32_t c) { return python::is_decimal(c); });
}

bool has_right_accents(const Instruction& instruction, std::string_view response) {
  const std::string text = python::lower(response);
  for (const auto word : python::word_runs(text)) {
    const std::string bare = bare_word(std::string(word));
    const auto known = std::find_if(instruction.spellings.begin(), instruction.spellings.end(), [&](const auto& s) { return s.first == bare; });
    if (known != instruction.spellings.end() && known->second != word) return false;
  }
  return true;
}

bool has_no_accents(const Instruction&, std::string_view response) {
  return !any_character(response, [](char32_t c) { return kAccented.find(c) != std::u32string_view::npos; });
}

bool lacks_character(const Instruction& instruction, std::string_view response) {
  return python::lower(response).find(python::lower(instruction.text)) == std::string::npos;
}

bool has_words_with_enie(const Instruction& instruction, std::string_view response) {
  return count_words_with(response, [](char32_t c) { return c == U'ñ' || c == U'Ñ'; }) == instruction.number;
}

bool has_words_with_dieresis(const Instruction& instruction, std::string_view response) {
  return count_words_with(response, [](char32_t c) { return c == U'ü' || c == U'Ü'; }) == instruction.number;
}

bool has_words_with_tilde(const Instruction& instruction, std::string_view response) {
  return holds(count_words_with(response, [](char32_t c) { return kTildes.find(c) != std::u32string_view::npos; }), instruction);
}

}  // namespace assay::ifeval
