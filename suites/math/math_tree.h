// A mathematical answer as a tree: what suites/math/math_parse.h makes of words and suites/math/math_equal.h compares.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

enum class MathOp : std::uint8_t {
  // Values.
  number,      // text: digits with at most one point, perhaps an exponent: "12", "0.5", "5.89e-7"
  symbol,      // text: a variable, a word, "pi", "e", "i", "inf"
  sum,         // kids, added
  product,     // kids, multiplied
  quotient,    // kids[0] / kids[1]
  power,       // kids[0] ^ kids[1]
  root,        // the kids[1]-th root of kids[0], a positive integer's: real for odd ones of negative numbers
  negative,    // - kids[0]
  function,    // text: sin, ln, abs, floor, ...; kids are its arguments ("log": argument, base where given)
  factorial,   // kids[0] !
  plus_minus,  // kids[0] with both signs; text "+-", or "-+" where the signs are the other way round
  // Structures.
  unit,        // kids[0] with the unit `text`: "cm^2", "%", "deg", "dollar", "students"
  group,       // brackets with several parts or of an interval; text: the two brackets, "[)"
  set,         // {kids}; text "|": kids[0] such that kids[1]
  list,        // kids with commas, "and" or "or" between them
  join,        // the union of the kids
  matrix,      // kids are rows: lists
  relation,    // kids[0] R kids[1] R ...; text: one of = < > l g n e a kid's gap (l: <=, g: >=, n: not equal, e: in)
  prose,       // text, case and blanks folded
};

struct MathTree {
  MathOp op = MathOp::number;
  std::string text;
  std::vector<MathTree> kids;
};

}  // namespace assay
