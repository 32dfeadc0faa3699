// How the parts of a claim that joins several measurements are read.
#pragma once
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "eval/claims/claim.h"

namespace assay::claim_fields {

// "parts", "others", "weights_format" and "unknown"; a single figure in a metric of sub-tasks or of parts of items becomes a claim of one part.
// Refused: no part or too many, one without a suite, the same one twice, weights that are not positive or of two kinds.
Status read_parts_of(const Json& in, const std::string& file, Claim& claim);

}  // namespace assay::claim_fields
