#include "reference/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "reference/text/tokenizer_state.h"
#include "reference/text/unicode_forms.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// Normalizes, cuts and encodes one stretch of text between added tokens that are found before normalization.
bool encode_stretch(const TokenizerState& state, std::string_view text, bool at_start,
                    std::vector<int>& out) {
  bool within_budget = true;
  if (state.space_is_prefix && !at_start && text.starts_with(' ')) text.remove_prefix(1);
  std::string normalized;
  if (!state.normalizer.empty()) {
    normalized = text;
    within_budget = state.normalizer.apply(normalized);
    text = normalized;
  }
  std::vector<TextSegment> segments;
  state.added.find(text, true, segments);
  Arena arena;
  EncodeScratch scratch;
  std::vector<Piece> pieces;
  const bool raw_bytes = state.pre_tokenizer.raw_bytes();
  for (const TextSegment& s : segments) {
    if (s.id >= 0) {
      out.push_back(s.id);
      continue;
    }
    pieces.assign(1, {text.substr(s.begin, s.end - s.begin), at_start && s.begin == 0});
    within_budget = state.pre_tokenizer.apply(pieces, arena) && within_budget;
    for (const Piece& p : pieces) state.model->encode(p.text, raw_bytes, scratch, out);
    arena.clear();
  }
  return within_budget;
}

// `specials`: control tokens in the text are found.
bool encode_text(const TokenizerState& state, std::string_view text, bool specials, std::vector<int>& out) {
  std::string repaired;
  if (!valid_utf8(text)) {
    repaired = state.repair_bytewise ? repair_utf8_bytewise(text) : repair_utf8(text);
    text = repaired;
  }
  if (state.nfc_first) {
    if (repaired.empty()) repaired = text;
    to_nfc(repaired);
    text = repaired;
  }
  bool within_budget = true;
  std::vector<TextSegment> segments;
  state.added.find(text, false, segments, specials);
  for (const TextSegment& s : segments) {
    if (s.id >= 0)
      out.push_back(s.id);
    else
      within_budget =
          encode_stretch(state, text.substr(s.begin, s.end - s.begin), s.begin == 0, out) && within_budget;
  }
  return within_budget;
}

}  // namespace

Result<std::vector<int>> Tokenizer::encode_within_limits(std::string_view utf8, bool specials) const {
  ASSAY_CHECK(state_ != nullptr);
  if (utf8.size() > kMaxEncodeBytes) {
    return Error{.code = Code::too_large,
                 .message = "the text to encode is too long",
                 .expected = fmt::format("at most {} bytes", kMaxEncodeBytes),
                 .got = std::to_string(utf8.size())};
  }
  std::vector<int> out;
  if (encode_text(*state_, utf8, specials, out)) return out;
  return Error{.code = Code::too_large,
               .message = "a regular expression of the tokenizer passed its step budget on this text",
               .field = "pre_tokenizer",
               .expected = fmt::format("at most {} steps a match", kMaxMatchSteps)};
}

Result<std::vector<int>> Tokenizer::try_encode(std::string_view utf8, bool add_special) const {
  auto ids = encode_within_limits(utf8, true);
  if (ids.ok() && add_special) state_->post_processor.apply(*ids);
  return ids;
}

Result<std::vector<int>> Tokenizer::try_encode_ordinary(std::string_view utf8) const {
  return encode_within_limits(utf8, false);
}

std::vector<int> Tokenizer::encode(std::string_view utf8, bool add_special) const {
  ASSAY_CHECK(state_ != nullptr && utf8.size() <= kMaxEncodeBytes);
  std::vector<int> out;
  encode_text(*state_, utf8, true, out);
  if (add_special) state_->post_processor.apply(out);
  return out;
}

std::vector<int> Tokenizer::encode_ordinary(std::string_view utf8) const {
  ASSAY_CHECK(state_ != nullptr && utf8.size() <= kMaxEncodeBytes);
  std::vector<int> out;
  encode_text(*state_, utf8, false, out);
  return out;
}

