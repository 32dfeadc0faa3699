#include "reference/text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

constexpr std::size_t kShortPiece =
    48;  // symbols; above, the heap is faster than scanning for the lowest rank

Error model_error(Code code, std::string message, const std::string& file, std::string field,
                  std::string expected = {}, std::string got = {}) {
  return Error{.code = code,
               .message = std::move(message),
               .file = file,
               .field = std::move(field),
               .expected = std::move(expected),
               .got = got.substr(0, 80)};
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U |
         static_cast<std::uint32_t>(right);
}

std::size_t slot_of(std::uint64_t pair, std::size_t mask) {
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15ULL) >> 20U) & mask;
}

// "left right" or ["left", "right"].
Result<std::pair<std::string, std::string>> read_pair(const Json& entry, std::size_t index,
                                                      const std::string& file) {
  const auto bad = [&] {
    return model_error(Code::bad_value, "a merge is not a pair of tokens", file,
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
    return model_error(Code::missing_field, "the tokenizer has no vocabulary", file, "model.vocab",
                       "an object of token: id");
  }
  Vocabulary out;
  for (const auto& [token, value] : vocab->items()) {
    if (!value.is_number_integer()) {
      return model_error(
          Code::out_of_range, fmt::format("the id of token \"{}\" cannot be used", token.substr(0, 40)), file,
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
      return model_error(Code::unsupported, "this kind of BPE is not supported", file,
                         fmt::format("model.{}", name), "null", dump_json(model.at(name)));
    }
  }
  if (model.contains("dropout") && !model.at("dropout").is_null() && model.at("dropout") != 0.0) {
    return model_error(Code::unsupported, "BPE with dropout gives no fixed ids", file, "model.dropout",
                       "null", dump_json(model.at("dropout")));
  }
  if (!model.contains("unk_token") || model.at("unk_token").is_null()) return rules;
  if (model.at("unk_token").is_string())
    rules.unknown_id = vocabulary.id_of(model.at("unk_token").get_ref<const std::string&>());
  if (rules.unknown_id < 0) {
    return model_error(Code::bad_value, "the unknown token is not in the vocabulary", file, "model.unk_token",
                       "a token", dump_json(model.at("unk_token")));
  }
  return rules;
}

}  // namespace

const std::array<char32_t, 256>& byte_characters() {
  static const std::array<char32_t, 256> kTable = [] {
    std::array<char32_t, 256> table{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      table[b] = printable ? b : next++;
    }
    return table;
  }();
  return kTable;
}

int byte_of_character(char32_t c) {
  static const std::array<std::int16_t, 324> kTable = [] {
    std::array<std::int16_t, 324> table{};
    table.fill(-1);
    for (std::size_t b = 0; b < 256; ++b) table.at(byte_characters()[b]) = static_cast<std::int16_t>(b);
    return table;
  }();
  return c < kTable.size() ? kTable[c] : -1;
}

std::string bytes_to_characters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  for (const char b : bytes) append_utf8(out, byte_characters()[static_cast<unsigned char>(b)]);
  return out;
}

std::optional<std::string> characters_to_bytes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = decode_utf8(text, at);
    const int byte = byte_of_character(c.code);
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
    at += c.bytes;
  }
  return out;
}

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
    return model_error(Code::missing_field, "the tokenizer has no merges", file, "model.merges",
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
    return model_error(Code::too_large, "the tokenizer has too many merges", file, "merges",
                       fmt::format("at most {}", kMaxMerges), std::to_string(merges.size()));
  }
  Bpe bpe(std::move(vocabulary), std::move(rules));
  std::vector<Merge> table;
  table.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view text = merges[i];
    const std::size_t space = text.find(' ', 1);  // a token may begin with a space only where it is one
    if (space == std::string_view::npos || space + 1 == text.size()) {
      return model_error(Code::bad_value, "a merge is not a pair of tokens", file,
                         fmt::format("merges[{}]", i), "\"left right\"", std::string(text));
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
      return model_error(Code::too_large, "the tokens are too many and too long to try all their halves",
                         file, "vocab", fmt::format("at most {} merges", kMaxMerges),
                         fmt::format("token {}", id));
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
    return model_error(Code::bad_value, "a merge names a token that is not in the vocabulary", file,
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
    return model_error(Code::too_large, "the vocabulary has too many characters", file, "vocab");
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

const Bpe::Merge* Bpe::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t pair = pair_key(left, right);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = slot_of(pair, mask);; slot = (slot + 1) & mask) {
    if (table_[slot].pair == pair) return &table_[slot];
    if (table_[slot].pair == kNoPair) return nullptr;
  }
}

int Bpe::unit_id(std::string_view unit) const {
  const int id = vocabulary_.id_of(unit);
  return id >= 0 || loose_text_.empty() ? id : loose_.find(unit);
}

// The bytes of a character that is no token, else the unknown token.
void Bpe::append_unknown(std::string_view unit, std::vector<int>& ids) const {
  const auto id_of_byte = [&](char b) { return rules_.fallback[static_cast<unsigned char>(b)]; };
  const bool known = std::all_of(unit.begin(), unit.end(), [&](char b) { return id_of_byte(b) >= 0; });
  if (rules_.byte_fallback && known) {
    for (const char b : unit) ids.push_back(id_of_byte(b));
    return;
  }
  if (rules_.unknown_id < 0) return;  // dropped, as the library does
  const bool joins = rules_.fuse_unknown && !ids.empty() && ids.back() == rules_.unknown_id;
  if (!joins) ids.push_back(rules_.unknown_id);
}

