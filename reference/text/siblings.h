// What the files beside a tokenizer's own say: tokenizer_config.json, special_tokens_map.json, config.json.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "reference/text/added_tokens.h"

namespace assay {

struct TokenizerSiblings {
  std::string config_file;                        // tokenizer_config.json, for errors
  std::vector<AddedToken> added;                  // added_tokens_decoder, by id
  std::vector<std::string> bos_names, eos_names;  // bos_token and eos_token, the first that is a token counts
  std::optional<int> bos_id, eos_id;              // of config.json, where no name does
  std::optional<bool> add_bos, add_eos;           // add_bos_token, add_eos_token
  std::string tokenizer_class;
};

// Files that are absent say nothing; an empty `folder` has none.
Result<TokenizerSiblings> read_tokenizer_siblings(const std::filesystem::path& folder);

}  // namespace assay
