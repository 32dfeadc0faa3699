// The "decoder" of tokenizer.json: from tokens back to text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/pattern.h"

namespace assay {

// The byte of "<0xNN>", -1 for other tokens.
int fallback_byte(const std::string& token);

class Decoder {
 public:
  // `json` is the object or null. Kinds: Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace;
  // others are refused by name.
  static Result<Decoder> from_json(const Json& json, const std::string& file);

  bool byte_level() const { return byte_level_; }
  bool joins_byte_tokens() const;  // has a ByteFallback step
  // Text of the tokens in order: bytes that may end within a character. `verbatim[i]` tokens (added ones) are
  // not translated by ByteLevel.
  std::string decode(std::vector<std::string> tokens, const std::vector<bool>& verbatim) const;
  // Bytes that one token stands for by itself, without what depends on its neighbours or place.
  std::string token_bytes(const std::string& token) const;

 private:
  enum class Kind : std::uint8_t { kByteFallback, kFuse, kStrip, kReplace, kMetaspace };
  struct Step {
    Kind kind = Kind::kFuse;
    Pattern pattern;
    std::string content;               // Replace: what is put in; Strip and Metaspace: the character
    std::int64_t start = 0, stop = 0;  // Strip: how many at either end
    bool skip_first = false;           // Metaspace: the first token loses its marks
  };
  Status add(const Json& json, const std::string& file, const std::string& field, int depth);
  static Result<Step> read_step(const std::string& kind, const Json& json, const std::string& file,
                                const std::string& field);
  static void run(const Step& step, std::vector<std::string>& tokens);

  std::vector<Step> steps_;
  bool byte_level_ = false, absent_ = true;
};

}  // namespace assay
