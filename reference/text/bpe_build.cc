// Byte-pair encoders from the files that describe them.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/bpe.h"
#include "reference/text/refusal.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// "left right" or ["left", "right"].
Result<std::pair<std::string, std::string>> read_pair(const Json& entry, std::size_t index,
                                                      const std::string& file) {
  const auto bad = [&] {
    return refusal(Code::bad_value, "a merge is not a pair of tokens", file,
                   fmt::format("model.merges[{}]", index), "\"left right\" or [\"left\", \"right\"]",
                   dump_json(entry));
  };
  if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
    return std::pair(entry[0].get<std::string>(), entry[1].get<std::string>());
  }
  if (!entry.is_string()) return bad();
  const auto& text = entry.get_ref<const std::string&>();
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return bad();
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

FallbackIds fallback_of(const Vocabulary& vocabulary) {
  FallbackIds out{};
  for (std::size_t b = 0; b < 256; ++b) out[b] = vocabulary.id_of(fmt::format("<0x{:02X}>", b));
  return out;
}

Result<Vocabulary> read_vocabulary(const Json& model, const std::string& file) {
  const auto vocab = model.find("vocab");
  if (vocab == model.end() || !vocab->is_object() || vocab->empty()) {
    return refusal(Code::missing_field, "the tokenizer has no vocabulary", file, "model.vocab",
                   "an object of token: id");
  }
  Vocabulary out;
  for (const auto& [token, value] : vocab->items()) {
    if (!value.is_number_integer()) {
      return refusal(Code::out_of_range,
                     fmt::format("the id of token \"{}\" cannot be used", token.substr(0, 40)), file,
                     "model.vocab", fmt::format("an integer from 0 to {}", kMaxTokenId), dump_json(value));
    }
    ASSAY_OK(out.add(token, value.get<std::int64_t>(), true, file, "model.vocab"));
  }
  return out;
}

Result<BpeRules> read_rules(const Json& model, const Vocabulary& vocabulary, const std::string& file) {
  BpeRules rules;
  const auto flag = [&](const char* name) { return model.contains(name) && model.at(name) == true; };
  rules.byte_fallback = flag("byte_fallback");
  rules.fuse_unknown = flag("fuse_unk");
  rules.ignore_merges = flag("ignore_merges");
  rules.fallback = fallback_of(vocabulary);
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (model.contains(name) && !model.at(name).is_null() && model.at(name) != "") {
      return refusal(Code::unsupported, "this kind of BPE is not supported", file,
                     fmt::format("model.{}", name), "null", dump_json(model.at(name)));
    }
  }
  if (model.contains("dropout") && !model.at("dropout").is_null() && model.at("dropout") != 0.0) {
    return refusal(Code::unsupported, "BPE with dropout gives no fixed ids", file, "model.dropout", "null",
                   dump_json(model.at("dropout")));
  }
  if (!model.contains("unk_token") || model.at("unk_token").is_null()) return rules;
  if (model.at("unk_token").is_string())
    rules.unknown_id = vocabulary.id_of(model.at("unk_token").get_ref<const std::string&>());
  if (rules.unknown_id < 0) {
    return refusal(Code::bad_value, "the unknown token is not in the vocabulary", file, "model.unk_token",
                   "a token", dump_json(model.at("unk_token")));
  }
  return rules;
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, BpeRules rules)
    : TokenModel(std::move(vocabulary)), rules_(std::move(rules)) {
  const std::size_t ids = static_cast<std::size_t>(vocabulary_.max_id() + 1);
  whole_ = std::make_unique<std::atomic<std::uint8_t>[]>(ids);
  for (std::size_t b = 0; b < 256; ++b)
    byte_id_[b] = vocabulary_.id_of(bytes_to_characters(std::string(1, static_cast<char>(b))));
  if (rules_.raw_bytes) raw_.reserve(vocabulary_.size());
  for (int id = 0; id <= vocabulary_.max_id(); ++id) {
    if (!vocabulary_.searchable(id)) continue;
    const std::string_view token = *vocabulary_.token_of(id);
    longest_ = std::max(longest_, token.size());
    if (!rules_.raw_bytes) continue;
    const auto bytes = characters_to_bytes(token);
    if (bytes) raw_.insert(*bytes, id);
  }
  frozen_ = Trie(rules_.frozen);
}

Result<Bpe> Bpe::from_json(const Json& model, bool raw_bytes, const std::string& file) {
  ASSAY_TRY(Vocabulary vocabulary, read_vocabulary(model, file));
  ASSAY_TRY(BpeRules rules, read_rules(model, vocabulary, file));
  rules.raw_bytes = raw_bytes;
  const auto list = model.find("merges");
  if (list == model.end() || !list->is_array() || list->size() > kMaxMerges) {
    return refusal(Code::missing_field, "the tokenizer has no merges", file, "model.merges",
                   fmt::format("an array of at most {} pairs", kMaxMerges));
  }
  Bpe bpe(std::move(vocabulary), std::move(rules));
  std::vector<Merge> merges;
  merges.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    ASSAY_TRY(const auto pair, read_pair((*list)[i], i, file));
    ASSAY_TRY(const Merge merge, bpe.merge_of(pair.first, pair.second, i, "model.merges", file));
    merges.push_back(merge);
  }
  bpe.build_table(merges);
  return bpe;
}

