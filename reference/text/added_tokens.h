// Added tokens: strings that are found in the text before anything else looks at it.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/normalizer.h"
#include "reference/text/vocabulary.h"

namespace assay {

inline constexpr std::size_t kMaxAddedTokens = 200'000;
inline constexpr std::size_t kMaxAddedTokenBytes = 1024;  // bounds the search: text length times this

struct AddedToken {
  int id = -1;
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = true, special = false;
};

// Reads one object of "added_tokens" (or of tokenizer_config.json's "added_tokens_decoder", whose id is its
// key).
Result<AddedToken> read_added_token(const Json& json, const std::string& file, const std::string& field);

// A stretch of text between added tokens (id -1), or one of them.
struct TextSegment {
  int id = -1;
  std::size_t begin = 0, end = 0;  // bytes
};

// Finds the leftmost, at each place the longest, of a set of strings.
class TokenFinder {
 public:
  void add(std::string_view content, std::size_t index);  // the first of two equal strings wins
  // Longest hit that begins at `at`: index and its end, or false.
  bool longest_at(std::string_view text, std::size_t at, std::size_t& index, std::size_t& end) const;
  // Smallest position >= from where a hit can begin, or text.size().
  std::size_t candidate(std::string_view text, std::size_t from) const;
  bool empty() const { return nodes_.size() == 1; }

 private:
  struct Node {
    std::map<unsigned char, std::uint32_t> next;
    std::int64_t index = -1;
  };
  std::vector<Node> nodes_{1};
  std::array<bool, 256> first_{};
};

class AddedTokens {
 public:
  // Adds or replaces tokens in the order of a file. An id must be the one of the vocabulary, or the next free
  // one.
  Status add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary, const std::string& file);
  // Adds one token at the id that it has; refused where the id or the content is taken.
  Status add_at(AddedToken token, const std::string& file);
  void finish(const Normalizer& normalizer);  // once, after the last add

  const AddedToken* by_id(int id) const;
  int id_of(std::string_view content) const;  // -1: none
  int max_id() const { return by_id_.empty() ? -1 : by_id_.rbegin()->first; }
  const std::map<int, AddedToken>& all() const { return by_id_; }

  // Cuts `text` at the tokens that are searched before (or, with `normalized`, after) normalization; without
  // `specials` only at those that are no special tokens.
  void find(std::string_view text, bool normalized, std::vector<TextSegment>& out, bool specials = true) const;

 private:
  std::map<int, AddedToken> by_id_;
  std::map<std::string, int, std::less<>> ids_;
  std::vector<int> order_;  // ids as they were first added
  std::vector<int> raw_ids_, normalized_ids_;
  TokenFinder raw_, normalized_;
};

}  // namespace assay
