// A backend answers requests and nothing more: plain data in, plain data out, in the order of the requests. The CPU engine is one
// (reference/model/engine.h); others, such as a completion server over http, can stand in its place.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay {

inline constexpr std::int64_t kMaxTopLogprobs = 128;  // OpenAI's own limits are 20 (chat) and 5; room for servers that allow more

struct TokenLogprob {
  std::int32_t token = 0;
  double logprob = 0;  // under the unmodified distribution, nats
};
using TopLogprobs = std::vector<TokenLogprob>;  // of one position: likeliest first, the lower id first on a tie

// Log-probabilities of ids[scored_from …] given all before each; scored_from >= 1.
struct ScoreRequest {
  std::vector<std::int32_t> ids;
  std::int64_t scored_from = 1;
  std::int64_t top_logprobs = 0;  // likeliest tokens told for every scored position, 0 to kMaxTopLogprobs
};
struct TokenScore {
  std::int32_t token = 0, top_token = 0;  // asked for; most likely (lower id on a tie)
  double logprob = 0, top_logprob = 0;    // nats
};
struct ScoreAnswer {
  std::vector<TokenScore> tokens;
  double logprob = 0;          // sum, ascending
  bool greedy = true;          // every token is the most likely one
  std::int64_t near_ties = 0;  // router decisions within 1e-5 on the way to these tokens
  std::vector<TopLogprobs> top;  // one for each of `tokens`, min(top_logprobs, vocabulary) long; empty unless asked for
};

struct GenerateRequest {
  std::vector<std::int32_t> ids;
  std::uint64_t item = 0;  // names the random stream, with the sample's number
};
// One token as it is taken, for those who cannot wait for the whole answer.
struct GeneratedToken {
  std::size_t request = 0;
  std::int64_t sample = 0;
  std::int32_t id = 0;
  double logprob = 0;           // as in GenerateAnswer
  const TopLogprobs& top;       // empty unless asked for; gone when the call returns
};

struct GenerateOptions {
  std::int64_t max_tokens = 128;
  std::int64_t samples = 1;  // per request
  double temperature = 0;    // 0: arg-max
  std::int64_t top_k = 0;    // 0: all
  double top_p = 1, min_p = 0, repetition_penalty = 1;
  double presence_penalty = 0, frequency_penalty = 0;  // taken off the logits of sampled tokens: once; per time sampled
  std::uint64_t seed = 1;
  std::int64_t top_logprobs = 0;  // likeliest tokens told for every generated one, 0 to kMaxTopLogprobs
  std::vector<std::int32_t> stop_ids = {};  // such as EOS; a stop id ends the sample and is part of its ids
  // Asked after every token with the request's index, the sample and its ids so far; true ends the sample ("stop"). Calls come from
  // one thread, in an order that may depend on batching: the answer must depend on the arguments alone.
  std::function<bool(std::size_t request, std::int64_t sample, std::span<const std::int32_t> ids)> stop = {};
  // Told of every token of a sample in its order, before `stop` is asked about it; from the same thread. May be empty.
  std::function<void(const GeneratedToken& token)> token = {};
  std::function<void(std::uint64_t n_tokens)> progress = {};  // tokens done since the last call; may be empty
};
struct GenerateAnswer {
  std::size_t request = 0;
  std::int64_t sample = 0;
  std::vector<std::int32_t> ids;  // without the prompt
  std::vector<double> logprobs;   // of each id under the unmodified distribution, nats
  std::vector<TopLogprobs> top;   // one for each id, min(top_logprobs, vocabulary) long; empty unless asked for
  std::string finish_reason;      // "stop" or "length"
  std::int64_t near_ties = 0;     // router decisions within 1e-5, prompt included
};

struct BackendStats {
  std::uint64_t tokens_asked = 0;     // tokens that the requests hold
  std::uint64_t tokens_computed = 0;  // rows that went through the layers; fewer where prefixes were shared
  std::uint64_t tokens_generated = 0;
  double seconds = 0;
  std::uint64_t near_ties = 0;  // over the tokens asked
  std::int64_t n_moe_layers = 0, n_experts = 0;
  std::vector<std::uint64_t>
      expert_tokens;  // (n_moe_layers, n_experts): tokens asked that went to each expert
};

class Backend {
 public:
  virtual ~Backend() = default;
  // One answer a request. Refused: ids out of range, more than the context holds, scored_from < 1 or beyond the end.
  virtual Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) = 0;
  // samples answers a request, ascending by (request, sample).
  virtual Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests,
                                                       const GenerateOptions& options) = 0;
  virtual BackendStats stats() const = 0;  // since the start or the last reset
  virtual void reset_stats() = 0;
  virtual std::string name() const = 0;  // "cpu avx512"
};

}  // namespace assay
