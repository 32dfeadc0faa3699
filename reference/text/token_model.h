// What turns one piece of text into ids: byte-pair encoding, Unigram or WordPiece over a vocabulary.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/text/vocabulary.h"

namespace assay {

// Buffers that a call of encode uses again from piece to piece, so that pieces cost no allocation.
struct EncodeScratch {
  struct Symbol {
    std::int32_t id, previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t at, id;
  };
  struct Node {
    double score;
    std::int32_t from, id;
  };
  std::vector<int> ids;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::vector<Node> nodes;
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of one piece. With `raw_bytes` the piece is bytes of which each is one character of the
  // vocabulary (what a final ByteLevel pre-tokenizer makes of it); otherwise valid UTF-8.
  virtual void encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
                      std::vector<int>& out) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  TokenModel() = default;
  explicit TokenModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Vocabulary vocabulary_;
};

template <class Model>
Result<std::unique_ptr<TokenModel>> boxed(Result<Model> model) {
  if (!model.ok()) return std::move(model).error();
  return std::unique_ptr<TokenModel>(std::make_unique<Model>(std::move(model).value()));
}

}  // namespace assay
