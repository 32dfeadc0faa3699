#include "reference/text/word_piece.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceRules rules)
    : TokenModel(std::move(vocabulary)), rules_(std::move(rules)) {
  std::vector<std::pair<std::string, int>> begins, goes_on;
  for (int id = 0; id <= vocabulary_.max_id(); ++id) {
    if (!vocabulary_.searchable(id)) continue;
    const std::string_view token = *vocabulary_.token_of(id);
    begins.emplace_back(token, id);
    if (token.starts_with(rules_.prefix)) goes_on.emplace_back(token.substr(rules_.prefix.size()), id);
  }
  begins_ = Trie(std::move(begins));
  goes_on_ = Trie(std::move(goes_on));
}

Result<WordPiece> WordPiece::from_vocabulary(Vocabulary vocabulary, WordPieceRules rules,
                                             const std::string& file) {
  if (!vocabulary.has(rules.unknown_id)) {
    return Error{.code = Code::bad_value,
                 .message = "the unknown token is not in the vocabulary",
                 .file = file,
                 .field = "model.unk_token",
                 .expected = "a token"};
  }
  return WordPiece(std::move(vocabulary), std::move(rules));
}

Result<WordPiece> WordPiece::from_json(const Json& model, const std::string& file) {
  const auto vocab = model.find("vocab");
  if (vocab == model.end() || !vocab->is_object() || vocab->empty()) {
    return Error{.code = Code::missing_field,
                 .message = "the tokenizer has no vocabulary",
                 .file = file,
                 .field = "model.vocab",
                 .expected = "an object of token: id"};
  }
  Vocabulary vocabulary;
  for (const auto& [token, value] : vocab->items()) {
    const std::int64_t id = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    ASSAY_OK(vocabulary.add(token, id, true, file, "model.vocab"));
  }
  WordPieceRules rules;
  ASSAY_TRY(const std::string unknown, json_string(model, "unk_token", file));
  rules.unknown_id = vocabulary.id_of(unknown);
  if (model.contains("continuing_subword_prefix")) {
    ASSAY_TRY(rules.prefix, json_string(model, "continuing_subword_prefix", file));
  }
  if (model.contains("max_input_chars_per_word")) {
    ASSAY_TRY(const std::int64_t most, json_int(model, "max_input_chars_per_word", file));
    rules.max_characters = most < 0 ? 0 : static_cast<std::size_t>(most);
  }
  return from_vocabulary(std::move(vocabulary), std::move(rules), file);
}

void WordPiece::encode(std::string_view piece, bool raw_bytes, EncodeScratch&, std::vector<int>& out) const {
  ASSAY_CHECK(!raw_bytes);
  if (piece.empty()) return;
  const std::size_t before = out.size();
  bool known = count_characters(piece) <= rules_.max_characters;
  for (std::size_t at = 0; known && at < piece.size();) {
    const Trie::Hit hit = (at == 0 ? begins_ : goes_on_).longest(piece, at);
    known = hit.bytes > 0;
    at += hit.bytes;
    if (known) out.push_back(hit.value);
  }
  if (known) return;
  out.resize(before);
  out.push_back(rules_.unknown_id);
}

}  // namespace assay
