// Tokens as text and as log-probabilities in the two shapes of OpenAI's API.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "reference/model/backend.h"
#include "reference/text/tokenizer.h"

namespace assay {

// The text of generated tokens in whole characters as they come, without special tokens unless asked otherwise. What could be the beginning of a stop string is held
// back until it is none; from a stop string on nothing comes. All that add() and finish() gave is what StopStrings::text gives for the ids,
// wherever the decoder works token by token (Tokenizer::decodes_token_by_token).
class StreamText {
 public:
  StreamText(const Tokenizer& tokenizer, std::vector<std::string> stops, bool skip_special = true);
  std::string add(std::int32_t id);
  std::string finish();

 private:
  std::string give(bool all);
  StreamDecoder decoder_;
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

// Characters (code points) of a text that were complete before each of its tokens: `text_offset`.
class TextOffsets {
 public:
  TextOffsets(const Tokenizer& tokenizer, bool skip_special, std::int64_t start) : decoder_(tokenizer, skip_special), at_(start) {}
  std::int64_t next(std::int32_t id);

 private:
  StreamDecoder decoder_;
  std::int64_t at_;
};

// One token told with its log-probability; none for the first token of a prompt.
struct ToldToken {
  std::int32_t id = 0;
  std::optional<double> logprob;
  TopLogprobs top;
};

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}. A token that is no whole characters is written "bytes:\xe2\x80". top_logprobs
// maps texts to log-probabilities and holds the token itself too; of several tokens of one text the likeliest is told.
Json completion_logprobs(const Tokenizer& tokenizer, const std::vector<ToldToken>& tokens, const std::vector<std::int64_t>& offsets);
// {"content": [{"token", "logprob", "bytes", "top_logprobs": [...]}], "refusal": null}.
Json chat_logprobs(const Tokenizer& tokenizer, const std::vector<ToldToken>& tokens);

}  // namespace assay
