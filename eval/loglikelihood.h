// Log-likelihoods of texts as lm-evaluation-harness 0.4 defines them (lm_eval/api/model.py loglikelihood and _encode_pair,
// lm_eval/utils.py get_rolling_token_windows, lm_eval/models/huggingface.py tok_encode).
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

// `context_length`: tokens that the model can be given; the last scored one is not given.
Result<LikelihoodRequest> pair_request(const Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t context_length);
// Every token of the text once, each given as many before it as fit, the first one BOS, else EOS.
Result<LikelihoodRequest> rolling_request(const Tokenizer& tokenizer, std::string_view text,
                                          std::int64_t context_length);

// {"context": s, "continuation": s} or {"text": s}.
Result<LikelihoodRequest> likelihood_request(const Tokenizer& tokenizer, const Json& line,
                                             std::int64_t context_length);

// Bytes at the end of `text` that Python's str.rstrip takes away.
std::size_t trailing_space_bytes(std::string_view text);

// One line of output: logprob, greedy, tokens, bytes, truncated.
Json likelihood_line(const LikelihoodRequest& request, std::span<const ScoreAnswer> answers);

}  // namespace assay
