// How SentencePiece prepares text (google/sentencepiece, src/normalizer.cc): rewritten by a table, spaces folded
// and marked, one space in front.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/text/parts.h"
#include "reference/text/trie.h"

namespace assay {

inline constexpr std::size_t kMaxCharsmapBytes = std::size_t{16} << 20;  // published: nmt_nfkc has 240 kB

// precompiled_charsmap: u32 size of a double array trie (Darts), the trie, then the replacements as C strings.
class Charsmap {
 public:
  Charsmap() = default;
  static Result<Charsmap> parse(std::string_view blob, const std::string& file);
  bool empty() const { return units_.empty(); }
  // The longest key that `text` has at `at`, and what stands for it; 0: none.
  std::size_t longest(std::string_view text, std::size_t at, std::string_view& replacement) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;  // ends in NUL
};

class SpmNormalizer {
 public:
  // Uses the user-defined tokens, the charsmap and the flags of `parts`.
  static Result<SpmNormalizer> from_parts(const TokenizerParts& parts);
  void apply(std::string& text) const;  // valid UTF-8 in and out

 private:
  // What stands for the text at `at`, and how much of it is used up.
  std::pair<std::string_view, std::size_t> prefix(std::string_view text, std::size_t at) const;
  void fold(std::string_view text, std::size_t at, std::string& out) const;

  Trie user_defined_;
  Charsmap charsmap_;
  bool add_dummy_prefix_ = true, remove_extra_ = false, escape_ = true, suffix_ = false;
};

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

}  // namespace assay
