// Byte-pair encoding of one piece of text: Sennrich et al. 2016 in the form of the `tokenizers` library
// (models::BPE): the pair of lowest merge rank first, the leftmost where ranks are equal.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

inline constexpr int kMaxTokenId = (1 << 22) - 1;    // published vocabularies end below 300,000
inline constexpr std::size_t kMaxTokenBytes = 4096;  // of one vocabulary entry
inline constexpr std::size_t kMaxMerges = std::size_t{1} << 23;

// The 256 characters that stand for bytes in byte-level vocabularies (GPT-2's table): printable Latin-1
// stands for itself, the other bytes for U+0100 and up.
const std::array<char32_t, 256>& byte_characters();
int byte_of_character(char32_t c);  // -1: stands for no byte
std::string bytes_to_characters(std::string_view bytes);
std::optional<std::string> characters_to_bytes(
    std::string_view text);  // nullopt where a character stands for no byte

class Bpe {
 public:
  // `model` is the "model" object of tokenizer.json.
  static Result<Bpe> from_json(const Json& model, const std::string& file);
  Bpe(Bpe&&) = default;
  Bpe& operator=(Bpe&&) = default;
  Bpe(const Bpe&) = delete;  // tokens_ points into ids_
  Bpe& operator=(const Bpe&) = delete;

  int id_of(std::string_view token) const;    // -1: not in the vocabulary
  const std::string* token_of(int id) const;  // null: no such id
  std::size_t size() const { return ids_.size(); }
  int max_id() const { return static_cast<int>(tokens_.size()) - 1; }
  bool byte_fallback() const { return byte_fallback_; }

  // Appends the ids of one piece. With `raw_bytes` the piece is bytes of which each is one character of the
  // vocabulary (what a final ByteLevel pre-tokenizer makes of it); otherwise valid UTF-8.
  void encode(std::string_view piece, bool raw_bytes, std::vector<int>& out) const;

 private:
  Bpe() = default;
  struct Merge {
    std::uint64_t pair = kNoPair;  // left << 32 | right
    std::uint32_t rank = 0;
    std::int32_t id = 0;
  };
  struct Symbol {
    std::int32_t id = 0, previous = -1, next = -1;  // id -1: merged into its left neighbour
  };
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  Status read_vocabulary(const Json& model, const std::string& file);
  Status read_merges(const Json& model, const std::string& file);
  Status read_flags(const Json& model, const std::string& file);
  void build_table(const std::vector<Merge>& merges);
  const Merge* find(std::int32_t left, std::int32_t right) const;

  void first_symbols(std::string_view piece, bool raw_bytes, std::vector<int>& ids) const;
  void merge_short(std::vector<int>& ids) const;
  void merge_long(std::vector<int>& ids) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  std::unordered_map<std::string, int, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;  // by id; the strings live in ids_, whose nodes never move
  std::vector<Merge> table_;                // open addressing, a power of two
  std::array<int, 256> byte_id_{};          // id of the character that stands for a byte, -1: none
  std::array<int, 256> fallback_id_{};      // id of "<0xNN>", -1: none
  bool all_fallback_ = false, byte_fallback_ = false, fuse_unknown_ = false, ignore_merges_ = false;
  int unknown_id_ = -1;
};

}  // namespace assay
