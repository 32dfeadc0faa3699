// PCRE2 with UTF-8 and limits on its work: a pattern of a suite never hangs on a text of a model.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace assay {

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern, std::string_view file = {});
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // Group 1 where the pattern has groups, else the whole match. No value: no match, invalid UTF-8 or a limit
  // was passed.
  std::optional<std::string_view> first(std::string_view text) const;
  std::optional<std::string_view> last(std::string_view text) const;
  std::int64_t count(std::string_view text) const;  // matches one after the other; up to where a limit was passed
  // Likewise, but of several groups the first that is not empty, as lm-evaluation-harness's regex filter takes it.
  std::optional<std::string_view> filled(std::string_view text, bool last_one) const;
  // The text without what matches.
  std::string without(std::string_view text) const;

 private:
  struct State;
  explicit Regex(std::unique_ptr<State> state);
  struct Match {
    std::size_t begin, end, group_begin, group_end;
  };
  std::optional<Match> match_from(std::string_view text, std::size_t from) const;
  std::string_view filled_group(std::string_view text, const Match& match) const;  // of the match just made
  std::unique_ptr<State> state_;
};

// Compiled once for each pattern and thread; nullptr where the pattern does not compile.
const Regex* cached_regex(std::string_view pattern);

}  // namespace assay
