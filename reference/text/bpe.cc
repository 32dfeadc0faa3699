#include "reference/text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <queue>

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

Result<Bpe> Bpe::from_json(const Json& model, const std::string& file) {
  Bpe bpe;
  ASSAY_OK(bpe.read_vocabulary(model, file));
  ASSAY_OK(bpe.read_flags(model, file));
  ASSAY_OK(bpe.read_merges(model, file));
  return bpe;
}

Status Bpe::read_vocabulary(const Json& model, const std::string& file) {
  const auto vocab = model.find("vocab");
  if (vocab == model.end() || !vocab->is_object() || vocab->empty()) {
    return model_error(Code::missing_field, "the tokenizer has no vocabulary", file, "model.vocab",
                       "an object of token: id");
  }
  ids_.reserve(vocab->size());
  for (const auto& [token, value] : vocab->items()) {
    const bool integer = value.is_number_integer();
    const std::int64_t id = integer ? value.get<std::int64_t>() : -1;
    if (id < 0 || id > kMaxTokenId) {
      return model_error(
          Code::out_of_range, fmt::format("the id of token \"{}\" cannot be used", token.substr(0, 40)), file,
          "model.vocab", fmt::format("an integer from 0 to {}", kMaxTokenId), dump_json(value));
    }
    if (token.size() > kMaxTokenBytes) {
      return model_error(Code::too_large, "a token of the vocabulary is too long", file, "model.vocab",
                         fmt::format("at most {} bytes", kMaxTokenBytes), std::to_string(token.size()));
    }
    const auto place = static_cast<std::size_t>(id);
    if (place >= tokens_.size()) tokens_.resize(place + 1, nullptr);
    if (tokens_[place] != nullptr) {
      return model_error(Code::duplicate, "two tokens have the same id", file, "model.vocab", "each id once",
                         fmt::format("{} for \"{}\" and \"{}\"", id, *tokens_[place], token));
    }
    tokens_[place] = &ids_.emplace(token, static_cast<int>(id)).first->first;
  }
  for (std::size_t b = 0; b < 256; ++b) {
    byte_id_[b] = id_of(bytes_to_characters(std::string(1, static_cast<char>(b))));
    fallback_id_[b] = id_of(fmt::format("<0x{:02X}>", b));
  }
  all_fallback_ = std::all_of(fallback_id_.begin(), fallback_id_.end(), [](int id) { return id >= 0; });
  return {};
}

Status Bpe::read_flags(const Json& model, const std::string& file) {
  const auto flag = [&](const char* name) { return model.contains(name) && model.at(name) == true; };
  byte_fallback_ = flag("byte_fallback");
  fuse_unknown_ = flag("fuse_unk");
  ignore_merges_ = flag("ignore_merges");
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
  if (!model.contains("unk_token") || model.at("unk_token").is_null()) return {};
  if (model.at("unk_token").is_string())
    unknown_id_ = id_of(model.at("unk_token").get_ref<const std::string&>());
  if (unknown_id_ < 0) {
    return model_error(Code::bad_value, "the unknown token is not in the vocabulary", file, "model.unk_token",
                       "a token", dump_json(model.at("unk_token")));
  }
  return {};
}

