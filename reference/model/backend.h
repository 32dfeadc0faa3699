// A backend answers requests and nothing more: plain data in, plain data out, in the order of the requests. The CPU engine is one
// (reference/model/engine.h); others, such as a completion server over http, can stand in its place.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
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

// Texts in place of ids, for a server whose tokenizer nobody has here: it splits `context` + `scored` itself, and what is scored begins with the
// first token that begins at the end of `context` or later (or, where one lies across that end, with that one). Only backends that say so take it.
struct TextToScore {
  std::string context, scored;
};

// Log-probabilities of ids[scored_from …] given all before each; scored_from >= 1.
struct ScoreRequest {
  std::vector<std::int32_t> ids;
  std::int64_t scored_from = 1;
  std::int64_t top_logprobs = 0;  // likeliest tokens told for every scored position, 0 to kMaxTopLogprobs
  std::optional<TextToScore> text = {};  // `ids` is empty then
  std::int64_t unit = -1;    // requests of one unit are answered in one wave (Backend::score_waves); -1: by itself
  std::int32_t account = 0;  // whose tokens these are in BackendStats::expert_tokens
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
  bool counts_ties = true;       // false: `near_ties` is not known
  std::vector<std::string> texts = {};  // of each token where texts were asked for; its id is then kUnknownToken unless the server tells it
};
inline constexpr std::int32_t kUnknownToken = -1;

struct GenerateRequest {
  std::vector<std::int32_t> ids;
  std::uint64_t item = 0;         // names the random stream, with the sample's number
  std::int64_t first_sample = 0;  // samples of this request are numbered from here, so that some of many can be made alone
  std::optional<std::string> text = {};  // a prompt in place of ids, as TextToScore
  std::optional<std::uint64_t> seed = {};  // of this request alone, in place of GenerateOptions::seed
};
// One token as it is taken, for those who cannot wait for the whole answer.
struct GeneratedToken {
  std::size_t request = 0;
  std::int64_t sample = 0;      // its number, from the request's first_sample
  std::int32_t id = 0;
  double logprob = 0;           // as in GenerateAnswer
  const TopLogprobs& top;       // empty unless asked for; gone when the call returns
  std::int64_t near_ties = 0;   // of the sample so far, as in GenerateAnswer
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
  // What `stop` looks for, for backends that cannot ask it after every token: texts, held against the output with its special tokens or without.
  std::vector<std::string> stop_strings = {};
  bool stops_see_special = false;
  // Told of every token of a sample in its order, before `stop` is asked about it; from the same thread. May be empty.
  std::function<void(const GeneratedToken& token)> token = {};
  std::function<void(std::uint64_t n_tokens)> progress = {};  // tokens done since the last call; may be empty
};
struct GenerateAnswer {
  std::size_t request = 0;
  std::int64_t sample = 0;        // its number, from the request's first_sample
  std::vector<std::int32_t> ids;  // without the prompt
  std::vector<double> logprobs;   // of each id under the unmodified distribution, nats
  std::vector<TopLogprobs> top;   // one for each id, min(top_logprobs, vocabulary) long; empty unless asked for
  std::string finish_reason;      // "stop" or "length"
  std::int64_t near_ties = 0;     // router decisions within 1e-5, prompt included
  bool counts_ties = true;        // false: `near_ties` is not known
  // From a server that tells no ids (`ids` is empty then): the output without what stops it, its tokens, whether it ended by itself ("eos").
  std::optional<std::string> text = {};
  std::int64_t text_tokens = 0;
  bool text_ended = false;
  std::optional<std::uint64_t> seed = {};  // that the server was given for this sample
};

struct BackendStats {
  std::uint64_t tokens_asked = 0;     // tokens that the requests hold
  std::uint64_t tokens_computed = 0;  // rows that went through the layers; fewer where prefixes were shared
  std::uint64_t tokens_generated = 0;
  double seconds = 0;
  std::uint64_t near_ties = 0;  // over the tokens asked
  std::int64_t n_moe_layers = 0, n_experts = 0;
  std::vector<std::uint64_t>
      expert_tokens;  // (n_accounts, n_moe_layers, n_experts): tokens asked that went to each expert
  double flops = 0;   // of what was computed: matrix products, two operations a weight, and attention
};

// What answering requests would take.
struct WorkPlan {
  std::uint64_t tokens_asked = 0, tokens_computed = 0;
  std::int64_t passes = 0;         // over the weights
  double flops = 0;                // as BackendStats
  std::uint64_t memory_bytes = 0;  // beside what the process holds
  bool streamed = false;           // weights are read from the files in every pass
};

// How a backend on another machine is reached (eval/http/http_model.h).
struct RemoteOptions {
  int parallel = 128;         // requests in flight at most
  std::string tokenizer;      // a MODEL or file whose tokenizer and template the server's model has; "": found otherwise
  double first_delay_s = 0;   // before the first repetition, 0: its own; for tests
};

class Backend {
 public:
  virtual ~Backend() = default;
  // One answer a request. Refused: ids out of range, more than the context holds, scored_from < 1 or beyond the end.
  virtual Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) = 0;
  // The same answers as they come, each once: sink(which, answers) with answers[i] of requests[which[i]]. A fault of the sink ends it.
  using ScoreSink = std::function<Status(std::span<const std::size_t> which, std::vector<ScoreAnswer> answers)>;
  virtual Status score_waves(std::span<const ScoreRequest> requests, const ScoreSink& sink);
  virtual Result<WorkPlan> plan_score(std::span<const ScoreRequest> requests);  // Code::unsupported where nothing is known of it
  // options.samples answers a request, ascending by (request, sample).
  virtual Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests,
                                                       const GenerateOptions& options) = 0;
  virtual BackendStats stats() const = 0;  // since the start or the last reset
  virtual void reset_stats() = 0;
  virtual std::string name() const = 0;  // "cpu avx512"
};

}  // namespace assay
