// Norm, soft-max, gating and rotation of one row. Included after a lanes_*.h and body_math.h; orders as
// kernels/contract.h says.
#pragma once
#include "kernels/contract.h"

namespace assay {
namespace {

// The fixed tree over the 16 strided partial sums.
inline float tree_sum(F16 partial) {
  float a[16];
  store(a, partial);
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) a[i] += a[i + width];
  }
  return a[0];
}

void body_rms_norm(const float* x, const float* weight, std::int64_t n, float eps, float* y) {
  F16 partial = splat(0.0f);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) partial = fma(load(x + i), load(x + i), partial);
  if (i < n) partial = fma(load_n(x + i, n - i), load_n(x + i, n - i), partial);
  const float mean = tree_sum(partial) / static_cast<float>(n);
  const F16 r = splat(1.0f / __builtin_sqrtf(mean + eps));
  for (i = 0; i + 16 <= n; i += 16) store(y + i, mul(mul(load(x + i), r), load(weight + i)));
  if (i < n) store_n(y + i, mul(mul(load_n(x + i, n - i), r), load_n(weight + i, n - i)), n - i);
}

void body_silu_mul(const float* gate, const float* up, std::int64_t n, float* y) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, mul(silu16(load(gate + i)), load(up + i)));
  if (i < n) store_n(y + i, mul(silu16(load_n(gate + i, n - i)), load_n(up + i, n - i)), n - i);
}

inline F16 clamped_swiglu16(SwigluClamp clamp, F16 gate, F16 up) {
  const F16 limit = splat(clamp.limit);
  const F16 g = min(limit, gate), u = max(splat(-clamp.limit), min(limit, up));  // a NaN on the right stays
  return mul(add(u, splat(1.0f)), mul(g, sigmoid16(mul(splat(clamp.alpha), g))));
}

void body_clamped_swiglu(SwigluClamp clamp, const float* gate, const float* up, std::int64_t n, float* y) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, clamped_swiglu16(clamp, load(gate + i), load(up + i)));
  if (i < n) store_n(y + i, clamped_swiglu16(clamp, load_n(gate + i, n - i), load_n(up + i, n - i)), n - i);
}

void body_add(const float* x, std::int64_t n, float* y) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, add(load(y + i), load(x + i)));
  if (i < n) store_n(y + i, add(load_n(y + i, n - i), load_n(x + i, n - i)), n - i);
}

void body_add_scaled(float a, const float* x, std::int64_t n, float* y) {
  const F16 factor = splat(a);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, fma(factor, load(x + i), load(y + i)));
  if (i < n) store_n(y + i, fma(factor, load_n(x + i, n - i), load_n(y + i, n - i)), n - i);
}

float body_maximum(const float* x, std::int64_t n) {
  F16 best = splat(-__builtin_inff());
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) best = max(load(x + i), best);  // a NaN on the left loses
  float a[16];
  store(a, best);
  float m = a[0];
  for (int j = 1; j < 16; ++j) m = a[j] > m ? a[j] : m;
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

// e = exp(x - m), zero in the lanes from n on: adding +0 leaves a partial sum of non-negative terms as it is.
inline F16 shifted_exp_n(const float* x, std::int64_t n, F16 m) {
  float e[16];
  store(e, exp16(sub(load_n(x, n), m)));
  return load_n(e, n);
}

float body_sum_exp(const float* x, std::int64_t n, float m) {
  const F16 shift = splat(m);
  F16 partial = splat(0.0f);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) partial = add(partial, exp16(sub(load(x + i), shift)));
  if (i < n) partial = add(partial, shifted_exp_n(x + i, n - i, shift));
  return tree_sum(partial);
}

void body_softmax(const float* x, std::int64_t n, float* y) {
  const F16 m = splat(body_maximum(x, n));
  F16 partial = splat(0.0f);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const F16 e = exp16(sub(load(x + i), m));
    partial = add(partial, e);
    store(y + i, e);
  }
  if (i < n) {
    const F16 e = shifted_exp_n(x + i, n - i, m);
    partial = add(partial, e);
    store_n(y + i, e, n - i);
  }
  const F16 sum = splat(tree_sum(partial));
  for (i = 0; i + 16 <= n; i += 16) store(y + i, div(load(y + i), sum));
  if (i < n) store_n(y + i, div(load_n(y + i, n - i), sum), n - i);
}

inline F16 negated(F16 x) { return from_bits(add_i(bits(x), splat_i(0x80000000u))); }

inline void rotate_pair(float& x0, float& x1, float cos, float sin) {
  const float a = x0, b = x1;
  x0 = __builtin_fmaf(a, cos, -(b * sin));
  x1 = __builtin_fmaf(b, cos, a * sin);
}

void body_rotate(float* head, std::int64_t n_pairs, RotaryPairs pairs, const float* cos_row,
                 const float* sin_row) {
  if (pairs == RotaryPairs::interleaved) {
    for (std::int64_t i = 0; i < n_pairs; ++i)
      rotate_pair(head[2 * i], head[2 * i + 1], cos_row[i], sin_row[i]);
    return;
  }
  float* const second = head + n_pairs;
  std::int64_t i = 0;
  for (; i + 16 <= n_pairs; i += 16) {
    const F16 a = load(head + i), b = load(second + i), cos = load(cos_row + i), sin = load(sin_row + i);
    store(head + i, fma(a, cos, negated(mul(b, sin))));
    store(second + i, fma(b, cos, mul(a, sin)));
  }
  for (; i < n_pairs; ++i) rotate_pair(head[i], second[i], cos_row[i], sin_row[i]);
}

}  // namespace
}  // namespace assay
