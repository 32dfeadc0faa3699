// What OpenAI-compatible servers are asked and what they answer, as pure functions of texts: /v1/models and /v1/completions in the dialects of
// OpenAI, vLLM (prompt_logprobs, return_token_ids, stop_reason), SGLang, llama.cpp and `assay serve`. An answer is a stranger's: it is read whole
// or refused (Code::bad_json, bad_value, missing_field), with `url` as the file.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/backend.h"

namespace assay {

inline constexpr double kLeastApiLogprob = -9999;  // what OpenAI's API says in place of minus infinity, which JSON cannot

// How a server tells the log-probabilities of a text that it is given.
enum class ApiLikelihood : std::uint8_t {
  echo,             // the prompt comes back with `logprobs`
  prompt_logprobs,  // vLLM's parameter of that name
  next_token,       // not at all; only the likeliest next tokens: enough for single-token options such as letters
  none,
};
std::string_view name_of(ApiLikelihood likelihood);

// What a server can do, found by asking it (eval/http_probe.h).
struct ApiAbilities {
  ApiLikelihood likelihood = ApiLikelihood::none;
  std::int64_t echo_max_tokens = 0;  // the least max_tokens that it takes with a prompt that is only scored: 0 or 1
  std::int64_t top_logprobs = 1;     // likeliest tokens that it tells of a position
  bool takes_ids = false;            // prompts as lists of ids
  bool returns_ids = false;          // return_token_ids
  bool keeps_special = false;        // skip_special_tokens
  bool takes_stream = false;         // assay_stream
};

struct ApiTarget {
  std::string model;
  ApiAbilities abilities;
};

// --- requests: bodies of POST /v1/completions ---

std::string score_body(const ApiTarget& target, const ScoreRequest& request);
// One sample; `seed` is sent along. Stop ids are the server's own affair.
std::string generate_body(const ApiTarget& target, const GenerateRequest& request, std::int64_t sample, const GenerateOptions& options, std::uint64_t seed);
// The seed of a sample for servers that draw in their own way: below 2^53, so that no JSON reader rounds it.
std::uint64_t sample_seed(std::uint64_t seed, std::uint64_t item, std::int64_t sample);

// --- answers ---

struct ApiModel {
  std::string id, owned_by;
  std::optional<std::int64_t> context_tokens;  // max_model_len (vLLM, assay), meta.n_ctx_train (llama.cpp)
  std::string told;                            // the member `assay` of an `assay serve` as JSON, "" elsewhere
};
Result<std::vector<ApiModel>> read_models(std::string_view body, std::string_view url);

// One position of a text.
struct ApiToken {
  std::string text;
  std::optional<double> logprob;          // none for the first of a prompt
  std::int64_t offset = -1;               // characters before it; -1: not told
  std::vector<std::pair<std::string, double>> top;  // likeliest first
};

struct ApiChoice {
  std::string text, finish_reason;
  bool ended_by_text = false;  // a stop string ended it (vLLM's stop_reason)
  std::vector<ApiToken> tokens;               // of `logprobs`: the echoed prompt first
  std::vector<std::optional<TokenLogprob>> prompt;  // of vLLM's prompt_logprobs: each token of the prompt
  std::vector<TopLogprobs> prompt_top;              // and the likeliest there
  std::optional<std::vector<std::int32_t>> prompt_ids, ids;
  std::optional<std::int64_t> near_ties;      // assay serve
  std::vector<TokenLogprob> likeliest;        // assay serve: of each position of an echoed prompt but the first
};

struct ApiAnswer {
  std::vector<ApiChoice> choices;  // by their index
  std::int64_t prompt_tokens = 0, completion_tokens = 0;  // of `usage`; 0 where it is not told
};
// Refused unless the choices are those of 0 … n_choices - 1, each once, in whatever order.
Result<ApiAnswer> read_answer(std::string_view body, std::string_view url, std::size_t n_choices = 1);

// The error message of a refusal, "" where there is none to be found; at most 300 bytes.
std::string refusal_text(std::string_view body);

// --- from answers to what a backend gives ---

// Every scored token must be there with a finite log-probability that is no more than 0 (beyond rounding), and any ids told must be those asked.
Result<ScoreAnswer> score_answer(const ApiTarget& target, const ScoreRequest& request, const ApiAnswer& answer, std::string_view url);
// `by_text`: the prompt was a text, so that the output must be one too.
Result<GenerateAnswer> generate_answer(const ApiTarget& target, const GenerateOptions& options, const ApiAnswer& answer, bool by_text, std::string_view url);

}  // namespace assay
