// A tokenizer in plain parts, for files that are no tokenizer.json: GGUF, SentencePiece, tiktoken, tekken. The
// readers of those files fill it; Tokenizer::from_parts checks it and makes the tokenizer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// SentencePiece's numbers (sentencepiece_model.proto), which GGUF's tokenizer.ggml.token_type uses too.
enum class TokenType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

struct TokenizerParts {
  enum class Model : std::uint8_t {
    kByteMerges,        // GGUF "gpt2": tokens in GPT-2's byte characters, `merges` in order of rank
    kByteRanks,         // tiktoken, tekken: normal tokens are bytes, rank is the order of ids
    kSentencePieceBpe,  // GGUF "llama": merged by score
    kUnigram,           // GGUF "t5"
    kWordPiece,         // GGUF "bert": "\u2581" begins a word
  };
  Model model = Model::kByteMerges;
  std::string file;  // for errors

  std::vector<std::string> tokens;  // by id; "" where an id is not used
  std::vector<TokenType> types;     // as long as tokens, or empty: all normal
  std::vector<float> scores;        // as long as tokens; for kSentencePieceBpe and kUnigram
  std::vector<std::string> merges;  // "left right"; for kByteMerges

  // How text is cut before kByteMerges and kByteRanks: a name that named_pre_tokenizer.h lists (GGUF's
  // tokenizer.ggml.pre), or a regular expression of which every match is a piece.
  std::string pre, pattern;
  // Text is brought to NFC: for kByteRanks as a whole (QwenLM, tokenization_qwen.py), for kByteMerges between
  // special tokens (the `tokenizers` library).
  bool nfc = false;
  bool ignore_merges = false;  // a piece that is a token is that token (tiktoken always does so)

  int unknown_id = -1, bos_id = -1, eos_id = -1;  // -1: none
  bool add_bos = false, add_eos = false;          // what encode(add_special = true) puts around a text

  // For SentencePiece (normalizer_spec and trainer_spec; GGUF: add_space_prefix, remove_extra_whitespaces,
  // precompiled_charsmap).
  bool byte_fallback = true, add_dummy_prefix = true, remove_extra_whitespaces = false;
  bool escape_whitespaces = true, whitespace_is_suffix = false;
  std::string charsmap;                            // precompiled_charsmap, "" where there is none
  std::string unknown_surface = " \xE2\x81\x87 ";  // what an unknown token is decoded to
  bool lowercase = true, strip_accents = true;     // for kWordPiece (BERT uncased)
};

}  // namespace assay
