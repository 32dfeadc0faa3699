// Byte-pair encoding of one piece of text: Sennrich et al. 2016 in the form of the `tokenizers` library
// (models::BPE): the pair of lowest merge rank first, the leftmost where ranks are equal. tiktoken and
// SentencePiece's BPE are the same with other ranks: any two neighbours whose text together is a token may be
// merged, at the rank (or by the score) of that token.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/byte_characters.h"
#include "reference/text/token_model.h"
#include "reference/text/trie.h"
#include "reference/text/vocabulary.h"

namespace assay {

inline constexpr std::size_t kMaxMerges = std::size_t{1} << 23;
// Of a token whose halves are all tried (tiktoken, SentencePiece): bytes squared and summed over the file. The
// largest published vocabularies stay below 2^27.
inline constexpr std::uint64_t kMaxSplitWork = std::uint64_t{1} << 32;

using FallbackIds = std::array<int, 256>;  // id of "<0xNN>", -1: none

struct BpeRules {
  bool raw_bytes = false;      // pieces come as bytes: the vocabulary is searched by bytes too
  bool byte_fallback = false;  // unknown characters become "<0xNN>" tokens
  bool fuse_unknown = false;   // a run of unknown characters is one unknown token
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges make of it
  int unknown_id = -1;         // -1: unknown characters are dropped
  FallbackIds fallback{};      // used with byte_fallback
  std::vector<std::pair<std::string, int>> frozen;  // found in the piece first; take part in no merge
};

class Bpe final : public TokenModel {
 public:
  // `model` is the "model" object of tokenizer.json.
  static Result<Bpe> from_json(const Json& model, bool raw_bytes, const std::string& file);
  // `merges` as "left right" in order of rank.
  static Result<Bpe> from_merges(Vocabulary vocabulary, const std::vector<std::string>& merges,
                                 BpeRules rules, const std::string& file);
  // Every cut of a searchable token into two parts (tokens or single characters) is a merge of rank
  // `rank[id]`.
  static Result<Bpe> from_ranks(Vocabulary vocabulary, const std::vector<std::uint32_t>& rank, BpeRules rules,
                                const std::string& file);

  void encode(std::string_view piece, bool raw_bytes, EncodeScratch& scratch,
              std::vector<int>& out) const override;

 private:
  struct Merge {
    std::uint64_t pair = kNoPair;  // left << 32 | right
    std::uint32_t rank = 0;
    std::int32_t id = 0;
  };
  using Symbol = EncodeScratch::Symbol;
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};
  static constexpr std::int32_t kFrozen = 1 << 30;  // added to the id of a symbol that merges with nothing

  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U |
           static_cast<std::uint32_t>(right);
  }
  static std::size_t slot_of(std::uint64_t pair, std::size_t mask) {
    return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15ULL) >> 20U) & mask;
  }

  Bpe(Vocabulary vocabulary, BpeRules rules);
  Result<Merge> merge_of(std::string_view left, std::string_view right, std::size_t index,
                         const std::string& field, const std::string& file) const;
  Status add_splits(int id, std::uint32_t rank, std::vector<Merge>& merges, const std::string& file);
  int part_id(std::string_view part);
  void build_table(const std::vector<Merge>& merges);
  const Merge* find(std::int32_t left, std::int32_t right) const;

  int whole_piece(std::string_view piece, bool raw_bytes) const;
  int unit_id(std::string_view unit) const;
  void first_symbols(std::string_view piece, bool raw_bytes, std::vector<int>& ids) const;
  void append_unknown(std::string_view unit, std::vector<int>& ids) const;
  void merge_short(std::vector<int>& ids) const;
  void merge_long(EncodeScratch& scratch) const;
  void append_resolved(const std::vector<int>& ids, std::vector<int>& out) const;

  BpeRules rules_;
  std::vector<Merge> table_;        // open addressing, a power of two
  std::array<int, 256> byte_id_{};  // id of the character that stands for a byte, -1: none
  StringTable raw_;                 // tokens as bytes, for raw_bytes
  std::size_t longest_ = 0;         // bytes of the longest token as a piece gives it
  Trie frozen_;
  // Characters that are no token but begin or end one (SentencePiece merges them): ids above the vocabulary's.
  StringTable loose_;
  std::vector<std::string> loose_text_;
  // Whether the merges make of a token's text that token: 0 not known yet, 1 yes, 2 no.
  std::unique_ptr<std::atomic<std::uint8_t>[]> whole_;
};

}  // namespace assay
