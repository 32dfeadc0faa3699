// Log-likelihoods of texts, one JSON line each: what `assay loglikelihood` reads and writes.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/model/backend.h"
#include "reference/text/tokenizer.h"

namespace assay {

// What one line asks: one request, or one per window of a text that is longer than the context.
struct LikelihoodRequest {
  std::vector<ScoreRequest> windows;
  std::int64_t bytes = 0;      // of the continuation or the text, in UTF-8
  std::int64_t truncated = 0;  // tokens cut on the left
};

// {"context": s, "continuation": s} or {"text": s}, as eval/runs/requests.h builds them under BosPolicy::tokenizer. `context_length`: tokens that the
// model can be given; the last scored one is not given.
Result<LikelihoodRequest> likelihood_request(const Tokenizer& tokenizer, const Json& line,
                                             std::int64_t context_length);

// The same line for a server that splits texts itself: what does not fit is its own affair.
Result<LikelihoodRequest> text_likelihood_request(const Json& line);

// One line of output: logprob, greedy, tokens, bytes, truncated.
Json likelihood_line(const LikelihoodRequest& request, std::span<const ScoreAnswer> answers);

}  // namespace assay
