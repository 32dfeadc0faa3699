#include "reference/text/bpe.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "reference/text/utf8.h"

namespace assay {
namespace {

// Symbols; above, a heap is faster than scanning for the lowest rank.
constexpr std::size_t kShortPiece = 48;

}  // namespace

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
