// Several answers to each question: how much of the uncertainty comes from the answers, how much from the questions?
#pragma once
#include <cstdint>
#include <optional>
#include <span>

namespace assay::stats {

struct Sampling {
  double mean = 0;                          // of the questions' shares of right answers
  std::optional<double> se_fixed;           // these questions, other answers: sqrt(sum p(1-p)/(s-1)) / n; none where a question has one answer
  std::optional<double> se_population;      // other questions, other answers: as cluster_mean of the shares; none for a single question
  std::optional<double> sampling_variance;  // of one answer about its question's share, mean over questions
  std::optional<double> question_variance;  // of the questions' true shares: what is left of the variance of the shares; not below 0
};

// right[i] of samples[i] answers to question i. Both of one length, not empty, 0 <= right <= samples, 1 <= samples. Miller,
// arXiv 2411.00640, section 3: the law of total variance with unbiased estimates of both parts.
Sampling sampling_variance(std::span<const std::int64_t> samples, std::span<const std::int64_t> right);

}  // namespace assay::stats
