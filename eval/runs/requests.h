// From texts to what a backend scores, as lm-evaluation-harness 0.4.13 does it (lm_eval/api/model.py `_encode_pair` and
// `loglikelihood`, lm_eval/utils.py `get_rolling_token_windows`, lm_eval/models/huggingface.py `tok_encode`):
// trailing white space of a context moves to the continuation, both are encoded together and split at the length of the context's own
// encoding; what does not fit is cut on the left.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/model/backend.h"
#include "reference/text/tokenizer.h"
#include "suites/suite.h"

namespace assay {

struct TextLimits {
  std::int64_t context_tokens = 0;  // max_position_embeddings: inputs of the model, the scored last token not counted
  InputCut cut = InputCut::left;    // what a context that is too long loses; refuse: Code::too_large
};

// Ids of a text under a BOS policy. `one`: exactly one BOS, also where the text itself begins with it. `none`: nothing is added.
// `tokenizer`: what the tokenizer adds by itself, nothing if the text begins with BOS. Refused: `one` without a BOS in the tokenizer.
Result<std::vector<std::int32_t>> text_ids(const Tokenizer& tokenizer, std::string_view text, BosPolicy bos);

// Cuts a prompt to limits.context_tokens and gives the number of tokens that were lost.
Result<std::int64_t> cut_prompt(std::vector<std::int32_t>& ids, const TextLimits& limits);

struct ContinuationRequest {
  ScoreRequest score;
  std::int64_t truncated_tokens = 0;  // cut on the left
};

// An empty context is BOS, else EOS. Refused: an empty continuation, one longer than the context, a tokenizer without BOS and EOS.
Result<ContinuationRequest> continuation_request(const Tokenizer& tokenizer, std::string_view context, std::string_view continuation,
                                                 BosPolicy bos, const TextLimits& limits);

// The same for a server that splits texts itself (ScoreRequest::text): white space at the end of the context moves to the continuation.
ScoreRequest text_request(std::string context, std::string continuation);

// A whole text: every token is scored once, given as much before it as fits. `one`: the first one given BOS. `none`: the first token is given
// and not scored. `tokenizer`, as the harness does it: BOS, else EOS, stands before the text as the tokenizer encodes it, so that a tokenizer
// that adds BOS has it scored once, given BOS. One request a window.
Result<std::vector<ScoreRequest>> rolling_requests(const Tokenizer& tokenizer, std::string_view text, BosPolicy bos, const TextLimits& limits);

}  // namespace assay
