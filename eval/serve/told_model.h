// What `assay serve` tells of its model beyond OpenAI's API (member `assay` of /v1/models), so that a run through it is recorded as the same model:
// digests, arithmetic, conventions; and the text files that it hands out under /v1/assay/files/NAME. Told is not checked: a client cannot see weights.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "eval/runs/eval_model.h"

namespace assay {

// Names that a tokenizer or a chat template can have (reference/text/tokenizer_load.cc, chat_template.cc); nothing else is handed out.
inline constexpr std::array<std::string_view, 10> kTextFiles = {"tokenizer.json",      "tokenizer_config.json", "special_tokens_map.json", "config.json",
                                                                "tokenizer.model",     "tekken.json",           "spiece.model",            "tiktoken.model",
                                                                "chat_template.jinja", "chat_template.json"};

Json told_facts(const EvalModel& model);
// Fills the digests and facts of `model`. `url` is for errors only.
Status read_told_facts(std::string_view text, std::string_view url, EvalModel& model);

}  // namespace assay
