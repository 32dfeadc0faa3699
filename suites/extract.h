// Extractors: from what a model wrote to the answer in it. A protocol names a chain of them; the first that
// finds something wins. Text that may have any size is read in one pass, no pattern backtracks without a
// limit.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

// The names that an ExtractorLink may have, sorted.
//   all               everything, blanks trimmed
//   boxed             the content of the last \boxed{...}, braces matched
//   code           a program: the ``` block that defines something, else the first one, else everything
//   first-match       the first match of `pattern`: the first group that is not empty, or the whole, blanks trimmed
//                     (lm-evaluation-harness's regex filter); last-match likewise
//   first-regex       group 1 (or the whole) of the first match of `pattern` (PCRE2, UTF-8)
//   last-regex        likewise of the last match
//   first-number      the first number; , between digits, $ and % are understood
//   last-number       the last one
//   after-hashes      what follows the last "####" on its line
//   after-marker      what follows the last occurrence of `pattern` on its line, blanks and a full stop trimmed
//   json-field        the member `pattern` of the last complete JSON object in the text
//   json-field-any    likewise, and an empty text is an answer (a program may return one)
//   json-field-loose  the value after the key `pattern` where the object is broken or does not end
//   json-field-loose-any  likewise, and an empty text is an answer
//   first-json-field  the member `pattern` of the first outermost {...} that closes, line breaks dropped, as Python's str() shows it; an
//                     empty text, null and false are answers (ZeroEval, src/evaluation/eval_utils.py)
//   guess             nothing; see suites/guess.h: letters of `pattern` are drawn where the chain has found nothing
//   first-letter      the first lone capital letter A to J
//   last-letter       the last one
//   whole             everything, blanks too
const std::vector<std::string_view>& extractor_names();
bool extractor_needs_pattern(std::string_view function);

// Refuses an unknown function, a missing pattern, a pattern that does not compile.
Status check_extractor(const ExtractorLink& link, std::string_view file);

struct Extracted {
  std::string answer;
  std::string by;         // the function that found it
  bool fallback = false;  // that link was marked as one
};

// No value: no link of the chain found anything. An empty answer counts as nothing found, but for
// the two that say otherwise.
// `model` is who wrote it, for links that are there for some models only.
std::optional<Extracted> extract(const std::vector<ExtractorLink>& chain, std::string_view output,
                                 std::string_view model = {});

}  // namespace assay
