// What a protocol makes of an output before and after extraction: thinking that is cut, answers that were cut off, empty ones.
#pragma once
#include <optional>
#include <string_view>

#include "suites/suite.h"

namespace assay {

// The part of an output that extractors read: what follows the last Thinking::end, blanks at its beginning taken off (as
// lm-evaluation-harness does it, lm_eval/models/utils.py postprocess_generated_text). No value: the protocol
// demands the end of the thinking and it is not there.
std::optional<std::string_view> answer_part(const Protocol& protocol, std::string_view output);

// How an output counts before anything is extracted: as_is where only the extractors decide. `truncated`: it ended at the token limit.
Unusable usability(const Protocol& protocol, std::string_view output, bool truncated);

}  // namespace assay
