// Vocabularies of bytes in order of rank: tiktoken's text files and Mistral's tekken.json.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "reference/text/parts.h"
#include "reference/text/siblings.h"

namespace assay {

// Lines of "base64 rank" (openai/tiktoken, load.py). The file says neither how text is cut nor which special
// tokens there are: a file whose ranks are known by their SHA-256 (Qwen, Qwen3.5, Llama 3) brings both; for
// others the refusal says what is missing. `added_tokens_decoder` of a tokenizer_config.json beside the file
// overrules the special tokens.
Result<TokenizerParts> read_tiktoken(std::string_view text, const TokenizerSiblings& beside,
                                     const std::string& file);

// mistralai/mistral-common, tekken.py: pattern, special tokens (those of version 7 and older where the file has
// none), then `default_vocab_size` less the special tokens of the vocabulary.
Result<TokenizerParts> read_tekken(std::string_view json, const std::string& file);

// Strict base64 (RFC 4648 section 4, padded); nullopt otherwise.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace assay
