// Stop strings of generated text.
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
  // Empty strings are refused by the caller. `skip_special`: special tokens are no part of the text.
  StopStrings(const Tokenizer& tokenizer, std::vector<std::string> stops, bool skip_special = true);
  // True once a stop string is complete within the last tokens; meant to be asked after every token.
  bool ended(std::span<const std::int32_t> ids) const;
  // The text of ids, cut before the first stop string.
  std::string text(std::span<const std::int32_t> ids) const;

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> stops_;
  bool skip_special_;
  std::size_t window_ = 0;  // tokens that can hold the longest stop string
};

}  // namespace assay