std::string Tokenizer::decode_bytes(const std::vector<int>& ids, bool skip_special) const {
  std::vector<std::string> tokens;
  std::vector<bool> verbatim;
  for (const int id : ids) {
    const AddedToken* added = state_->added.by_id(id);
    if (added && added->special && skip_special) continue;
    const auto token =
        added ? std::optional<std::string_view>(added->content) : state_->model->vocabulary().token_of(id);
    if (!token) continue;
    tokens.emplace_back(*token);
    verbatim.push_back(added != nullptr);
  }
  return state_->decoder.decode(std::move(tokens), verbatim);
}

std::string Tokenizer::decode(const std::vector<int>& ids, bool skip_special) const {
  return repair_utf8(decode_bytes(ids, skip_special));
}

bool Tokenizer::has_id(int id) const {
  return state_->added.by_id(id) != nullptr || state_->model->vocabulary().has(id);
}

bool Tokenizer::is_special(int id) const {
  const AddedToken* added = state_->added.by_id(id);
  return added && added->special;
}

bool Tokenizer::is_fallback_byte(int id) const {
  const auto token = state_->added.by_id(id) ? std::nullopt : state_->model->vocabulary().token_of(id);
  return token && state_->decoder.joins_byte_tokens() && fallback_byte(*token) >= 0;
}

bool Tokenizer::decodes_token_by_token() const { return state_->decoder.byte_level(); }

std::string Tokenizer::token_text(int id) const {
  if (const AddedToken* added = state_->added.by_id(id)) return added->content;
  const auto token = state_->model->vocabulary().token_of(id);
  return token ? state_->decoder.token_bytes(std::string(*token)) : "";
}

int Tokenizer::token_id(std::string_view token) const {
  const int added = state_->added.id_of(token);
  return added >= 0 ? added : state_->model->vocabulary().id_of(token);
}

std::optional<int> Tokenizer::bos_id() const { return state_->bos; }
std::optional<int> Tokenizer::eos_id() const { return state_->eos; }
std::string Tokenizer::bos_token() const { return state_->bos ? token_text(*state_->bos) : ""; }
std::string Tokenizer::eos_token() const { return state_->eos ? token_text(*state_->eos) : ""; }
int Tokenizer::vocab_size() const {
  return std::max(state_->model->vocabulary().max_id(), state_->added.max_id()) + 1;
}
std::string Tokenizer::digest() const { return state_->digest; }

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special)
    : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

// Tokens before the last one cannot matter to what comes: a decoder looks at a token, at whether it is the first, and
// at runs of byte tokens. The last one is kept so that what follows is not the first.
void StreamDecoder::forget() {
  if (tokenizer_.decodes_token_by_token()) {
    ids_.clear();
    given_.clear();
    return;
  }
  if (ids_.size() < kContextTokens) return;
  std::size_t keep = ids_.size();
  do {
    --keep;
    given_ = repair_utf8(tokenizer_.decode_bytes(
        {ids_.begin() + static_cast<std::ptrdiff_t>(keep), ids_.end()}, skip_special_));
  } while (keep > 0 && given_.empty());
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(keep));
}

// A run of byte tokens is one character or one U+FFFD a byte, which its end decides: it is held back as a whole.
std::string StreamDecoder::take(bool all) {
  std::size_t n = ids_.size();
  while (!all && n > 0 && tokenizer_.is_fallback_byte(ids_[n - 1])) --n;
  const bool held = n < ids_.size();
  std::string text =
      tokenizer_.decode_bytes({ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(n)}, skip_special_);
  const std::size_t open = all ? 0 : incomplete_tail_bytes(text);
  text.resize(text.size() - open);
  text = repair_utf8(text);
  std::string fresh = text.size() > given_.size() ? text.substr(given_.size()) : "";
  if (text.size() > given_.size()) given_ = std::move(text);
  if (open == 0 && !held && !all) forget();
  return fresh;
}

// What decode leaves out must not part a run of byte tokens here either.
std::string StreamDecoder::add(int id) {
  if (!tokenizer_.has_id(id) || (skip_special_ && tokenizer_.is_special(id))) return "";
  ids_.push_back(id);
  return take(false);
}

std::string StreamDecoder::finish() {
  std::string rest = take(true);
  ids_.clear();
  given_.clear();
  return rest;
}

}  // namespace assay
