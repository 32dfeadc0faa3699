// TokenizerParts to the tables of a tokenizer.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "base/sha256.h"
#include "reference/text/bpe.h"
#include "reference/text/named_pre_tokenizer.h"
#include "reference/text/refusal.h"
#include "reference/text/spm_normalizer.h"
#include "reference/text/tokenizer_state.h"
#include "reference/text/unigram.h"
#include "reference/text/utf8.h"
#include "reference/text/word_piece.h"

namespace assay {
namespace {

using Kind = TokenizerParts::Model;

TokenType type_of(const TokenizerParts& parts, std::size_t id) {
  return parts.types.empty() ? TokenType::kNormal : parts.types[id];
}

bool is_sentencepiece(const TokenizerParts& parts) {
  return parts.model == Kind::kSentencePieceBpe || parts.model == Kind::kUnigram;
}
bool is_byte_level(const TokenizerParts& parts) {
  return parts.model == Kind::kByteMerges || parts.model == Kind::kByteRanks;
}

Status check_sizes(const TokenizerParts& parts) {
  const std::size_t n = parts.tokens.size();
  if (n == 0)
    return refusal(Code::missing_field, "the tokenizer has no tokens", parts.file, "tokens", "", "");
  if (n > static_cast<std::size_t>(kMaxTokenId) + 1)
    return refusal(Code::too_large, "the tokenizer has too many tokens", parts.file, "tokens",
                   fmt::format("at most {}", kMaxTokenId + 1), std::to_string(n));
  if (!parts.types.empty() && parts.types.size() != n)
    return refusal(Code::bad_value, "there is not one type a token", parts.file, "types", std::to_string(n),
                   std::to_string(parts.types.size()));
  if (is_sentencepiece(parts) && parts.scores.size() != n)
    return refusal(Code::bad_value, "there is not one score a token", parts.file, "scores", std::to_string(n),
                   std::to_string(parts.scores.size()));
  for (const float s : parts.scores) {
    if (!std::isfinite(s))
      return refusal(Code::bad_value, "a score is not finite", parts.file, "scores", "numbers", "");
  }
  for (const auto& [id, name] : {std::pair(parts.unknown_id, "unknown_id"), std::pair(parts.bos_id, "bos_id"),
                                 std::pair(parts.eos_id, "eos_id")}) {
    if (id < -1 || id >= static_cast<int>(n))
      return refusal(Code::out_of_range, "the id of a special token cannot be used", parts.file, name,
                     fmt::format("-1 to {}", n - 1), std::to_string(id));
  }
  return {};
}

// A token as the vocabulary holds it: bytes as GPT-2's characters, WordPiece in BERT's own spelling.
std::string written(const TokenizerParts& parts, std::size_t id) {
  const std::string& token = parts.tokens[id];
  if (type_of(parts, id) != TokenType::kNormal) return token;
  if (parts.model == Kind::kByteRanks) return bytes_to_characters(token);
  if (parts.model != Kind::kWordPiece) return token;
  return token.starts_with(kSpaceMark) ? token.substr(kSpaceMark.size()) : "##" + token;
}

Result<Vocabulary> make_vocabulary(const TokenizerParts& parts) {
  Vocabulary out;
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    if (parts.tokens[i].empty()) continue;
    const TokenType type = type_of(parts, i);
    const std::string token = written(parts, i);
    const std::string field = fmt::format("tokens[{}]", i);
    if (!valid_utf8(token))
      return refusal(Code::bad_value, "a token is no UTF-8", parts.file, field, "text", "");
    const bool found = type == TokenType::kNormal || type == TokenType::kUserDefined;
    ASSAY_OK(out.add(token, static_cast<std::int64_t>(i), found, parts.file, field));
  }
  return out;
}

// The ids of "<0xNN>" tokens of type byte, of which there must be all or (without byte fallback) any number.
Result<FallbackIds> byte_tokens(const TokenizerParts& parts) {
  FallbackIds out{};
  out.fill(-1);
  for (std::size_t i = 0; i < parts.types.size(); ++i) {
    if (parts.types[i] != TokenType::kByte) continue;
    const int byte = fallback_byte(parts.tokens[i]);
    if (byte < 0)
      return refusal(Code::bad_value, "a byte token does not name a byte", parts.file,
                     fmt::format("tokens[{}]", i), "<0x00> to <0xFF>", parts.tokens[i]);
    out[static_cast<std::size_t>(byte)] = static_cast<int>(i);
  }
  const auto missing = std::find(out.begin(), out.end(), -1);
  if (parts.byte_fallback && missing != out.end())
    return refusal(Code::missing_field, "the tokenizer falls back to bytes, but has not all of them",
                   parts.file, "tokens", "256 byte tokens",
                   fmt::format("no <0x{:02X}>", missing - out.begin()));
  return out;
}

// The highest score has rank 0; equal scores have equal ranks, so that the leftmost pair is merged first.
std::vector<std::uint32_t> ranks_of(const TokenizerParts& parts, std::size_t count) {
  std::vector<float> order = parts.scores;
  std::sort(order.begin(), order.end(), std::greater<>());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  std::vector<std::uint32_t> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = std::lower_bound(order.begin(), order.end(), parts.scores[i], std::greater<>());
    out[i] = static_cast<std::uint32_t>(at - order.begin());
  }
  return out;
}

