// Comparison of mathematical values by numbers: 160 digits with a bound on the error of each, at fixed points where there
// are variables. Deterministic: the same program gives the same answer on every machine and under any load.
#pragma once
#include "suites/math/math_expand.h"
#include "suites/math/math_tree.h"

namespace assay {

// different: the values are further apart than their errors, which proves it (with variables: at one point where both are
// defined as real functions). equal: they agree to kMathDigits digits at every point where both are defined, three at
// least. unknown: undefined, or so large, small or long in their literals that digits alone decide nothing.
inline constexpr int kMathDigits = 90;
MathSame same_probed(const MathTree& a, const MathTree& b);

}  // namespace assay
