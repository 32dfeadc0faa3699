// Chats as Mistral's own code turns them into ids (mistralai/mistral-common, tokens/tokenizers/instruct.py), for the
// models that are published without a chat template: instruct versions 1, 2 and 3. Text never becomes a control token.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/text/tokenizer.h"

namespace assay {

enum class MistralVersion : std::uint8_t { v1 = 1, v2 = 2, v3 = 3 };
Result<MistralVersion> mistral_version(std::string_view name);  // "v1", "v2", "v3"

// `request` is a JSON object: `messages` (role system, user, assistant or tool; content a string; tool_calls with
// function.name and function.arguments, which are JSON in a string) and `tools`. BOS stands in front, EOS behind
// every answer. System messages are joined and put before the first (v1) or last (v2, v3) message of the user,
// tools before the last one. v2 leaves calls and results before the last user message out. Refused: tools in v1,
// roles that are not known, content that is no string, control tokens that the tokenizer lacks. `file` is for errors.
Result<std::vector<int>> mistral_chat(const Tokenizer& tokenizer, MistralVersion version,
                                      std::string_view request, const std::string& file);

}  // namespace assay