std::vector<int> user_defined(const TokenizerParts& parts) {
  std::vector<int> out;
  for (std::size_t i = 0; i < parts.types.size(); ++i) {
    if (parts.types[i] == TokenType::kUserDefined && !parts.tokens[i].empty())
      out.push_back(static_cast<int>(i));
  }
  return out;
}

Result<std::unique_ptr<TokenModel>> make_byte_level(const TokenizerParts& parts, bool raw_bytes,
                                                    Vocabulary vocabulary) {
  BpeRules rules;
  rules.raw_bytes = raw_bytes;
  rules.ignore_merges = parts.ignore_merges || parts.model == Kind::kByteRanks;
  rules.unknown_id = parts.unknown_id;
  if (parts.model == Kind::kByteMerges)
    return boxed(Bpe::from_merges(std::move(vocabulary), parts.merges, std::move(rules), parts.file));
  std::vector<std::uint32_t> ranks(static_cast<std::size_t>(vocabulary.max_id() + 1));
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<std::uint32_t>(i);
  return boxed(Bpe::from_ranks(std::move(vocabulary), ranks, std::move(rules), parts.file));
}

Result<std::unique_ptr<TokenModel>> make_sentencepiece(const TokenizerParts& parts, Vocabulary vocabulary) {
  if (parts.unknown_id < 0)
    return refusal(Code::missing_field, "the tokenizer has no unknown token", parts.file, "unknown_id",
                   "the id of a token", "-1");
  ASSAY_TRY(const FallbackIds bytes, byte_tokens(parts));
  const auto count = static_cast<std::size_t>(vocabulary.max_id() + 1);
  if (parts.model == Kind::kUnigram) {
    UnigramRules rules{true, parts.byte_fallback, parts.unknown_id, bytes, user_defined(parts)};
    std::vector<double> scores(parts.scores.begin(),
                               parts.scores.begin() + static_cast<std::ptrdiff_t>(count));
    return boxed(
        Unigram::from_scores(std::move(vocabulary), std::move(scores), std::move(rules), parts.file));
  }
  BpeRules rules;
  rules.byte_fallback = parts.byte_fallback;
  rules.fuse_unknown = true;
  rules.unknown_id = parts.unknown_id;
  rules.fallback = bytes;
  for (const int id : user_defined(parts))
    rules.frozen.emplace_back(parts.tokens[static_cast<std::size_t>(id)], id);
  const auto ranks = ranks_of(parts, count);
  return boxed(Bpe::from_ranks(std::move(vocabulary), ranks, std::move(rules), parts.file));
}

Result<std::unique_ptr<TokenModel>> make_model(const TokenizerParts& parts, bool raw_bytes) {
  ASSAY_TRY(Vocabulary vocabulary, make_vocabulary(parts));
  if (is_byte_level(parts)) return make_byte_level(parts, raw_bytes, std::move(vocabulary));
  if (is_sentencepiece(parts)) return make_sentencepiece(parts, std::move(vocabulary));
  WordPieceRules rules;
  rules.unknown_id = parts.unknown_id;
  return boxed(WordPiece::from_vocabulary(std::move(vocabulary), std::move(rules), parts.file));
}

Result<PreTokenizer> make_pre_tokenizer(const TokenizerParts& parts) {
  if (is_sentencepiece(parts)) return PreTokenizer();
  if (parts.model == Kind::kWordPiece) return PreTokenizer::bert();
  if (!parts.pattern.empty()) {
    const std::string_view one[] = {parts.pattern};
    return PreTokenizer::byte_level(one, parts.file);
  }
  ASSAY_TRY(const NamedPreTokenizer named, named_pre_tokenizer(parts.pre, parts.file));
  if (named.json.empty()) return PreTokenizer::byte_level(named.patterns, parts.file);
  ASSAY_TRY(const Json json, parse_json(named.json, parts.file));
  return PreTokenizer::from_json(json, parts.file);
}

Result<Normalizer> make_normalizer(const TokenizerParts& parts) {
  if (is_sentencepiece(parts)) {
    ASSAY_TRY(SpmNormalizer own, SpmNormalizer::from_parts(parts));
    return Normalizer::sentencepiece(std::move(own));
  }
  if (parts.model == Kind::kWordPiece)
    return Normalizer::bert({true, true, parts.strip_accents, parts.lowercase});
  return parts.nfc && parts.model == Kind::kByteMerges ? Normalizer::nfc() : Normalizer();
}

