// Puts faults into a source text as run-time switches: an expression becomes
// `(assay_planted_fault == 17u ? (wrong) : (right))`, a statement an if. The product's own sources stay clean.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tests/mutants/fault_list.h"

namespace assay::mutants {

// Where `anchor` stands in text[begin, end), as pairs (begin, end). Blanks and line breaks do not count on
// either side, so that reformatting does not hide an anchor; it begins and ends where words do.
struct Place {
  std::size_t begin = 0, end = 0;
};
std::vector<Place> places_of(std::string_view text, std::string_view anchor, Place where);

// `source` with the edits of `file` planted, lines numbered as before. An anchor that is not there exactly
// once, or that overlaps another without lying inside it, is Code::bad_value naming the anchor.
Result<std::string> plant(std::string_view source, const std::string& file, const std::vector<Edit>& edits);

}  // namespace assay::mutants
