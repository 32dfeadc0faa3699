// The "decoder" of tokenizer.json: from tokens back to text.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/pattern.h"

namespace assay {

// The byte of "<0xNN>", -1 for other tokens.
int fallback_byte(std::string_view token);

// How sentencepiece decodes (sentencepiece_processor.cc): "\u2581" is a space, byte tokens are joined character by
// character, the space in front of a text is dropped. A text begins at the start and after every control token.
struct SpmDecoding {
  std::string unknown, unknown_surface;  // the unknown token and what is shown for it
  bool strip_first = true;               // one space at the start of a text
  bool strip_all = false;                // all of them (remove_extra_whitespaces)
};

class Decoder {
 public:
  // `json` is the object or null. Kinds: Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace,
  // WordPiece; others are refused by name.
  static Result<Decoder> from_json(const Json& json, const std::string& file);
  static Decoder byte_level_only();
  static Decoder word_piece(const std::string& prefix, bool cleanup);
  static Decoder sentencepiece(SpmDecoding rules);

  bool byte_level() const { return byte_level_; }
  bool joins_byte_tokens() const;  // has a ByteFallback step
  // Text of the tokens in order: bytes that may end within a character. `verbatim[i]` tokens (added ones) are
  // not translated by ByteLevel.
  std::string decode(std::vector<std::string> tokens, const std::vector<bool>& verbatim) const;
  // Bytes that one token stands for by itself, without what depends on its neighbours or place.
  std::string token_bytes(const std::string& token) const;

 private:
  enum class Kind : std::uint8_t { kByteFallback, kFuse, kStrip, kReplace, kMetaspace, kWordPiece };
  struct Step {
    Kind kind = Kind::kFuse;
    Pattern pattern;
    std::string content;               // Replace: what is put in; Strip and Metaspace: the character
    std::int64_t start = 0, stop = 0;  // Strip: how many at either end
    bool skip_first = false;           // Metaspace: the first token loses its marks
    bool cleanup = false;              // WordPiece: no space before punctuation
  };
  Status add(const Json& json, const std::string& file, const std::string& field, int depth);
  static Result<Step> read_step(const std::string& kind, const Json& json, const std::string& file,
                                const std::string& field);
  static void run(const Step& step, std::vector<std::string>& tokens);
  std::string decode_spm(const std::vector<std::string>& tokens, const std::vector<bool>& verbatim) const;

  std::vector<Step> steps_;
  std::optional<SpmDecoding> spm_;
  bool byte_level_ = false, absent_ = true;
};

}  // namespace assay
