// Regular expressions of tokenizer.json, through PCRE2, made to mean what the `tokenizers` library's engine
// (Oniguruma, Unicode 16) means by them: \s is White_Space, \p{..} knows the letters that Unicode got after
// the PCRE2 at hand. Matching is bounded by counted steps, never by a clock.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace assay {

inline constexpr std::size_t kMaxPatternBytes = 16384;  // the longest published (DeepSeek-V2) has 1.5 kB
inline constexpr unsigned kMaxMatchSteps = 10'000'000;  // of PCRE2's match limit, for one match

struct Span {
  std::size_t begin = 0, end = 0;  // bytes
  bool matched = false;
};

class Pattern {
 public:
  // Refused: longer than the limit, broken, back references, look-behind of unknown length, constructs that
  // the two engines read differently. `file` and `field` are for the error.
  static Result<Pattern> regex(const std::string& text, const std::string& file, const std::string& field);
  static Pattern literal(std::string text);

  // Cuts `text` (valid UTF-8) into matched and unmatched spans that cover it in order. Returns false when the
  // step budget ended; the rest is then one unmatched span.
  bool spans(std::string_view text, std::vector<Span>& out) const;

  // All matches replaced by `by`; false as above.
  bool replace(std::string_view text, std::string_view by, std::string& out) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;  // shared: a Tokenizer is copied freely
  std::string literal_;               // used when code_ is null
};

}  // namespace assay
