// What `assay generate` does: prompts or chats as JSON lines in, samples as JSON lines out.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "reference/model/backend.h"
#include "reference/text/tokenizer.h"

namespace assay {

// Where a stop string first stands in the text that ids say, and the text before it.
class StopStrings {
 public:
  // Empty strings are refused by the caller.
  StopStrings(const Tokenizer& tokenizer, std::vector<std::string> stops);
  // True once a stop string is complete within the last tokens; meant to be asked after every token.
  bool ended(std::span<const std::int32_t> ids) const;
  // The text of ids without special tokens, cut before the first stop string.
  std::string text(std::span<const std::int32_t> ids) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> stops_;
  std::size_t window_ = 0;  // tokens that can hold the longest stop string
};

// Ids of a prompt as transformers encodes it: with the special tokens of the tokenizer, none if the text begins with BOS.
Result<std::vector<std::int32_t>> prompt_ids(const Tokenizer& tokenizer, std::string_view text);

}  // namespace assay
