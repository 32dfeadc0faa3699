// SentencePiece's tokenizer.model: a protocol buffer of pieces with scores, and how text is prepared for them
// (google/sentencepiece, src/sentencepiece_model.proto).
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "reference/text/parts.h"

namespace assay {

// Refused: broken wire format, no pieces, a model that is neither BPE nor Unigram, scores that are not finite,
// byte fallback without all 256 byte pieces, unused pieces in a BPE model (their undoing depends on the order
// of merges), a denormalizer.
Result<TokenizerParts> read_sentencepiece(std::string_view bytes, const std::string& file);

// True where the bytes can be such a file: they begin with a piece.
bool looks_like_sentencepiece(std::string_view bytes);

}  // namespace assay
