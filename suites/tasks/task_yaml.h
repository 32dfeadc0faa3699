// A task of lm-evaluation-harness as its YAML file says it, with what it includes.
#pragma once
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace assay {

// The file's mapping, values typed as PyYAML types them; what `include` names (beside the file, or an absolute path) lies under it. Refused: Python
// (`!function` and other tags, named with the member that holds it), two values under one key, nesting and sizes beyond reason.
Result<Json> read_task_yaml(const std::string& path);

// The same of one text without includes, for tests; `file` is for errors.
Result<Json> parse_task_yaml(const std::string& text, const std::string& file);

}  // namespace assay
