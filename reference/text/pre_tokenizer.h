// The "pre_tokenizer" of tokenizer.json: cuts text into the pieces that byte-pair encoding never crosses.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/pattern.h"

namespace assay {

struct Piece {
  std::string_view text;  // valid UTF-8, or raw bytes where `raw_bytes` of the pre-tokenizer says so
  bool at_start = false;  // begins where the whole text begins (Metaspace "first" asks for it)
};

// Owns the text of pieces that no longer lie in the input.
using Arena = std::deque<std::string>;

class PreTokenizer {
 public:
  // `json` is the object or null. Kinds: Sequence, ByteLevel, Split, Digits, Punctuation, Whitespace,
  // WhitespaceSplit, Metaspace, CharDelimiterSplit, BertPreTokenizer; others are refused by name.
  static Result<PreTokenizer> from_json(const Json& json, const std::string& file);
  // Every match of the first pattern is a piece, then the pieces are cut by the next; pieces are bytes.
  static Result<PreTokenizer> byte_level(std::span<const std::string_view> patterns, const std::string& file);
  static PreTokenizer bert();  // words and single punctuation marks

  // True where the last step is ByteLevel: its pieces are left as bytes, one of which is one character of the
  // vocabulary.
  bool raw_bytes() const { return raw_bytes_; }
  // Replaces `pieces`. False when a regular expression passed its step budget (the rest stays one piece).
  bool apply(std::vector<Piece>& pieces, Arena& arena) const;

 private:
  enum class Kind : std::uint8_t {
    kByteLevel,
    kSplit,
    kDigits,
    kPunctuation,
    kMetaspace,
    kCharacter,
    kSpace
  };
  enum class Behavior : std::uint8_t {
    kIsolated,
    kRemoved,
    kMergedWithPrevious,
    kMergedWithNext,
    kContiguous
  };
  enum class Prepend : std::uint8_t { kAlways, kFirst, kNever };
  struct Step {
    Kind kind = Kind::kSplit;
    Behavior behavior = Behavior::kIsolated;
    Pattern pattern;
    bool invert = false, cut = true, prefix_space = false, to_characters = false;
    Prepend prepend = Prepend::kAlways;
    std::string replacement;
    char32_t character = 0;
  };

  Status add(const Json& json, const std::string& file, const std::string& field, int depth);
  static Result<Step> read_step(const std::string& kind, const Json& json, const std::string& file,
                                const std::string& field);
  static Result<Step> read_byte_level(const Json& json, const std::string& file);
  static Result<Step> read_metaspace(const Json& json, const std::string& file, const std::string& field);
  static Result<Behavior> read_behavior(const Json& json, const std::string& file, const std::string& field);

  static Piece prepared(const Step& step, const Piece& piece, Arena& arena);
  static bool mark(const Step& step, std::string_view text, std::vector<Span>& spans);
  static void gather(Behavior behavior, std::vector<Span>& spans);

  std::vector<Step> steps_;
  bool raw_bytes_ = false;
};

}  // namespace assay
