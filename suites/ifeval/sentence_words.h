// The words that suites/ifeval/sentences.cc decides by. Lower case, without the final full stop.
#pragma once
#include <string_view>

#include "suites/ifeval/sentences.h"

namespace assay {

bool is_abbreviation(std::string_view word, TextLanguage language);
// Words that are written small inside sentences and often begin one: articles, pronouns, conjunctions, adverbs.
bool is_common_word(std::string_view word, TextLanguage language);

}  // namespace assay
