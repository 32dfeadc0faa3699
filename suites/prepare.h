// What published harnesses do to the rows of one data set before they are put into a template, by name:
//   hellaswag  question = activity_label + ": " + ctx_a + " " + Ctx_b; it and the endings are trimmed, " [title]" becomes ". ", what stands
//              in square brackets is dropped, two blanks become one (lm_eval/tasks/hellaswag/utils.py). Reads the extra fields
//              activity_label, ctx_a and ctx_b.
#pragma once
#include <string_view>

#include "base/result.h"
#include "suites/suite.h"

namespace assay {

bool is_preparation(std::string_view name);

// Refused: an item that lacks what the preparation reads.
Status prepare_item(std::string_view name, Item& item);

}  // namespace assay
