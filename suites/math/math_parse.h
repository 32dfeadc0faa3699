// From an answer's text to its tree. What is no mathematics of the kinds that benchmarks ask for gives no tree, and is
// compared as text.
#pragma once
#include <optional>
#include <string_view>

#include "suites/math/math_tree.h"

namespace assay {

inline constexpr int kMaxMathDepth = 48;    // nesting; published answers stay below 8
inline constexpr int kMaxMathLevels = 200;  // of a tree: what walks it may recurse

struct ParsedMath {
  MathTree tree;
  bool ambiguous_commas = false;  // see lex_math
};

// TeX, plain text and mixtures: \frac12, 3\frac{1}{2} and "3 1/2" (mixed numbers), \sqrt[3]{x}, x^{-1}, 1e-8, 12_3 (a base),
// 0.\overline{3}, n!, |x|, \binom{n}{k}, sin 2x, 30^\circ, 50\%, \$20, 5\text{ cm}^2, x = 5, 3 \pm \sqrt2, (1,2], (-\infty,3) \cup {5},
// \{1,2\}, \{x | x > 2\}, pmatrix and its like, -2 \leq x < 1, \text{(B)}, \text{even}.
std::optional<ParsedMath> parse_math(std::string_view text, bool commas_separate = false);

}  // namespace assay
