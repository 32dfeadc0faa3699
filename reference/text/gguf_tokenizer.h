// Tokenizer and chat template in the metadata of a GGUF file (ggml/docs/gguf.md, "Tokenizer").
#pragma once
#include <map>
#include <string>

#include "base/result.h"
#include "reference/text/parts.h"
#include "reference/weights/gguf.h"

namespace assay {

// Kinds: `gpt2`, `llama`, `t5`; others are refused by name, and so are keys below tokenizer.ggml that are not known. Of what
// the file leaves out: add_bos_token is true for `llama` and false for `gpt2`, as in llama.cpp, but for the pre-tokenizers of
// Llama 3 and Mistral, whose BOS llama.cpp adds; add_space_prefix (not for `gpt2`) and escape_whitespaces are true; the unknown
// token of `llama` is 0. Text falls back to bytes where there are byte tokens.
Result<TokenizerParts> gguf_tokenizer(const GgufHeader& header, const std::string& file);

// By name: tokenizer.chat_template is "default", tokenizer.chat_template.NAME is NAME.
std::map<std::string, std::string> gguf_chat_templates(const GgufHeader& header);

// SHA-256 over all entries below "tokenizer.ggml.", as they stand.
std::string gguf_tokenizer_digest(const GgufHeader& header);

}  // namespace assay
