// tokenizer.json to the tables of a tokenizer.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "base/sha256.h"
#include "reference/text/bpe.h"
#include "reference/text/tokenizer_state.h"
#include "reference/text/unigram.h"
#include "reference/text/word_piece.h"

namespace assay {
namespace {

Result<std::vector<AddedToken>> read_added_list(const Json& list, const std::string& file) {
  std::vector<AddedToken> out;
  if (list.is_null()) return out;
  if (!list.is_array()) {
    return Error{.code = Code::bad_value,
                 .message = "the added tokens are not a list",
                 .file = file,
                 .field = "added_tokens",
                 .expected = "an array"};
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    ASSAY_TRY(AddedToken token, read_added_token(list[i], file, fmt::format("added_tokens[{}]", i)));
    out.push_back(std::move(token));
  }
  return out;
}

// The kind is named since 2020; files before that leave it out.
Result<std::unique_ptr<TokenModel>> read_model(const Json& model, bool raw_bytes, const std::string& file) {
  const Json& type = member_or_null(model, "type");
  if (type == "BPE" || (type.is_null() && model.contains("merges")))
    return boxed(Bpe::from_json(model, raw_bytes, file));
  if ((type == "Unigram" || type == "WordPiece") && raw_bytes) {
    return Error{.code = Code::unsupported,
                 .message = "a tokenizer of bytes that is no BPE is not supported",
                 .file = file,
                 .field = "pre_tokenizer"};
  }
  if (type == "Unigram") return boxed(Unigram::from_json(model, file));
  if (type == "WordPiece") return boxed(WordPiece::from_json(model, file));
  return unknown_kind(type.is_string() ? type.get<std::string>() : dump_json(type), file, "model.type");
}

std::optional<int> special_id(const TokenizerState& state, const std::vector<std::string>& names,
                              std::optional<int> otherwise) {
  for (const std::string& name : names) {
    const int added = state.added.id_of(name);
    const int id = added >= 0 ? added : state.model->vocabulary().id_of(name);
    if (id >= 0) return id;
  }
  return otherwise;
}

Status fill(TokenizerState& state, const Json& json, const TokenizerSiblings& beside,
            const std::string& file) {
  ASSAY_TRY(state.pre_tokenizer, PreTokenizer::from_json(member_or_null(json, "pre_tokenizer"), file));
  ASSAY_TRY(state.model, read_model(json.at("model"), state.pre_tokenizer.raw_bytes(), file));
  ASSAY_TRY(state.normalizer, Normalizer::from_json(member_or_null(json, "normalizer"), file));
  ASSAY_TRY(state.decoder, Decoder::from_json(member_or_null(json, "decoder"), file));
  ASSAY_TRY(const auto own, read_added_list(member_or_null(json, "added_tokens"), file));
  ASSAY_OK(state.added.add(own, state.model->vocabulary(), file));
  ASSAY_OK(state.added.add(beside.added, state.model->vocabulary(), beside.config_file));
  state.added.finish(state.normalizer);
  ASSAY_TRY(state.post_processor, PostProcessor::from_json(member_or_null(json, "post_processor"), file));
  state.bos = special_id(state, beside.bos_names, beside.bos_id);
  state.eos = special_id(state, beside.eos_names, beside.eos_id);
  return {};
}

std::string digest_of(const TokenizerState& state, std::string_view text) {
  Sha256 sha;
  sha.add_field("tokenizer-1").add_field(text);
  for (const auto& [id, t] : state.added.all()) {
    sha.add_field(fmt::format("{} {} {}{}{}{}{}", id, t.content, +t.single_word, +t.lstrip, +t.rstrip,
                              +t.normalized, +t.special));
  }
  sha.add_field(fmt::format("{} {}", state.bos.value_or(-1), state.eos.value_or(-1)));
  return sha.hex();
}

}  // namespace

Result<std::shared_ptr<TokenizerState>> build_tokenizer_json(std::string_view text,
                                                             const TokenizerSiblings& beside,
                                                             const std::string& file) {
  ASSAY_TRY(const Json json, parse_json(text, file));
  if (!json.is_object() || !member_or_null(json, "model").is_object()) {
    return Error{.code = Code::missing_field,
                 .message = "the file is no tokenizer.json: it has no model",
                 .file = file,
                 .field = "model"};
  }
  auto state = std::make_shared<TokenizerState>();
  ASSAY_OK(fill(*state, json, beside, file));
  state->digest = digest_of(*state, text);
  return state;
}

}  // namespace assay
