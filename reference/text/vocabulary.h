// The tokens of a tokenizer as they are written in its file, found by id and by text.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay {

inline constexpr int kMaxTokenId = (1 << 22) - 1;    // published vocabularies end below 300,000
inline constexpr std::size_t kMaxTokenBytes = 4096;  // of one vocabulary entry

// Text to number, for tables that are built once and asked often: open addressing over one block of bytes.
class StringTable {
 public:
  void reserve(std::size_t count);
  // False, and nothing changes, where the key is there already.
  bool insert(std::string_view key, int value);
  int find(std::string_view key) const;  // -1: none
  std::size_t size() const { return count_; }

 private:
  struct Slot {
    std::uint32_t hash = 0, begin = 0, length = 0;
    std::int32_t value = -1;  // -1: empty
  };
  void grow(std::size_t slots);
  std::vector<Slot> slots_;
  std::string keys_;
  std::size_t count_ = 0;
};

class Vocabulary {
 public:
  // Refused: an id outside 0 to kMaxTokenId, an id that is taken, an empty or overlong token, and, where
  // `searchable`, a token that another id has. What is not searchable (control tokens of files that keep them
  // in one list with the others) has a text by id but is never found by text. `file`, `field`: for errors.
  Status add(std::string_view token, std::int64_t id, bool searchable, const std::string& file,
             const std::string& field);

  int id_of(std::string_view token) const { return table_.find(token); }  // -1: not in the vocabulary
  bool has(int id) const { return id >= 0 && id <= max_id() && entries_[static_cast<std::size_t>(id)].taken; }
  bool searchable(int id) const { return has(id) && entries_[static_cast<std::size_t>(id)].searchable; }
  std::optional<std::string_view> token_of(int id) const;
  std::size_t size() const { return count_; }
  int max_id() const { return static_cast<int>(entries_.size()) - 1; }

 private:
  struct Entry {
    std::uint32_t begin = 0, length = 0;
    bool taken = false, searchable = false;
  };
  std::vector<Entry> entries_;  // by id
  std::string text_;
  StringTable table_;
  std::size_t count_ = 0;
};

}  // namespace assay
