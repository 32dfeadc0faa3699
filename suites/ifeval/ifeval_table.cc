#include "suites/ifeval/ifeval.h"
#include "suites/ifeval/ifeval_checks.h"

namespace assay {

using namespace ifeval;

const std::vector<InstructionKind>& instruction_kinds() {
  static const std::vector<InstructionKind> kKinds = {
      {"change_case:capital_word_frequency", "en fr es", "capital_frequency", "capital_relation", "", "", has_capital_words},
      {"change_case:english_capital", "en", "", "", "", "", is_all_capital},
      {"change_case:english_lowercase", "en", "", "", "", "", is_all_lowercase},
      {"change_case:french_capital", "fr", "", "", "", "", is_all_capital},
      {"change_case:french_lowercase", "fr", "", "", "", "", is_all_lowercase},
      {"change_case:spanish_capital", "es", "", "", "", "", is_all_capital},
      {"change_case:spanish_lowercase", "es", "", "", "", "", is_all_lowercase},
      {"combination:repeat_prompt", "en fr es", "", "", "prompt_to_repeat", "", repeats_prompt},
      {"combination:two_responses", "en fr es", "", "", "", "", gives_two_responses},
      {"detectable_content:informal_address", "fr", "", "", "", "", is_informal},
      {"detectable_content:no_digits", "fr", "", "", "", "", has_no_digits},
      {"detectable_content:number_placeholders", "en fr es", "num_placeholders", "", "", "", has_placeholders},
      {"detectable_content:postscript", "en fr es", "", "", "postscript_marker", "", has_postscript},
      {"detectable_format:constrained_response", "en fr es", "", "", "", "", gives_option},
      {"detectable_format:json_format", "en fr es", "", "", "", "", is_json},
      {"detectable_format:multiple_sections", "en fr es", "num_sections", "", "section_spliter", "", has_sections},
      {"detectable_format:number_bullet_lists", "en fr es", "num_bullets", "", "", "", has_bullets},
      {"detectable_format:number_highlighted_sections", "en fr es", "num_highlights", "", "", "", has_highlights},
      {"detectable_format:title", "en fr es", "", "", "", "", has_title},
      {"keywords:existence", "en fr es", "", "", "", "keywords", has_keywords},
      {"keywords:forbidden_words", "en fr es", "", "", "", "forbidden_words", has_no_forbidden_words},
      {"keywords:frequency", "en fr es", "frequency", "relation", "keyword", "", has_keyword_often},
      {"keywords:letter_frequency", "en fr es", "let_frequency", "let_relation", "letter", "", has_letter_often},
      {"language:response_language", "en fr es", "", "", "language", "", is_in_language},
      {"length_constraints:nth_paragraph_first_word", "en fr es", "num_paragraphs", "", "first_word", "", has_first_word},
      {"length_constraints:number_paragraphs", "en fr es", "num_paragraphs", "", "", "", has_paragraphs},
      {"length_constraints:number_sentences", "en fr es", "num_sentences", "relation", "", "", has_sentences},
      {"length_constraints:number_words", "en fr es", "num_words", "relation", "", "", has_words},
      {"punctuation:exclamation_marks", "es", "", "", "", "", has_exclamation},
      {"punctuation:no_comma", "en fr es", "", "", "", "", has_no_comma},
      {"punctuation:question_marks", "es", "", "", "", "", has_question},
      {"special_character:accents", "fr", "", "", "", "", has_right_accents},
      {"special_character:dieresis", "es", "let_frequency", "", "", "", has_words_with_dieresis},
      {"special_character:enie", "es", "let_frequency", "", "", "", has_words_with_enie},
      {"special_character:ethel_or_cedilla", "fr", "", "", "forbidden_char", "", lacks_character},
      {"special_character:no_accents", "fr", "", "", "", "", has_no_accents},
      {"special_character:tildes", "es", "num_words", "relation", "", "", has_words_with_tilde},
      {"startend:end_checker", "en fr es", "", "", "end_phrase", "", ends_with_phrase},
      {"startend:quotation", "en fr es", "", "", "", "", is_quoted},
  };
  return kKinds;
}

}  // namespace assay
