// The words of a mathematical answer, as TeX, as plain text or as a mixture of both write them: spacing, sizes and
// fonts are gone, Unicode signs and their TeX names are one.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

inline constexpr std::size_t kMaxMathBytes = 4096;   // longer is no answer to a question
inline constexpr std::size_t kMaxMathTokens = 2048;

enum class MathWord : std::uint8_t {
  number,    // digits with at most one point, separators of thousands gone; "2e-3" where an exponent is attached
  letter,    // one letter, a Greek one by its name: x, theta
  word,      // several letters that stand for themselves: even, degrees, a point's name
  command,   // without the backslash: frac, sin, cup, leq; begin and end carry ":name"
  sign,      // one of + - * / ^ _ = < > ( ) [ ] { } | , ; : ! % & ' or "\\" (a row's end), "\{", "\}"
  prose,     // the content of \text{...} and its like, blanks trimmed
};

struct MathToken {
  MathWord kind = MathWord::sign;
  std::string text;
  bool after_blank = false;  // a blank or the beginning stands before it
};

struct MathTokens {
  std::vector<MathToken> list;
  bool ambiguous_commas = false;  // "1,000" was read as one number; with `commas_separate` it is two
};

// `commas_separate`: a comma between digits never separates thousands ({,} and ,\! still do). No value: too long.
std::optional<MathTokens> lex_math(std::string_view text, bool commas_separate);

}  // namespace assay
