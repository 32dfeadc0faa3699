// Differences of the text files beside two models' weights, each as [{"key", "a", "b"}]; empty: none.
#pragma once
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace assay {

// Of two JSON documents; keys are JSON pointers ("/rope_scaling/factor"), null where a side has no such key.
Json json_differences(const Json& a, const Json& b);

// config.json and generation_config.json; a key of the latter begins with "generation_config:".
Result<Json> config_differences(const std::string& folder_a, const std::string& folder_b);

// tokenizer.json: tokens by side and by id, merges, added tokens, and the other parts as a whole.
Result<Json> tokenizer_differences(const std::string& folder_a, const std::string& folder_b);

// The chat template (chat_template.jinja, else `chat_template` of tokenizer_config.json), line by line.
Result<Json> template_differences(const std::string& folder_a, const std::string& folder_b);

}  // namespace assay
