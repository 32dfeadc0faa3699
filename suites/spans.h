// Exact match and F1 of short answers against one or more golds, as the benchmarks' own scripts compute them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace assay {

struct SpanScore {
  bool exact = false;
  double f1 = 0;
};

// SQuAD 1.1's evaluate-v1.1.py: case, punctuation, the articles a, an, the and blanks are taken off; F1 over the bags of words; the
// best of the golds.
SpanScore squad_score(std::string_view answer, const std::vector<std::string>& golds);

// TriviaQA's evaluation/triviaqa_evaluation.py: likewise, but punctuation (the typographic quotes too) and _ become blanks.
SpanScore triviaqa_score(std::string_view answer, const std::vector<std::string>& golds);

// DROP's drop_eval.py (Dua et al. 2019): answers and golds have one span or more, a line each. Words split at blanks and hyphens, numbers
// compared as numbers ("1,5" is none); a gold with numbers needs one of them in the answer; spans are paired one to one so that the mean
// F1 over the longer side is largest; rounded to two digits.
SpanScore drop_score(std::string_view answer, const std::vector<std::string>& golds);

}  // namespace assay
