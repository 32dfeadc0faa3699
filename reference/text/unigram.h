// Unigram segmentation of one piece of text (Kudo 2018, arXiv 1804.10959): the cut of highest summed score, by
// dynamic programming over characters. Two published programs round differently, and both are kept: the
// `tokenizers` library sums in f64, sentencepiece stores sums in f32.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/bpe.h"
#include "reference/text/token_model.h"
#include "reference/text/trie.h"

namespace assay {

struct UnigramRules {
  bool sentencepiece = false;  // f32 sums; user-defined pieces win over all others
  bool byte_fallback = false;
  int unknown_id = -1;
  FallbackIds fallback{};
  std::vector<int> user_defined;
};

class Unigram final : public TokenModel {
 public:
  // `model` is the "model" object of tokenizer.json.
  static Result<Unigram> from_json(const Json& model, const std::string& file);
  // `score[id]` counts for searchable tokens.
  static Result<Unigram> from_scores(Vocabulary vocabulary, std::vector<double> score, UnigramRules rules,
                                     const std::string& file);

  void encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
              std::vector<int>& out) const override;

 private:
  Unigram(Vocabulary vocabulary, std::vector<double> score, UnigramRules rules);
  void append_unknown(std::string_view text, std::vector<int>& out) const;

  UnigramRules rules_;
  std::vector<double> score_;  // by id
  double unknown_score_ = 0, highest_ = 0;
  std::vector<bool> user_defined_;  // by id
  Trie trie_;
};

}  // namespace assay
