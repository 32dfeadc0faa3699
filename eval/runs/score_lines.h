// `assay score`: JSON lines {"id", "output", "gold"} in, {"id", "extracted", "correct", "by", "why"} out.
#pragma once
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "suites/suite.h"

namespace assay {

// One result a line. A missing gold is looked up in the suite by id; without one `correct` is null. A missing output is wrong. A line
// that is no object is refused. Programs run in the sandbox on `threads` threads.
Result<std::string> score_lines(const Suite& suite, const Protocol& protocol, std::string_view text,
                                std::string_view file, int threads = 1);

}  // namespace assay
