#include "reference/text/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/refusal.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr double kUnknownPenalty = 10.0;  // both programs: unigram_model.cc, unigram/model.rs

}  // namespace

Unigram::Unigram(Vocabulary vocabulary, std::vector<double> score, UnigramRules rules)
    : TokenModel(std::move(vocabulary)), rules_(std::move(rules)), score_(std::move(score)) {
  double lowest = std::numeric_limits<float>::max();
  highest_ = std::numeric_limits<float>::lowest();
  std::vector<std::pair<std::string, int>> keys;
  user_defined_.assign(score_.size(), false);
  for (const int id : rules_.user_defined) user_defined_[static_cast<std::size_t>(id)] = true;
  for (int id = 0; id <= vocabulary_.max_id(); ++id) {
    if (!vocabulary_.searchable(id)) continue;
    keys.emplace_back(*vocabulary_.token_of(id), id);
    const auto at = static_cast<std::size_t>(id);
    if (rules_.sentencepiece && user_defined_[at]) continue;  // their scores do not count
    lowest = std::min(lowest, score_[at]);
    highest_ = std::max(highest_, score_[at]);
  }
  trie_ = Trie(std::move(keys));
  unknown_score_ = lowest - kUnknownPenalty;
  if (rules_.sentencepiece) unknown_score_ = static_cast<float>(unknown_score_);
}

Result<Unigram> Unigram::from_scores(Vocabulary vocabulary, std::vector<double> score, UnigramRules rules,
                                     const std::string& file) {
  ASSAY_CHECK(score.size() == static_cast<std::size_t>(vocabulary.max_id() + 1));
  if (!vocabulary.has(rules.unknown_id)) {
    return refusal(Code::bad_value, "the model has no unknown token", file, "unk_id", "the id of a token",
                   std::to_string(rules.unknown_id));
  }
  return Unigram(std::move(vocabulary), std::move(score), std::move(rules));
}

// "vocab": [["token", score], …] in the order of ids, "unk_id".
Result<Unigram> Unigram::from_json(const Json& model, const std::string& file) {
  const auto list = model.find("vocab");
  if (list == model.end() || !list->is_array() || list->empty())
    return refusal(Code::missing_field, "the tokenizer has no vocabulary", file, "model.vocab",
                   "an array of [token, score]", "");
  Vocabulary vocabulary;
  std::vector<double> score;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& entry = (*list)[i];
    const std::string field = fmt::format("model.vocab[{}]", i);
    const bool pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
    if (!pair || !std::isfinite(entry[1].get<double>()))
      return refusal(Code::bad_value, "an entry of the vocabulary cannot be used", file, field,
                     "[token, score]", dump_json(entry));
    ASSAY_OK(vocabulary.add(entry[0].get_ref<const std::string&>(), static_cast<std::int64_t>(i), true, file,
                            field));
    score.push_back(entry[1].get<double>());
  }
  UnigramRules rules;
  const auto unknown = model.find("unk_id");
  if (unknown != model.end() && unknown->is_number_unsigned() &&
      unknown->get<std::uint64_t>() < static_cast<std::uint64_t>(vocabulary.size()))
    rules.unknown_id = unknown->get<int>();
  rules.byte_fallback = model.contains("byte_fallback") && model.at("byte_fallback") == true;
  for (std::size_t b = 0; b < 256; ++b) rules.fallback[b] = vocabulary.id_of(fmt::format("<0x{:02X}>", b));
  return from_scores(std::move(vocabulary), std::move(score), std::move(rules), file);
}

void Unigram::append_unknown(std::string_view text, std::vector<int>& out) const {
  const auto id_of_byte = [&](char b) { return rules_.fallback[static_cast<unsigned char>(b)]; };
  const bool known = std::all_of(text.begin(), text.end(), [&](char b) { return id_of_byte(b) >= 0; });
  if (!rules_.byte_fallback || !known) {
    out.push_back(rules_.unknown_id);
    return;
  }
  for (const char b : text) out.push_back(id_of_byte(b));
}

void Unigram::encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
                     std::vector<int>& out) const {
  ASSAY_CHECK(!raw_bytes && piece.size() < (std::size_t{1} << 31));
  auto& best = scratch.nodes;  // by byte: the best way to get there
  best.assign(piece.size() + 1, {0, -1, -1});
  const auto offer = [&](std::size_t from, std::size_t to, double score, int id) {
    auto& node = best[to];
    if (node.from >= 0 && !(score > node.score)) return;
    node = {rules_.sentencepiece ? static_cast<double>(static_cast<float>(score)) : score,
            static_cast<std::int32_t>(from), id};
  };
  for (std::size_t at = 0, n = 0; at < piece.size(); at += n) {
    n = decode_utf8(piece, at).bytes;
    bool single = false;
    const double before = best[at].score;
    trie_.each(piece, at, [&](int id, std::size_t bytes) {
      const auto place = static_cast<std::size_t>(id);
      const bool own = rules_.sentencepiece && user_defined_[place];
      offer(at, at + bytes, before + (own ? static_cast<double>(bytes) * highest_ - 0.1 : score_[place]), id);
      single = single || bytes == n;
    });
    if (single) continue;
    // sentencepiece adds these two in f32: rounded when it is stored, as here.
    offer(at, at + n, before + unknown_score_, rules_.unknown_id);
  }
  auto& ids = scratch.ids;  // ends of the pieces, last first
  ids.clear();
  for (auto end = static_cast<std::int32_t>(piece.size()); end > 0;
       end = best[static_cast<std::size_t>(end)].from)
    ids.push_back(end);
  std::size_t unknown_begin = 0;
  for (std::size_t i = ids.size(); i-- > 0;) {
    const auto& node = best[static_cast<std::size_t>(ids[i])];
    if (node.id != rules_.unknown_id) {
      out.push_back(node.id);
      continue;
    }
    // A run of unknown characters is one unknown token.
    const bool joins =
        i + 1 < ids.size() && best[static_cast<std::size_t>(ids[i + 1])].id == rules_.unknown_id;
    if (!joins) unknown_begin = static_cast<std::size_t>(node.from);
    const bool ends = i == 0 || best[static_cast<std::size_t>(ids[i - 1])].id != rules_.unknown_id;
    if (ends)
      append_unknown(piece.substr(unknown_begin, static_cast<std::size_t>(ids[i]) - unknown_begin), out);
  }
}

}  // namespace assay
