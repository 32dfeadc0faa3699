#include "eval/runs/loglikelihood.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "eval/runs/requests.h"

namespace assay {

Result<LikelihoodRequest> likelihood_request(const Tokenizer& tokenizer, const Json& line, std::int64_t context_length) {
  const TextLimits limits{context_length};
  if (line.is_object() && line.contains("text")) {
    ASSAY_TRY(const std::string text, json_string(line, "text", ""));
    ASSAY_TRY(std::vector<ScoreRequest> windows, rolling_requests(tokenizer, text, BosPolicy::tokenizer, limits));
    return LikelihoodRequest{.windows = std::move(windows), .bytes = static_cast<std::int64_t>(text.size())};
  }
  ASSAY_TRY(const std::string context, json_string(line, "context", ""));
  ASSAY_TRY(const std::string continuation, json_string(line, "continuation", ""));
  ASSAY_TRY(ContinuationRequest request, continuation_request(tokenizer, context, continuation, BosPolicy::tokenizer, limits));
  LikelihoodRequest out{.bytes = static_cast<std::int64_t>(continuation.size()), .truncated = request.truncated_tokens};
  out.windows.push_back(std::move(request.score));
  return out;
}

Result<LikelihoodRequest> text_likelihood_request(const Json& line) {
  const bool rolling = line.is_object() && line.contains("text");
  TextToScore text;
  ASSAY_TRY(text.scored, json_string(line, rolling ? "text" : "continuation", ""));
  if (!rolling) {
    ASSAY_TRY(text.context, json_string(line, "context", ""));
  }
  if (text.scored.empty()) {
    return Error{.code = Code::bad_value, .message = "there is nothing to score", .field = rolling ? "text" : "continuation", .expected = "at least one token"};
  }
  LikelihoodRequest out{.bytes = static_cast<std::int64_t>(text.scored.size())};
  out.windows.push_back(text_request(std::move(text.context), std::move(text.scored)));
  return out;
}

Json likelihood_line(const LikelihoodRequest& request, std::span<const ScoreAnswer> answers) {
  ASSAY_CHECK(answers.size() == request.windows.size());
  double logprob = 0;
  bool greedy = true;
  std::size_t tokens = 0;
  for (const ScoreAnswer& answer : answers) {
    logprob += answer.logprob;
    greedy = greedy && answer.greedy;
    tokens += answer.tokens.size();
  }
  return {{"logprob", finite_or_null(logprob)},
          {"greedy", greedy},
          {"tokens", tokens},
          {"bytes", request.bytes},
          {"truncated", request.truncated}};
}

}  // namespace assay