Status Bpe::read_merges(const Json& model, const std::string& file) {
  const auto list = model.find("merges");
  if (list == model.end() || !list->is_array() || list->size() > kMaxMerges) {
    return model_error(Code::missing_field, "the tokenizer has no merges", file, "model.merges",
                       fmt::format("an array of at most {} pairs", kMaxMerges));
  }
  std::vector<Merge> merges;
  merges.reserve(list->size());
  for (std::size_t i = 0; i < list->size(); ++i) {
    ASSAY_TRY(const auto pair, read_pair((*list)[i], i, file));
    const int left = id_of(pair.first), right = id_of(pair.second), joined = id_of(pair.first + pair.second);
    if (left < 0 || right < 0 || joined < 0) {
      const std::string& missing = left < 0 ? pair.first : right < 0 ? pair.second : pair.first + pair.second;
      return model_error(Code::bad_value, "a merge names a token that is not in the vocabulary", file,
                         fmt::format("model.merges[{}]", i), "tokens of the vocabulary", missing);
    }
    merges.push_back({pair_key(left, right), static_cast<std::uint32_t>(i), joined});
  }
  build_table(merges);
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

int Bpe::id_of(std::string_view token) const {
  const auto it = ids_.find(token);
  return it == ids_.end() ? -1 : it->second;
}

const std::string* Bpe::token_of(int id) const {
  return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() ? tokens_[static_cast<std::size_t>(id)]
                                                                  : nullptr;
}

// The library's order is kept even where it surprises: characters that fall back to bytes do not end a run of
// unknowns.
void Bpe::first_symbols(std::string_view piece, bool raw_bytes, std::vector<int>& ids) const {
  int pending_unknown = -1;
  std::string mapped;
  for (std::size_t at = 0, n = 0; at < piece.size(); at += n) {
    n = raw_bytes ? 1 : decode_utf8(piece, at).bytes;
    std::string_view unit = piece.substr(at, n);
    int id = raw_bytes ? byte_id_[static_cast<unsigned char>(unit[0])] : id_of(unit);
    if (id >= 0) {
      if (pending_unknown >= 0) ids.push_back(std::exchange(pending_unknown, -1));
      ids.push_back(id);
      continue;
    }
    if (raw_bytes) unit = mapped = bytes_to_characters(unit);
    const bool bytes_known = std::all_of(
        unit.begin(), unit.end(), [&](char b) { return fallback_id_[static_cast<unsigned char>(b)] >= 0; });
    if (byte_fallback_ && bytes_known) {
      for (const char b : unit) ids.push_back(fallback_id_[static_cast<unsigned char>(b)]);
      continue;
    }
    if (unknown_id_ < 0) continue;  // dropped, as the library does
    if (pending_unknown >= 0 && !fuse_unknown_) ids.push_back(pending_unknown);
    pending_unknown = unknown_id_;
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
  const auto look_up = [&](std::size_t i) {
    const Merge* m = i + 1 < ids.size() ? find(ids[i], ids[i + 1]) : nullptr;
    next[i] = m ? Next{m->rank, m->id} : Next{kNever, -1};
  };
  for (std::size_t i = 0; i < ids.size(); ++i) look_up(i);
  while (ids.size() > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < ids.size(); ++i) {
      if (next[i].rank < next[best].rank) best = i;
    }
    if (next[best].rank == kNever) return;
    ids[best] = next[best].id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    for (std::size_t i = best + 1; i < ids.size(); ++i) next[i] = next[i + 1];
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
}

void Bpe::merge_long(std::vector<int>& ids) const {
  struct Candidate {
    std::uint32_t rank;
    std::int32_t at, id;
    bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
  };
  const auto n = static_cast<std::int32_t>(ids.size());
  std::vector<Symbol> symbols(ids.size());
  for (std::int32_t i = 0; i < n; ++i) symbols[i] = {ids[i], i - 1, i + 1 < n ? i + 1 : -1};
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::int32_t at) {
    if (at < 0 || symbols[at].next < 0) return;
    const Merge* m = find(symbols[at].id, symbols[symbols[at].next].id);
    if (m) queue.push({m->rank, at, m->id});
  };
  for (std::int32_t i = 0; i < n; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.at];
    if (left.id < 0 || left.next < 0) continue;
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

void Bpe::encode(std::string_view piece, bool raw_bytes, std::vector<int>& out) const {
  if (piece.empty()) return;
  ASSAY_CHECK(piece.size() < (std::size_t{1} << 31));
  if (ignore_merges_) {
    const int whole = raw_bytes ? id_of(bytes_to_characters(piece)) : id_of(piece);
    if (whole >= 0) {
      out.push_back(whole);
      return;
    }
  }
  std::vector<int> ids;
  ids.reserve(piece.size());
  first_symbols(piece, raw_bytes, ids);
  if (ids.size() <= kShortPiece)
    merge_short(ids);
  else
    merge_long(ids);
  out.insert(out.end(), ids.begin(), ids.end());
}

}  // namespace assay