Decoder make_decoder(const TokenizerParts& parts) {
  if (is_byte_level(parts)) return Decoder::byte_level_only();
  if (parts.model == Kind::kWordPiece) return Decoder::word_piece("##", true);
  const bool strips = parts.add_dummy_prefix || parts.remove_extra_whitespaces;
  const std::string unknown = parts.tokens[static_cast<std::size_t>(parts.unknown_id)];
  return Decoder::sentencepiece({unknown, parts.unknown_surface, strips && !parts.whitespace_is_suffix,
                                 parts.remove_extra_whitespaces});
}

// Control tokens are found in text before anything else, and so are user-defined ones where the model itself
// knows nothing of them (SentencePiece's does).
Status add_specials(const TokenizerParts& parts, TokenizerState& state) {
  for (std::size_t i = 0; i < parts.types.size(); ++i) {
    const TokenType type = parts.types[i];
    const bool unknown = type == TokenType::kUnknown && !is_sentencepiece(parts);
    const bool special = type == TokenType::kControl || unknown;
    const bool own = type == TokenType::kUserDefined && !is_sentencepiece(parts);
    if (parts.tokens[i].empty() || (!special && !own)) continue;
    AddedToken token;
    token.id = static_cast<int>(i);
    token.content = parts.tokens[i];
    token.normalized = false;
    token.special = special;
    ASSAY_OK(state.added.add_at(std::move(token), parts.file));
  }
  state.added.finish(state.normalizer);
  return {};
}

std::string digest_of(const TokenizerParts& parts) {
  Sha256 sha;
  sha.add_field("tokenizer-parts-1").add_field(std::to_string(static_cast<int>(parts.model)));
  for (std::size_t i = 0; i < parts.tokens.size(); ++i) {
    sha.add_field(parts.tokens[i]);
    sha.add_field(fmt::format("{} {}", static_cast<int>(type_of(parts, i)),
                              parts.scores.empty() ? 0U : std::bit_cast<std::uint32_t>(parts.scores[i])));
  }
  sha.add_field(std::to_string(parts.merges.size()));
  for (const std::string& m : parts.merges) sha.add_field(m);
  sha.add_field(parts.pre)
      .add_field(parts.pattern)
      .add_field(parts.charsmap)
      .add_field(parts.unknown_surface);
  sha.add_field(fmt::format("{} {} {} {} {} {}{}{}{}{}{}{}", parts.unknown_id, parts.bos_id, parts.eos_id,
                            +parts.add_bos, +parts.add_eos, +parts.nfc, +parts.ignore_merges,
                            +parts.byte_fallback, +parts.add_dummy_prefix, +parts.remove_extra_whitespaces,
                            +parts.escape_whitespaces, +parts.whitespace_is_suffix));
  return sha.hex();
}

}  // namespace

Result<std::shared_ptr<TokenizerState>> build_from_parts(const TokenizerParts& given) {
  ASSAY_OK(check_sizes(given));
  TokenizerParts parts = given;
  if (!parts.pre.empty() && is_byte_level(parts)) {
    ASSAY_TRY(const NamedPreTokenizer named, named_pre_tokenizer(parts.pre, parts.file));
    parts.nfc = parts.nfc || named.nfc;
    parts.ignore_merges = parts.ignore_merges || named.ignore_merges;
  }
  auto state = std::make_shared<TokenizerState>();
  ASSAY_TRY(state->pre_tokenizer, make_pre_tokenizer(parts));
  ASSAY_TRY(state->model, make_model(parts, state->pre_tokenizer.raw_bytes()));
  ASSAY_TRY(state->normalizer, make_normalizer(parts));
  state->decoder = make_decoder(parts);
  ASSAY_OK(add_specials(parts, *state));
  const auto around = [](bool add, int id) {
    return add && id >= 0 ? std::vector<int>{id} : std::vector<int>{};
  };
  state->post_processor =
      PostProcessor::around(around(parts.add_bos, parts.bos_id), around(parts.add_eos, parts.eos_id));
  if (parts.bos_id >= 0) state->bos = parts.bos_id;
  if (parts.eos_id >= 0) state->eos = parts.eos_id;
  state->nfc_first = parts.nfc && parts.model == Kind::kByteRanks;
  state->repair_bytewise = is_sentencepiece(parts);
  state->space_is_prefix = is_sentencepiece(parts) && parts.add_dummy_prefix && !parts.whitespace_is_suffix;
  state->digest = digest_of(parts);
  return state;
}

Result<Tokenizer> Tokenizer::from_parts(const TokenizerParts& parts) {
  ASSAY_TRY(std::shared_ptr<TokenizerState> state, build_from_parts(parts));
  return Tokenizer(std::move(state));
}

}  // namespace assay
