// Exact comparison of mathematical values: both are expanded into fractions of polynomials over variables, pi, e, i and
// roots of primes with rational coefficients. Roots of different primes and their products are linearly independent over
// the rationals (Besicovitch 1940), pi is transcendental: a difference that does not cancel there is none that vanishes.
#pragma once
#include "suites/math/math_tree.h"

namespace assay {

// Elementary products of monomials that one comparison may take. The longest published answer needs some hundred.
inline constexpr int kMathSteps = 20'000;

enum class MathSame : std::uint8_t { equal, different, unknown };

// unknown: the steps ran out, a number became too long, or something stands there that only numbers can decide
// (sin 1, nested roots, n!).
MathSame same_expanded(const MathTree& a, const MathTree& b);

// Whether a0 - a1 is c (b0 - b1) with a rational c other than 0 (`positive`: above 0): two forms of one equation or
// inequality.
MathSame same_up_to_factor(const MathTree& a0, const MathTree& a1, const MathTree& b0, const MathTree& b1, bool positive);

}  // namespace assay
