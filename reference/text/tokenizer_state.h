// What a Tokenizer is made of; only the files that make or use one include this.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "reference/text/added_tokens.h"
#include "reference/text/decoder.h"
#include "reference/text/normalizer.h"
#include "reference/text/post_processor.h"
#include "reference/text/pre_tokenizer.h"
#include "reference/text/siblings.h"
#include "reference/text/token_model.h"
#include "reference/text/tokenizer.h"

namespace assay {

struct TokenizerState {
  std::unique_ptr<TokenModel> model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;
  AddedTokens added;
  std::optional<int> bos, eos;
  bool repair_bytewise = false;  // ill-formed text: one U+FFFD a byte, as sentencepiece reads it
  bool nfc_first = false;        // text is brought to NFC before control tokens are looked for
  // SentencePiece puts a space in front of every text. Chat templates write that of a text behind a control token
  // or leave it out (mistral-common publishes both forms): one space there is the one in front.
  bool space_is_prefix = false;
  std::string digest;
};

// tokenizer.json.
Result<std::shared_ptr<TokenizerState>> build_tokenizer_json(std::string_view text,
                                                             const TokenizerSiblings& beside,
                                                             const std::string& file);
// Everything else.
Result<std::shared_ptr<TokenizerState>> build_from_parts(const TokenizerParts& parts);

}  // namespace assay
