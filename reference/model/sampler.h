// From a row of logits to the next token. Draws come from a counter-based stream, so batching cannot change them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "reference/model/backend.h"

namespace assay {

// Ranges of the options: temperature >= 0, 0 < top_p <= 1, 0 <= min_p <= 1, repetition_penalty > 0 and so on.
Status check_generate_options(const GenerateOptions& options);

// Order as in transformers: repetition penalty on every id of `seen` (logits above 0 divided, others multiplied), then the arg-max, or:
// temperature, top_k, top_p (the smallest set of the likeliest tokens whose share reaches it), min_p (share of the likeliest).
// Ties go to the lower id everywhere. One uniform number of `stream` is used per drawn token, none for the arg-max.
std::int32_t next_token(std::span<const float> logits, std::span<const std::int32_t> seen,
                        const GenerateOptions& options, Stream& stream);

}  // namespace assay
