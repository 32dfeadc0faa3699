// What clients of `assay serve` may ask: bodies of /v1/completions and /v1/chat/completions, read whole or refused. Pure functions of the text.
//
// A parameter that would change the answer and that this server cannot honour is refused by name (400), and so is every name that is not known.
// Accepted and without effect: user, metadata, store, service_tier, safety_identifier, prompt_cache_key, prompt_cache_retention,
// parallel_tool_calls. Accepted at the value that changes nothing: suffix, logit_bias, response_format, modalities, tool_choice, functions,
// function_call. Beyond OpenAI: top_k, min_p, repetition_penalty, chat_template_kwargs, return_token_ids (as vLLM: prompt_token_ids and token_ids in
// a choice of a completion), skip_special_tokens (as vLLM; true if absent), assay_stream: [item, sample], the random stream that an `assay run` of the
// same seed takes for that sample. null stands for an absent parameter everywhere.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

inline constexpr std::size_t kMaxPrompts = 1024;        // of one request; lm-evaluation-harness sends its batch size
inline constexpr std::int64_t kMaxChoices = 1024;       // prompts times n
inline constexpr std::int64_t kMaxCallSamples = 128;    // n and best_of, as OpenAI's
inline constexpr std::size_t kMaxStops = 64;            // OpenAI allows 4; the harness sends as many as its task names
inline constexpr std::size_t kMaxStopBytes = 1024;      // every token is held against every stop string
inline constexpr std::int64_t kMaxCallLogprobs = 20;    // OpenAI: 5 and 20
inline constexpr std::size_t kMaxMessages = 4096;
inline constexpr std::int64_t kMaxCallTokens = std::int64_t{1} << 20;     // prompts and all that may be generated for one request
inline constexpr std::int64_t kMaxToldLogprobs = std::int64_t{1} << 22;   // tokens times likeliest ones: about 200 MB of answer

struct CallOptions {
  std::string model;  // "": not said
  std::optional<std::int64_t> max_tokens;
  std::int64_t n = 1, best_of = 1;  // best_of >= n
  double temperature = 1, top_p = 1, min_p = 0, presence_penalty = 0, frequency_penalty = 0, repetition_penalty = 1;
  std::int64_t top_k = 0;
  std::optional<std::uint64_t> seed;
  std::vector<std::string> stops;  // none is empty
  bool stream = false, include_usage = false, return_token_ids = false, skip_special_tokens = true;
  std::optional<std::uint64_t> item;  // of assay_stream, with the number of the first sample
  std::int64_t first_sample = 0;
  std::optional<std::int64_t> logprobs;  // likeliest tokens told beside the one taken; none: no log-probabilities at all
};

struct CallPrompt {
  std::optional<std::string> text;  // or:
  std::vector<std::int32_t> ids;
};

struct CompletionCall {
  CallOptions options;
  std::vector<CallPrompt> prompts;  // at least one
  bool echo = false;
};

struct ChatCall {
  CallOptions options;
  // What the template sees, special tokens apart: messages (contents that were lists of text parts are one text, joined by line ends as
  // vLLM does it), tools, the members of chat_template_kwargs, add_generation_prompt.
  std::shared_ptr<const Json> context;
};

Result<CompletionCall> read_completion(std::string_view body);
Result<ChatCall> read_chat(std::string_view body);

}  // namespace assay
