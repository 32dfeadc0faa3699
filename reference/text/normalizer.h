// The "normalizer" of tokenizer.json: a chain of steps over a piece of valid UTF-8.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/text/pattern.h"
#include "reference/text/spm_normalizer.h"

namespace assay {

struct BertRules {
  bool clean_text = true, chinese_characters = true, strip_accents = true, lowercase = true;
};

class Normalizer {
 public:
  // `json` is the object or null. Kinds: Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Strip, BertNormalizer;
  // others are refused by name.
  static Result<Normalizer> from_json(const Json& json, const std::string& file);
  static Normalizer nfc();
  static Normalizer sentencepiece(SpmNormalizer rules);
  static Normalizer bert(const BertRules& rules);

  bool empty() const { return steps_.empty(); }
  // False when a regular expression passed its step budget; `text` is then normalized without that step.
  bool apply(std::string& text) const;

 private:
  enum class Kind : std::uint8_t {
    kPrepend,
    kReplace,
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kStrip,
    kBert,
    kSentencePiece
  };
  struct Step {
    Kind kind = Kind::kNfc;
    std::string text;                  // what is prepended or put in
    Pattern pattern;                   // what is replaced
    bool left = false, right = false;  // Strip
    BertRules bert;
    std::shared_ptr<const SpmNormalizer> sentencepiece;
  };
  Status add(const Json& json, const std::string& file, const std::string& field, int depth);
  static Result<Step> read_step(const std::string& kind, const Json& json, const std::string& file,
                                const std::string& field);
  static bool run(const Step& step, std::string& text);

  std::vector<Step> steps_;
};

// object[name], or null where there is none.
const Json& member_or_null(const Json& object, const char* name);
// "pattern": {"String": s} or {"Regex": s}, shared by normalizers, pre-tokenizers and decoders.
Result<Pattern> read_pattern(const Json& owner, const std::string& file, const std::string& field);
// owner["type"] or a refusal; `field` names the owner.
Result<std::string> read_kind(const Json& owner, const std::string& file, const std::string& field);
// The elements of a Sequence's list `name`; refused where it is no list or nests more than kMaxSequenceDepth
// deep.
inline constexpr int kMaxSequenceDepth = 8;
Result<const Json*> read_sequence(const Json& owner, const char* name, const std::string& file,
                                  const std::string& field, int depth);
Error unknown_kind(const std::string& kind, const std::string& file, const std::string& field);

}  // namespace assay
