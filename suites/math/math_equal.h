// Are two answers the same mathematics? By counted steps, never by a clock: the verdict is the same on every machine.
#pragma once
#include <optional>
#include <string_view>

namespace assay {

// True where both are equal as values (exactly, or to 90 digits at fixed points where no normal form decides), as tuples and
// intervals part by part, as sets, lists and unions in any order, as equations up to a factor, or as text. What cannot be
// decided is false. Symmetric and reflexive. Conventions:
//   x = 5, f(x) = 5, x \in S      the name is not compared with an answer that has none
//   5 cm, \$5, 30^\circ, 50\%     a unit is compared only where both have one; 50\% is 50 and 1/2, 30^\circ is 30 and pi/6
//   1,000                         one number, or two where the other answer is a list
//   3 \pm x                       both values
//   x > 5, {x | x > 5}            (5, \infty)
//   12_3                          the number 5
//   (B), \text{(B)}               B; words regardless of case
bool same_math(std::string_view answer, std::string_view gold);

// Whether `text` was read as mathematics, not only as text.
bool reads_as_math(std::string_view text);

}  // namespace assay
