// The checks behind the table in suites/ifeval/ifeval_table.cc. Each tells whether a response follows an instruction; rules in suites/ifeval/ifeval.h.
#pragma once
#include <string_view>

#include "suites/ifeval/ifeval.h"

namespace assay::ifeval {

bool holds(std::int64_t n, const Instruction& instruction);  // n against number and relation

// ifeval_format.cc: what can be seen without reading
bool has_placeholders(const Instruction& instruction, std::string_view response);
bool has_bullets(const Instruction& instruction, std::string_view response);
bool has_highlights(const Instruction& instruction, std::string_view response);
bool has_sections(const Instruction& instruction, std::string_view response);
bool has_title(const Instruction& instruction, std::string_view response);
bool is_json(const Instruction& instruction, std::string_view response);
bool is_quoted(const Instruction& instruction, std::string_view response);
bool has_postscript(const Instruction& instruction, std::string_view response);
bool has_question(const Instruction& instruction, std::string_view response);
bool has_exclamation(const Instruction& instruction, std::string_view response);

// ifeval_parts.cc: paragraphs, sentences, whole answers
bool has_paragraphs(const Instruction& instruction, std::string_view response);
bool has_first_word(const Instruction& instruction, std::string_view response);
bool has_sentences(const Instruction& instruction, std::string_view response);
bool has_words(const Instruction& instruction, std::string_view response);
bool gives_option(const Instruction& instruction, std::string_view response);
bool gives_two_responses(const Instruction& instruction, std::string_view response);
bool repeats_prompt(const Instruction& instruction, std::string_view response);
bool ends_with_phrase(const Instruction& instruction, std::string_view response);

// ifeval_words.cc: words, letters, case, language
bool has_keywords(const Instruction& instruction, std::string_view response);
bool has_no_forbidden_words(const Instruction& instruction, std::string_view response);
bool has_keyword_often(const Instruction& instruction, std::string_view response);
bool has_letter_often(const Instruction& instruction, std::string_view response);
bool has_no_comma(const Instruction& instruction, std::string_view response);
bool has_capital_words(const Instruction& instruction, std::string_view response);
bool is_all_capital(const Instruction& instruction, std::string_view response);
bool is_all_lowercase(const Instruction& instruction, std::string_view response);
bool is_in_language(const Instruction& instruction, std::string_view response);

// ifeval_marks.cc: French and Spanish letters
bool is_informal(const Instruction& instruction, std::string_view response);
bool has_no_digits(const Instruction& instruction, std::string_view response);
bool has_right_accents(const Instruction& instruction, std::string_view response);
bool has_no_accents(const Instruction& instruction, std::string_view response);
bool lacks_character(const Instruction& instruction, std::string_view response);
bool has_words_with_enie(const Instruction& instruction, std::string_view response);
bool has_words_with_dieresis(const Instruction& instruction, std::string_view response);
bool has_words_with_tilde(const Instruction& instruction, std::string_view response);

// The regular expression of an instruction's text or word, which a check builds anew for each response and the cache keeps.
std::string section_pattern(const Instruction& instruction);
std::string postscript_pattern(const Instruction& instruction);
std::string keyword_pattern(std::string_view keyword);
std::string whole_word_pattern(std::string_view word);

}  // namespace assay::ifeval
