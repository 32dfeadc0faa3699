// Text to token ids and back, exactly as the published implementations do it: the `tokenizers` library for
// tokenizer.json (BPE, Unigram, WordPiece), sentencepiece for tokenizer.model, tiktoken for rank files,
// mistral-common for tekken.json.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reference/text/parts.h"

namespace assay {

struct TokenizerState;

inline constexpr std::size_t kMaxEncodeBytes = std::size_t{1} << 30;

// Thread-safe, cheap to copy (the tables are shared).
class Tokenizer {
 public:
  // A file, or a folder with one of tokenizer.json, tekken.json, tokenizer.model (SentencePiece or tiktoken) or
  // *.tiktoken, in that order; tokenizer_config.json, special_tokens_map.json and config.json beside it name BOS
  // and EOS. What a file is shows in its content, not its name. Whether encode() adds BOS and EOS:
  // - tokenizer.json: what its post-processor says; like transformers 5, `add_bos_token` of
  //   tokenizer_config.json does not count;
  // - others: `add_bos_token` and `add_eos_token` of tokenizer_config.json; without them BOS where the file has
  //   one (as Llama's and Mistral's own code does), no EOS.
  static Result<Tokenizer> load(const std::string& folder_or_file);
  // The bytes of such a file, with nothing beside it; `file` is only for errors.
  static Result<Tokenizer> parse(std::string_view bytes, const std::string& file);
  static Result<Tokenizer> from_parts(const TokenizerParts& parts);

  // Control tokens in the text (added tokens, control pieces of SentencePiece, special tokens of tiktoken) are
  // recognised, as tokenizer.json asks for; encode_ordinary takes their text like any other, as sentencepiece
  // and tiktoken do when they are asked for plain text. The text after a control token begins anew: where a
  // SentencePiece model puts a space in front of a text, it does so there too, unless there is one (mistral-common
  // encodes the parts of a chat one by one). Ill-formed bytes of `utf8` count as U+FFFD. Where a regular expression of the file passes its step budget
  // (no published one does) try_encode refuses and encode takes the rest of that piece as one.
  std::vector<int> encode(std::string_view utf8, bool add_special) const;
  Result<std::vector<int>> try_encode(std::string_view utf8, bool add_special) const;
  std::vector<int> encode_ordinary(std::string_view utf8) const;
  Result<std::vector<int>> try_encode_ordinary(std::string_view utf8) const;

  // Ids that are no token are left out. The result is valid UTF-8: ill-formed bytes become U+FFFD.
  std::string decode(const std::vector<int>& ids, bool skip_special) const;
  // As decode, but the bytes as they are: may end within a character.
  std::string decode_bytes(const std::vector<int>& ids, bool skip_special) const;

  bool has_id(int id) const;
  bool is_special(int id) const;
  bool is_fallback_byte(int id) const;  // "<0xNN>" where the decoder joins such tokens
  bool decodes_token_by_token() const;  // the text of a token does not depend on its neighbours
  // The bytes that one token stands for (perhaps a part of a character); "" where there is no such id.
  std::string token_text(int id) const;
  // The id of a token as it is written in the file, added ones included; -1: none.
  int token_id(std::string_view token) const;

  std::optional<int> bos_id() const;
  std::optional<int> eos_id() const;
  // The tokens themselves as text ("" where there is none): what templates call bos_token and eos_token.
  std::string bos_token() const;
  std::string eos_token() const;
  int vocab_size() const;      // highest id + 1
  std::string digest() const;  // SHA-256 over the tokenizer's file and over what the other files changed

  Tokenizer() = default;  // must be assigned before it is used
  explicit Tokenizer(std::shared_ptr<const TokenizerState> state) : state_(std::move(state)) {}

 private:
  Result<std::vector<int>> encode_within_limits(std::string_view utf8, bool specials) const;
  std::shared_ptr<const TokenizerState> state_;
};

// Text of tokens that arrive one by one, given out in whole characters. What was given out plus finish() is
// tokenizer.decode(all ids) wherever the decoder works token by token.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special = false);
  std::string add(int id);  // the characters that are now complete
  std::string finish();     // the rest; a character that never ended becomes U+FFFD

 private:
  static constexpr std::size_t kContextTokens = 16;  // so few are decoded again with every token
  std::string take(bool all);
  void forget();
  Tokenizer tokenizer_;
  bool skip_special_;
  std::vector<int> ids_;  // from the last place where the text was whole
  std::string given_;     // text of ids_ that was given out
};

}  // namespace assay
