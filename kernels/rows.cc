// Operations on rows, shared out over threads: norm, gating, soft-max, mixture, rotation, elementwise
// functions.
#include <algorithm>

#include "kernels/contract.h"
#include "kernels/math64.h"
#include "kernels/scratch.h"

namespace assay {

void rms_norm_strided(const Compute& c, const float* x, std::int64_t x_stride, const float* weight,
                      std::int64_t n_rows, std::int64_t n, float eps, float* y, std::int64_t y_stride) {
  ASSAY_CHECK(n >= 1 && x_stride >= n && y_stride >= n);
  ASSAY_CHECK(eps >= 0);
  for_rows(c.pool, n_rows, n,
           [&](std::int64_t i) { c.kernels.rms_norm(x + i * x_stride, weight, n, eps, y + i * y_stride); });
}

void rms_norm(const Compute& c, const float* x, const float* weight, std::int64_t n_rows, std::int64_t n,
              float eps, float* y) {
  rms_norm_strided(c, x, n, weight, n_rows, n, eps, y, n);
}

void silu_mul(const Compute& c, const float* gate, const float* up, std::int64_t n_rows, std::int64_t n,
              float* y) {
  ASSAY_CHECK(n >= 1);
  for_rows(c.pool, n_rows, 4 * n,
           [&](std::int64_t i) { c.kernels.silu_mul(gate + i * n, up + i * n, n, y + i * n); });
}

void silu_mul_halves(const Compute& c, const float* gate_up, std::int64_t n_rows, std::int64_t n, float* y) {
  ASSAY_CHECK(n >= 1);
  for_rows(c.pool, n_rows, 4 * n, [&](std::int64_t i) {
    const float* const row = gate_up + 2 * i * n;
    c.kernels.silu_mul(row, row + n, n, y + i * n);
  });
}

void clamped_swiglu_halves(const Compute& c, SwigluClamp clamp, const float* gate_up, std::int64_t n_rows,
                           std::int64_t n, float* y) {
  ASSAY_CHECK(n >= 1);
  ASSAY_CHECK(clamp.limit > 0);
  for_rows(c.pool, n_rows, 4 * n, [&](std::int64_t i) {
    const float* const row = gate_up + 2 * i * n;
    c.kernels.clamped_swiglu(clamp, row, row + n, n, y + i * n);
  });
}

void add_scaled(const Compute& c, float a, const float* x, std::int64_t n_rows, std::int64_t n, float* y) {
  ASSAY_CHECK(n >= 1);
  for_rows(c.pool, n_rows, n, [&](std::int64_t i) { c.kernels.add_scaled(a, x + i * n, n, y + i * n); });
}

void add(const Compute& c, const float* x, std::int64_t n_rows, std::int64_t n, float* y) {
  ASSAY_CHECK(n >= 1);
  for_rows(c.pool, n_rows, n, [&](std::int64_t i) { c.kernels.add(x + i * n, n, y + i * n); });
}

void combine_experts(const Compute& c, const float* expert_out, const std::int32_t* slots,
                     const float* weights, std::int64_t n_rows, std::int64_t top_k, std::int64_t n,
                     float* y) {
  ASSAY_CHECK(n >= 1 && top_k >= 1);
  for_rows(c.pool, n_rows, n * top_k, [&](std::int64_t i) {
    float* const row = y + i * n;
    std::fill(row, row + n, 0.0f);
    for (std::int64_t k = i * top_k; k < (i + 1) * top_k; ++k) {
      if (slots[k] >= 0) c.kernels.add_scaled(weights[k], expert_out + slots[k] * n, n, row);
    }
  });
}

void softmax_rows(const Compute& c, const float* x, std::int64_t n_rows, std::int64_t n, float* y) {
  ASSAY_CHECK(n >= 1);
  for_rows(c.pool, n_rows, 4 * n, [&](std::int64_t i) { c.kernels.softmax(x + i * n, n, y + i * n); });
}

void apply(const Compute& c, Function f, const float* x, std::int64_t n, float* y) {
  constexpr std::int64_t kStep = 4096;  // elementwise: where it is cut cannot matter
  ASSAY_CHECK(n >= 0);
  for_rows(c.pool, (n + kStep - 1) / kStep, 4 * kStep, [&](std::int64_t i) {
    c.kernels.apply(f, x + i * kStep, std::min(kStep, n - i * kStep), y + i * kStep);
  });
}

void rotary(const Compute& c, float* x, std::int64_t n_tokens, std::int64_t token_stride,
            std::int64_t n_heads, std::int64_t head_stride, std::int64_t n_pairs, RotaryPairs pairs,
            const float* cos_rows, const float* sin_rows) {
  ASSAY_CHECK(n_heads >= 1 && n_pairs >= 1);
  ASSAY_CHECK(n_heads == 1 || head_stride >= 2 * n_pairs);
  for_rows(c.pool, n_tokens, 4 * n_heads * n_pairs, [&](std::int64_t t) {
    for (std::int64_t h = 0; h < n_heads; ++h) {
      c.kernels.rotate(x + t * token_stride + h * head_stride, n_pairs, pairs, cos_rows + t * n_pairs,
                       sin_rows + t * n_pairs);
    }
  });
}

void rotary_row(double position, const double* inverse_frequency, std::int64_t n_pairs, double magnitude,
                float* cos_row, float* sin_row) {
  ASSAY_CHECK(position >= 0 && n_pairs >= 1);
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const double angle = position * inverse_frequency[i];
    cos_row[i] = static_cast<float>(cos64(angle) * magnitude);
    sin_row[i] = static_cast<float>(sin64(angle) * magnitude);
  }
}

}  // namespace assay
