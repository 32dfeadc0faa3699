#include <algorithm>

#include "base/check.h"
#include "suites/ifeval/ifeval_checks.h"
#include "suites/ifeval/language.h"
#include "suites/python_text.h"
#include "suites/regex.h"

namespace assay::ifeval {
namespace {

bool finds(const std::string& pattern, std::string_view text) {
  const Regex* regex = cached_regex(pattern);
  ASSAY_CHECK(regex != nullptr);
  return regex->first(text).has_value();
}

std::string_view code_of(TextLanguage language) {
  switch (language) {
    case TextLanguage::english:
      return "en";
    case TextLanguage::french:
      return "fr";
    case TextLanguage::spanish:
      return "es";
  }
  return "en";
}

bool written_in(std::string_view text, std::string_view code) {
  const std::string_view detected = detect_language(text);
  return detected.empty() || detected == code;
}

}  // namespace

std::string keyword_pattern(std::string_view keyword) { return "(*UCP)(?i)" + std::string(keyword); }
std::string whole_word_pattern(std::string_view word) { return "(*UCP)(?i)\\b" + std::string(word) + "\\b"; }

bool has_keywords(const Instruction& instruction, std::string_view response) {
  return std::all_of(instruction.words.begin(), instruction.words.end(),
                     [&](const std::string& keyword) { return finds(keyword_pattern(keyword), response); });
}

bool has_no_forbidden_words(const Instruction& instruction, std::string_view response) {
  return std::none_of(instruction.words.begin(), instruction.words.end(),
                      [&](const std::string& word) { return finds(whole_word_pattern(word), response); });
}

bool has_keyword_often(const Instruction& instruction, std::string_view response) {
  const Regex* regex = cached_regex(keyword_pattern(python::strip(instruction.text)));
  ASSAY_CHECK(regex != nullptr);
  return holds(regex->count(response), instruction);
}

bool has_letter_often(const Instruction& instruction, std::string_view response) {
  const std::string letter = python::lower(instruction.text);
  return holds(static_cast<std::int64_t>(python::split(python::lower(response), letter).size()) - 1, instruction);
}

bool has_no_comma(const Instruction&, std::string_view response) { return response.find(',') == std::string_view::npos; }

bool has_capital_words(const Instruction& instruction, std::string_view response) {
  if (instruction.language != TextLanguage::spanish) return holds(count_capital_tokens(response), instruction);
  const auto words = python::word_runs(response);
  return holds(std::count_if(words.begin(), words.end(), [](std::string_view w) { return python::is_upper(w); }), instruction);
}

bool is_all_capital(const Instruction& instruction, std::string_view response) {
  return python::is_upper(response) && written_in(response, code_of(instruction.language));
}

bool is_all_lowercase(const Instruction& instruction, std::string_view response) {
  return python::is_lower(response) && written_in(response, code_of(instruction.language));
}

bool is_in_language(const Instruction& instruction, std::string_view response) { return written_in(response, instruction.text); }

}  // namespace assay::ifeval
