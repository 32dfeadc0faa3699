// Log-probabilities of requested tokens and arg-max.
#include <algorithm>

#include "kernels/contract.h"
#include "kernels/math64.h"
#include "kernels/scratch.h"

namespace assay {
namespace {

constexpr std::int64_t kSumBlock = 512;

double log_sum_of(const Kernels& kernels, const float* x, std::int64_t n) {
  const float m = kernels.maximum(x, n);
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += kSumBlock)
    sum += double{kernels.sum_exp(x + i, std::min(kSumBlock, n - i), m)};
  if (!(sum >= 1 && sum < 1e300)) return sum - sum;  // NaN: a logit was NaN or infinite
  return double{m} + log64(sum);
}

}  // namespace

void log_softmax_at(const Compute& c, const float* logits, std::int64_t row_stride, std::int64_t n_rows,
                    std::int64_t n, const std::int32_t* targets, double* logprobs) {
  ASSAY_CHECK(n >= 1 && row_stride >= n);
  for_rows(c.pool, n_rows, 4 * n, [&](std::int64_t i) {
    const float* const row = logits + i * row_stride;
    ASSAY_CHECK(targets[i] >= 0 && targets[i] < n);
    logprobs[i] = double{row[targets[i]]} - log_sum_of(c.kernels, row, n);
  });
}

double log_sum_exp(const Compute& c, const float* logits, std::int64_t n) {
  ASSAY_CHECK(n >= 1);
  return log_sum_of(c.kernels, logits, n);
}

std::int64_t argmax(const float* x, std::int64_t n) {
  std::int64_t best = -1;
  for (std::int64_t i = 0; i < n; ++i) {
    if (best < 0 ? x[i] == x[i] : x[i] > x[best]) best = i;
  }
  return best;
}

}  // namespace assay
