// exp, log, sigmoid, silu and tanh over sixteen lanes. Included after a lanes_*.h; every instruction set runs
// these lines, which use only IEEE operations and fused multiply-adds, so the bits agree.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

constexpr float kRoundMagic =
    12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2High = 0x1.62e4p-1f;    // 13 bits: n * kLn2High is exact for the n of f32 exponents
constexpr float kLn2Low = 0x1.7f7d1cp-20f;  // ln 2 - kLn2High, rounded

struct Reduced {
  F16 r, t;
};  // x = n ln 2 + r, |r| <= 0.35; t = n + kRoundMagic

inline Reduced reduce_ln2(F16 x) {
  const F16 t = fma(x, splat(kLog2E), splat(kRoundMagic));
  const F16 n = sub(t, splat(kRoundMagic));
  return {fma(n, splat(-kLn2Low), fma(n, splat(-kLn2High), x)), t};
}

inline I16 integer_of(F16 t) { return sub_i(bits(t), bits(splat(kRoundMagic))); }
inline F16 power_of_two(I16 n) {
  return from_bits(shift_left<23>(add_i(n, splat_i(127))));
}  // -127 < n < 128

// (exp(r) - 1 - r) / r^2 by its Taylor series: the first term left out is below 2^-27 of exp(r).
inline F16 exp_tail(F16 r) {
  F16 p = splat(1.0f / 5040);
  p = fma(p, r, splat(1.0f / 720));
  p = fma(p, r, splat(1.0f / 120));
  p = fma(p, r, splat(1.0f / 24));
  p = fma(p, r, splat(1.0f / 6));
  return fma(p, r, splat(0.5f));
}

inline F16 exp16(F16 x) {
  x = max(splat(-105.0f), min(splat(89.0f), x));  // beyond, the result is 0 or inf anyway; a NaN passes
  const Reduced reduced = reduce_ln2(x);
  const F16 p = add(fma(mul(reduced.r, reduced.r), exp_tail(reduced.r), reduced.r), splat(1.0f));
  const I16 n = integer_of(reduced.t), half = shift_right<1>(n);
  // Two steps: 2^n itself can leave the range; the first product is exact, so only the last one rounds.
  return mul(mul(p, power_of_two(half)), power_of_two(sub_i(n, half)));
}

inline F16 absolute(F16 x) { return from_bits(and_i(bits(x), splat_i(0x7fffffffu))); }
inline F16 with_sign_of(F16 magnitude, F16 x) {
  return from_bits(or_i(bits(magnitude), and_i(bits(x), splat_i(0x80000000u))));
}

inline F16 sigmoid16(F16 x) {
  const F16 e = exp16(sub(splat(0.0f), absolute(x)));
  return div(select(less(x, splat(0.0f)), e, splat(1.0f)), add(splat(1.0f), e));
}

inline F16 silu16(F16 x) { return mul(x, sigmoid16(x)); }

// (e^2a - 1) / (e^2a + 1) for a = |x|, with e^2a - 1 computed without cancellation.
inline F16 tanh16(F16 x) {
  const F16 a = min(splat(10.0f), absolute(x));  // tanh(10) rounds to 1
  const Reduced reduced = reduce_ln2(add(a, a));
  const F16 q = fma(mul(reduced.r, reduced.r), exp_tail(reduced.r), reduced.r);
  const F16 s = power_of_two(integer_of(reduced.t));
  const F16 e = fma(q, s, sub(s, splat(1.0f)));
  return with_sign_of(div(e, add(e, splat(2.0f))), x);
}

// x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt 2); log(1 + f) = 2 atanh(s), s = f / (2 + f), as f - s (f - R).
inline F16 log16(F16 x) {
  const M16 small = less(x, splat(0x1p-126f));
  const F16 scaled = select(small, mul(x, splat(0x1p23f)), x);
  const I16 shifted = sub_i(bits(scaled), splat_i(0x3f3504f3u));
  const F16 f = sub(from_bits(add_i(and_i(shifted, splat_i(0x7fffffu)), splat_i(0x3f3504f3u))), splat(1.0f));
  const I16 exponent = shift_right<23>(shifted);
  F16 e = sub(from_bits(add_i(exponent, bits(splat(kRoundMagic)))), splat(kRoundMagic));
  e = select(small, sub(e, splat(23.0f)), e);
  const F16 s = div(f, add(splat(2.0f), f)), z = mul(s, s);
  F16 r = splat(2.0f / 11);
  r = fma(r, z, splat(2.0f / 9));
  r = fma(r, z, splat(2.0f / 7));
  r = fma(r, z, splat(2.0f / 5));
  r = mul(z, fma(r, z, splat(2.0f / 3)));
  const F16 correction = fma(e, splat(kLn2Low), mul(s, sub(r, f)));
  F16 y = fma(e, splat(kLn2High), add(f, correction));
  const F16 infinity = splat(__builtin_inff());
  y = select(less(x, infinity), y, x);  // +inf and NaN are their own logarithm
  y = select(less(splat(0.0f), x), y, select(less(x, splat(0.0f)), splat(__builtin_nanf("")), y));
  const M16 positive = less(splat(0.0f), absolute(x));
  return select(positive, y, add(sub(splat(0.0f), infinity), absolute(x)));  // -inf at zero; NaN stays NaN
}

template <class Op>
void each(const float* x, std::int64_t n, float* y, Op op) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, op(load(x + i)));
  if (i < n) store_n(y + i, op(load_n(x + i, n - i)), n - i);
}

void body_apply(Function f, const float* x, std::int64_t n, float* y) {
  switch (f) {
    case Function::exp:
      return each(x, n, y, [](F16 v) { return exp16(v); });
    case Function::log:
      return each(x, n, y, [](F16 v) { return log16(v); });
    case Function::sigmoid:
      return each(x, n, y, [](F16 v) { return sigmoid16(v); });
    case Function::silu:
      return each(x, n, y, [](F16 v) { return silu16(v); });
    case Function::tanh:
      return each(x, n, y, [](F16 v) { return tanh16(v); });
  }
}

}  // namespace
}  // namespace assay
