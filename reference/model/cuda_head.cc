// The head on an accelerator: logits of the rows that are asked for, or what is kept of them.
#include <algorithm>

#include "base/check.h"
#include "reference/model/cuda_forward.h"

namespace assay {
namespace {
constexpr std::int64_t kGpuHeadFloats = 1 << 26;  // logits kept at a time: 256 MiB
}  // namespace

std::int64_t CudaForward::rows_of_logits() const {
  return std::max<std::int64_t>(1, kGpuHeadFloats / config_.vocab_size);
}

// Logits of rows[first, first + step) to logits_; how many they are.
std::int64_t CudaForward::place_head_rows(std::span<const std::int32_t> rows, std::int64_t first,
                                          std::int64_t step) {
  const std::int64_t n = std::min(step, static_cast<std::int64_t>(rows.size()) - first),
                     hidden = config_.hidden_size, all = n_;
  for (const std::int32_t row : rows) ASSAY_CHECK(row >= 0 && row < all);
  const std::int32_t* const which =
      which_.hold<std::int32_t>(rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n)));
  float *const picked = picked_.at_least(n * hidden), *const x = head_rows_.at_least(n * hidden),
               *const logits = logits_.at_least(n * config_.vocab_size);
  a_.gather(x_.floats(), which, n, hidden, picked);
  a_.rms_norm_to(picked, weights_.norm(), n, hidden, static_cast<float>(config_.norm_eps()), x);
  n_ = n;
  linear("head", weights_.head(), x, hidden, logits, arithmetic_);
  n_ = all;
  if (config_.logits_divisor() != 1)
    a_.divide(logits, n * config_.vocab_size, static_cast<float>(config_.logits_divisor()));
  return n;
}

void CudaForward::head(std::span<const std::int32_t> rows, const LogitSink& sink) {
  const std::int64_t step = rows_of_logits();
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(rows.size()); first += step) {
    const std::int64_t n = place_head_rows(rows, first, step);
    const std::vector<float> logits = fetch(logits_.floats(), n, config_.vocab_size, config_.vocab_size);
    sink(first, n, logits.data());
  }
}

void CudaForward::score(std::span<const std::int32_t> rows, std::span<const Asked> asked,
                        const SummarySink& sink) {
  const std::int64_t step = rows_of_logits();
  std::size_t next = 0;
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(rows.size()); first += step) {
    const std::int64_t n = place_head_rows(rows, first, step);
    auto* const out = summaries_.at_least<HeadSummary>(n);
    a_.summarise(logits_.floats(), n, config_.vocab_size, out);
    std::vector<HeadSummary> summaries(static_cast<std::size_t>(n));
    a_.to_host(summaries.data(), out, summaries.size() * sizeof(HeadSummary));
    std::vector<std::int32_t> at;
    const std::size_t begin = next;
    for (; next < asked.size() && asked[next].row < first + n; ++next)
      at.push_back(
          static_cast<std::int32_t>((asked[next].row - first) * config_.vocab_size + asked[next].token));
    std::vector<float> logits(at.size());
    if (!at.empty()) {
      float* const picked = picked_.at_least(static_cast<std::int64_t>(at.size()));
      a_.gather(logits_.floats(), which_.hold<std::int32_t>(at), static_cast<std::int64_t>(at.size()), 1,
                picked);
      a_.to_host(logits.data(), picked, logits.size() * sizeof(float));
    }
    sink(first, summaries, asked.subspan(begin, next - begin), logits.data());
  }
}

}  // namespace assay
