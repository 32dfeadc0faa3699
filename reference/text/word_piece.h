// WordPiece: the longest token at every place of a word, from left to right (Devlin et al. 2018; models::WordPiece
// of the `tokenizers` library).
#pragma once
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/token_model.h"
#include "reference/text/trie.h"

namespace assay {

struct WordPieceRules {
  std::string prefix = "##";  // of tokens that go on within a word
  int unknown_id = -1;        // for a word as a whole
  std::size_t max_characters = 100;
};

class WordPiece final : public TokenModel {
 public:
  // `model` is the "model" object of tokenizer.json.
  static Result<WordPiece> from_json(const Json& model, const std::string& file);
  static Result<WordPiece> from_vocabulary(Vocabulary vocabulary, WordPieceRules rules,
                                           const std::string& file);

  void encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
              std::vector<int>& out) const override;

 private:
  WordPiece(Vocabulary vocabulary, WordPieceRules rules);
  WordPieceRules rules_;
  Trie begins_, goes_on_;
};

}  // namespace assay
