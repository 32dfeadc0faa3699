#include "reference/text/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "reference/text/protobuf.h"
#include "reference/text/refusal.h"
#include "reference/text/utf8.h"
#include "reference/text/vocabulary.h"

namespace assay {
namespace {

using Wire = WireField::Type;

// Field numbers of sentencepiece_model.proto.
enum ModelField : std::uint32_t { kPieces = 1, kTrainer = 2, kNormalizer = 3, kDenormalizer = 5 };
enum PieceField : std::uint32_t { kPieceText = 1, kPieceScore = 2, kPieceType = 3 };
enum TrainerField : std::uint32_t {
  kModelType = 3,
  kWhitespaceAsSuffix = 24,
  kByteFallback = 35,
  kUnknownPiece = 45,
  kBosPiece = 46,
  kEosPiece = 47,
  kUnknownSurface = 44
};
enum NormalizerField : std::uint32_t { kCharsmap = 2, kDummyPrefix = 3, kRemoveExtra = 4, kEscape = 5 };
enum ModelType : std::uint64_t { kUnigramModel = 1, kBpeModel = 2 };

// Calls visit(field) for every field of a message; a later one overrules an earlier one, as the format asks.
template <class Visit>
Status each_field(std::string_view message, const std::string& file, Visit visit) {
  WireReader reader(message, file);
  while (true) {
    ASSAY_TRY(const auto field, reader.next());
    if (!field) return {};
    ASSAY_OK(visit(*field));
  }
}

struct Spec {
  TokenizerParts parts;
  std::uint64_t model_type = kUnigramModel;  // the default of trainer_spec
  std::string unknown = "<unk>", bos = "<s>", eos = "</s>";
};

Status read_piece(std::string_view message, Spec& spec) {
  std::string text;
  float score = 0;
  std::uint64_t type = static_cast<std::uint64_t>(TokenType::kNormal);
  const std::string& file = spec.parts.file;
  const std::string name = fmt::format("pieces[{}]", spec.parts.tokens.size());
  ASSAY_OK(each_field(message, file, [&](const WireField& f) -> Status {
    if (f.number == kPieceText && f.type == Wire::kBytes) text = f.bytes;
    if (f.number == kPieceScore && f.type == Wire::kFixed32)
      score = std::bit_cast<float>(static_cast<std::uint32_t>(f.value));
    if (f.number == kPieceType && f.type == Wire::kVarint) type = f.value;
    return {};
  }));
  if (text.empty() || !valid_utf8(text)) {
    return refusal(Code::bad_value, "a piece is empty or no UTF-8", file, name + ".piece", "text", text);
  }
  if (type < 1 || type > 6)
    return refusal(Code::bad_value, "a piece has an unknown type", file, name + ".type", "1 to 6",
                   std::to_string(type));
  if (!std::isfinite(score))
    return refusal(Code::bad_value, "the score of a piece is not finite", file, name + ".score", "a number",
                   "");
  if (spec.parts.tokens.size() > static_cast<std::size_t>(kMaxTokenId)) {
    return refusal(Code::too_large, "the model has too many pieces", file, "pieces",
                   fmt::format("at most {}", kMaxTokenId + 1), "");
  }
  spec.parts.tokens.push_back(std::move(text));
  spec.parts.scores.push_back(score);
  spec.parts.types.push_back(static_cast<TokenType>(type));
  return {};
}

Status read_trainer(std::string_view message, Spec& spec) {
  return each_field(message, spec.parts.file, [&](const WireField& f) -> Status {
    if (f.type == Wire::kVarint) {
      if (f.number == kModelType) spec.model_type = f.value;
      if (f.number == kWhitespaceAsSuffix) spec.parts.whitespace_is_suffix = f.value != 0;
      if (f.number == kByteFallback) spec.parts.byte_fallback = f.value != 0;
    }
    if (f.type == Wire::kBytes) {
      if (f.number == kUnknownPiece) spec.unknown = f.bytes;
      if (f.number == kBosPiece) spec.bos = f.bytes;
      if (f.number == kEosPiece) spec.eos = f.bytes;
      if (f.number == kUnknownSurface) spec.parts.unknown_surface = f.bytes;
    }
    return {};
  });
}

Status read_normalizer(std::string_view message, Spec& spec) {
  return each_field(message, spec.parts.file, [&](const WireField& f) -> Status {
    if (f.number == kCharsmap && f.type == Wire::kBytes) spec.parts.charsmap = f.bytes;
    if (f.type != Wire::kVarint) return {};
    if (f.number == kDummyPrefix) spec.parts.add_dummy_prefix = f.value != 0;
    if (f.number == kRemoveExtra) spec.parts.remove_extra_whitespaces = f.value != 0;
    if (f.number == kEscape) spec.parts.escape_whitespaces = f.value != 0;
    return {};
  });
}

Status read_denormalizer(std::string_view message, Spec& spec) {
  return each_field(message, spec.parts.file, [&](const WireField& f) -> Status {
    if (f.number != kCharsmap || f.bytes.empty()) return {};
    return refusal(Code::unsupported, "the model rewrites text when it decodes, which is not supported",
                   spec.parts.file, "denormalizer_spec.precompiled_charsmap", "nothing",
                   fmt::format("{} bytes", f.bytes.size()));
  });
}

// The id of a control or unknown piece by its text, -1 where there is none.
int reserved_id(const TokenizerParts& parts, std::string_view text, TokenType type) {
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    if (parts.types[i] == type && parts.tokens[i] == text) return static_cast<int>(i);
  }
  return -1;
}

Status check(Spec& spec) {
  TokenizerParts& parts = spec.parts;
  if (parts.tokens.empty())
    return refusal(Code::missing_field, "the file is no SentencePiece model: it has no pieces", parts.file,
                   "pieces", "", "");
  if (spec.model_type != kUnigramModel && spec.model_type != kBpeModel) {
    return refusal(Code::unsupported, "this kind of SentencePiece model is not supported", parts.file,
                   "trainer_spec.model_type", "1 (Unigram) or 2 (BPE)", std::to_string(spec.model_type));
  }
  parts.model = spec.model_type == kBpeModel ? TokenizerParts::Model::kSentencePieceBpe
                                             : TokenizerParts::Model::kUnigram;
  const auto unknowns = std::count(parts.types.begin(), parts.types.end(), TokenType::kUnknown);
  parts.unknown_id = reserved_id(parts, spec.unknown, TokenType::kUnknown);
  if (unknowns != 1 || parts.unknown_id < 0) {
    return refusal(Code::bad_value, "the model does not have one unknown piece", parts.file, "pieces",
                   "one piece of type 2 named as trainer_spec says", std::to_string(unknowns));
  }
  const bool bpe = parts.model == TokenizerParts::Model::kSentencePieceBpe;
  if (bpe && std::count(parts.types.begin(), parts.types.end(), TokenType::kUnused) > 0) {
    return refusal(Code::unsupported, "a BPE model with unused pieces is not supported", parts.file, "pieces",
                   "no piece of type 5", "");
  }
  parts.bos_id = reserved_id(parts, spec.bos, TokenType::kControl);
  parts.eos_id = reserved_id(parts, spec.eos, TokenType::kControl);
  parts.add_bos = parts.bos_id >= 0;
  return {};
}

}  // namespace

bool looks_like_sentencepiece(std::string_view bytes) {
  WireReader file(bytes, "");
  const auto first = file.next();
  if (!first.ok() || !*first || (*first)->number != kPieces || (*first)->type != Wire::kBytes) return false;
  WireReader piece((*first)->bytes, "");
  const auto inner = piece.next();
  return inner.ok() && *inner && (*inner)->number <= kPieceType;
}

Result<TokenizerParts> read_sentencepiece(std::string_view bytes, const std::string& file) {
  Spec spec;
  spec.parts.file = file;
  spec.parts.byte_fallback = false;  // the defaults of the .proto
  spec.parts.remove_extra_whitespaces = true;
  ASSAY_OK(each_field(bytes, file, [&](const WireField& f) -> Status {
    if (f.type != Wire::kBytes) return {};
    if (f.number == kPieces) return read_piece(f.bytes, spec);
    if (f.number == kTrainer) return read_trainer(f.bytes, spec);
    if (f.number == kNormalizer) return read_normalizer(f.bytes, spec);
    if (f.number == kDenormalizer) return read_denormalizer(f.bytes, spec);
    return {};
  }));
  ASSAY_OK(check(spec));
  return std::move(spec.parts);
}

}  // namespace assay