// The library's order is kept even where it surprises: characters that fall back to bytes do not end a run of
// unknowns.
void Bpe::first_symbols(std::string_view piece, bool raw_bytes, std::vector<int>& ids) const {
  int pending_unknown = -1;
  std::string mapped;
  for (std::size_t at = 0, n = 0; at < piece.size(); at += n) {
    const Trie::Hit hit = frozen_.empty() ? Trie::Hit{} : frozen_.longest(piece, at);
    n = hit.bytes > 0 ? hit.bytes : raw_bytes ? 1 : decode_utf8(piece, at).bytes;
    std::string_view unit = piece.substr(at, n);
    const int id = hit.bytes > 0 ? hit.value + kFrozen
                   : raw_bytes   ? byte_id_[static_cast<unsigned char>(unit[0])]
                                 : unit_id(unit);
    if (id >= 0) {
      if (pending_unknown >= 0) ids.push_back(std::exchange(pending_unknown, -1));
      ids.push_back(id);
      continue;
    }
    if (raw_bytes) unit = mapped = bytes_to_characters(unit);
    const std::size_t before = ids.size();
    append_unknown(unit, ids);
    if (ids.size() != before + 1 || ids.back() != rules_.unknown_id) continue;
    ids.pop_back();
    if (pending_unknown >= 0 && !rules_.fuse_unknown) ids.push_back(pending_unknown);
    pending_unknown = rules_.unknown_id;
  }
  if (pending_unknown >= 0) ids.push_back(pending_unknown);
}

void Bpe::merge_short(std::vector<int>& ids) const {
  struct Next {
    std::uint32_t rank;
    std::int32_t id;
  };
  constexpr std::uint32_t kNever = ~std::uint32_t{0};
  std::array<Next, kShortPiece> next;
  std::size_t n = ids.size();
  const auto look_up = [&](std::size_t i) {
    const Merge* m = i + 1 < n ? find(ids[i], ids[i + 1]) : nullptr;
    next[i] = m ? Next{m->rank, m->id} : Next{kNever, -1};
  };
  for (std::size_t i = 0; i < n; ++i) look_up(i);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (next[i].rank < next[best].rank) best = i;
    }
    if (next[best].rank == kNever) break;
    ids[best] = next[best].id;
    std::memmove(&ids[best + 1], &ids[best] + 2, (n - best - 2) * sizeof(int));
    std::memmove(&next[best + 1], &next[best] + 2, (n - best - 2) * sizeof(Next));
    --n;
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  ids.resize(n);
}

void Bpe::merge_long(EncodeScratch& scratch) const {
  using Candidate = EncodeScratch::Candidate;
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  auto& ids = scratch.ids;
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto n = static_cast<std::int32_t>(ids.size());
  symbols.resize(ids.size());
  heap.clear();
  for (std::int32_t i = 0; i < n; ++i) symbols[i] = {ids[i], i - 1, i + 1 < n ? i + 1 : -1};
  const auto offer = [&](std::int32_t at) {
    if (at < 0 || symbols[at].next < 0) return;
    const Merge* m = find(symbols[at].id, symbols[symbols[at].next].id);
    if (!m) return;
    heap.push_back({m->rank, at, m->id});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  for (std::int32_t i = 0; i < n; ++i) offer(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate top = heap.back();
    heap.pop_back();
    Symbol& left = symbols[top.at];
    if (left.id < 0 || left.next < 0) continue;  // -1: merged into its left neighbour
    const Merge* now = find(left.id, symbols[left.next].id);
    if (!now || now->id != top.id) continue;  // offered before a neighbour changed
    Symbol& right = symbols[left.next];
    left.id = top.id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[left.next].previous = top.at;
    offer(left.previous);
    offer(top.at);
  }
  ids.clear();
  for (std::int32_t i = 0; i >= 0 && i < n; i = symbols[i].next) ids.push_back(symbols[i].id);
}

// The token that the whole piece is, where that is known to be the answer or (ignore_merges) the rule; else -1.
// `-2 - id` where the piece is a token of which the merges have not been asked yet.
int Bpe::whole_piece(std::string_view piece, bool raw_bytes) const {
  if (!frozen_.empty() || (!raw_bytes && piece.size() > longest_)) return -1;
  const int id = raw_bytes ? raw_.find(piece) : vocabulary_.id_of(piece);
  if (id < 0 || rules_.ignore_merges) return id;
  const auto known = whole_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed);
  return known == 1 ? id : known == 2 ? -1 : -2 - id;
}

void Bpe::append_resolved(const std::vector<int>& ids, std::vector<int>& out) const {
  for (const int id : ids) {
    if (id >= kFrozen)
      out.push_back(id - kFrozen);
    else if (id > vocabulary_.max_id())
      append_unknown(loose_text_[static_cast<std::size_t>(id - vocabulary_.max_id() - 1)], out);
    else
      out.push_back(id);
  }
}

void Bpe::encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
                 std::vector<int>& out) const {
  if (piece.empty()) return;
  ASSAY_CHECK(piece.size() < (std::size_t{1} << 31) && raw_bytes == rules_.raw_bytes);
  const int whole = whole_piece(piece, raw_bytes);
  if (whole >= 0) {
    out.push_back(whole);
    return;
  }
  auto& ids = scratch.ids;
  ids.clear();
  first_symbols(piece, raw_bytes, ids);
  if (ids.size() > kShortPiece)
    merge_long(scratch);
  else if (ids.size() > 1)
    merge_short(ids);
  if (whole <= -2) {
    const bool same = ids.size() == 1 && ids[0] == -2 - whole;
    whole_[static_cast<std::size_t>(-2 - whole)].store(same ? 1 : 2, std::memory_order_relaxed);
  }
  if (frozen_.empty() && loose_text_.empty())
    out.insert(out.end(), ids.begin(), ids.end());
  else
    append_resolved(ids, out);
}

}  // namespace assay
