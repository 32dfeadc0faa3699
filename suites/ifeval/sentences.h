// How many sentences a text has, and which words stand in it, as the published IFEval checkers count them.
//
// English and French: the Punkt rules (Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection", section 4) as
// NLTK applies them: a full stop ends a sentence unless its word is an abbreviation, an initial or a number, and then by what follows. NLTK
// decides with word statistics trained on newspapers; here short lists of abbreviations and of words that often begin sentences stand in their place.
// Spanish: the original takes spaCy's parser (es_core_news_sm). Its sentences never go over a line's end and never begin at a list's
// number or bullet; inside a line the Punkt rules are used.
// Measured against stored labels: tests/golden/test_ifeval_files.cc.
#pragma once
#include <cstdint>
#include <string_view>

namespace assay {

enum class TextLanguage : std::uint8_t { english, french, spanish };

std::int64_t count_sentences(std::string_view text, TextLanguage language);

// Words: runs of \w (NLTK's RegexpTokenizer).
std::int64_t count_words(std::string_view text);

// Tokens of NLTK's word_tokenize (Penn Treebank rules) that str.isupper accepts: "DON'T" is two, "A-B" one.
std::int64_t count_capital_tokens(std::string_view text);

}  // namespace assay