Result<Bpe> Bpe::from_merges(Vocabulary vocabulary, const std::vector<std::string>& merges, BpeRules rules,
                             const std::string& file) {
  if (merges.size() > kMaxMerges) {
    return refusal(Code::too_large, "the tokenizer has too many merges", file, "merges",
                   fmt::format("at most {}", kMaxMerges), std::to_string(merges.size()));
  }
  Bpe bpe(std::move(vocabulary), std::move(rules));
  std::vector<Merge> table;
  table.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view text = merges[i];
    const std::size_t space = text.find(' ', 1);  // a token may begin with a space only where it is one
    if (space == std::string_view::npos || space + 1 == text.size()) {
      return refusal(Code::bad_value, "a merge is not a pair of tokens", file, fmt::format("merges[{}]", i),
                     "\"left right\"", std::string(text));
    }
    ASSAY_TRY(const Merge merge,
              bpe.merge_of(text.substr(0, space), text.substr(space + 1), i, "merges", file));
    table.push_back(merge);
  }
  bpe.build_table(table);
  return bpe;
}

Result<Bpe> Bpe::from_ranks(Vocabulary vocabulary, const std::vector<std::uint32_t>& rank, BpeRules rules,
                            const std::string& file) {
  Bpe bpe(std::move(vocabulary), std::move(rules));
  ASSAY_CHECK(rank.size() == static_cast<std::size_t>(bpe.vocabulary_.max_id() + 1));
  std::uint64_t work = 0;
  std::vector<Merge> merges;
  for (int id = 0; id <= bpe.vocabulary_.max_id(); ++id) {
    if (!bpe.vocabulary_.searchable(id)) continue;
    const std::size_t n = bpe.vocabulary_.token_of(id)->size();
    work += n * n;
    if (work > kMaxSplitWork || merges.size() > kMaxMerges) {
      return refusal(Code::too_large, "the tokens are too many and too long to try all their halves", file,
                     "vocab", fmt::format("at most {} merges", kMaxMerges), fmt::format("token {}", id));
    }
    ASSAY_OK(bpe.add_splits(id, rank[static_cast<std::size_t>(id)], merges, file));
  }
  bpe.build_table(merges);
  return bpe;
}

Result<Bpe::Merge> Bpe::merge_of(std::string_view left, std::string_view right, std::size_t index,
                                 const std::string& field, const std::string& file) const {
  const std::string joined = std::string(left) + std::string(right);
  const Merge merge{pair_key(vocabulary_.id_of(left), vocabulary_.id_of(right)),
                    static_cast<std::uint32_t>(index), vocabulary_.id_of(joined)};
  for (const std::string_view part : {left, right, std::string_view(joined)}) {
    if (vocabulary_.id_of(part) >= 0) continue;
    return refusal(Code::bad_value, "a merge names a token that is not in the vocabulary", file,
                   fmt::format("{}[{}]", field, index), "tokens of the vocabulary", std::string(part));
  }
  return merge;
}

// The id of one half of a token: a token, or a single character that is none; -1: neither.
int Bpe::part_id(std::string_view part) {
  const int known = unit_id(part);
  if (known >= 0) return known;
  if (decode_utf8(part, 0).bytes != part.size()) return -1;
  const int id = vocabulary_.max_id() + 1 + static_cast<int>(loose_text_.size());
  loose_.insert(part, id);
  loose_text_.emplace_back(part);
  return id;
}

Status Bpe::add_splits(int id, std::uint32_t rank, std::vector<Merge>& merges, const std::string& file) {
  const std::string token(*vocabulary_.token_of(id));  // a copy: part_id may not see it move
  for (std::size_t at = decode_utf8(token, 0).bytes; at < token.size(); at += decode_utf8(token, at).bytes) {
    const std::string_view text = token;
    // A half that is neither a token nor a character comes about by no merge.
    const int left = part_id(text.substr(0, at)), right = left < 0 ? -1 : part_id(text.substr(at));
    if (left >= 0 && right >= 0) merges.push_back({pair_key(left, right), rank, id});
  }
  if (vocabulary_.max_id() + static_cast<int>(loose_text_.size()) >= kFrozen) {
    return refusal(Code::too_large, "the vocabulary has too many characters", file, "vocab");
  }
  return {};
}

void Bpe::build_table(const std::vector<Merge>& merges) {
  table_.assign(std::bit_ceil(merges.size() * 2 + 2), Merge{});
  const std::size_t mask = table_.size() - 1;
  for (const Merge& m : merges) {
    std::size_t slot = slot_of(m.pair, mask);
    while (table_[slot].pair != kNoPair && table_[slot].pair != m.pair) slot = (slot + 1) & mask;
    table_[slot] = m;  // a pair that stands twice keeps its last rank, as in the library
  }
}

}  // namespace assay
