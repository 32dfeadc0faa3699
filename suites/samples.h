// Several sampled outputs of one item: from the score of each to the item's. Metrics, with c of n samples right:
//   accuracy exact_match avg@n   c / n. avg@K asks for just K samples.
//   pass@K   the chance that at least one of K samples drawn from the n without replacement is right: 1 - C(n-c, K) / C(n, K), which is unbiased
//            (Chen et al. 2107.03374, equation 1); K <= n
//   maj@K cons@K  whether the answer that most of the first K samples give is right (Wang et al. 2203.11171; DeepSeek-R1's cons@64). Answers that
//            the protocol's equality holds for equal are one; outputs without an answer do not vote; the answer that was given first wins a tie
//   no_answer  the share of samples without one
// Samples that cannot be judged (a harness fault) count nowhere; without any that can the item has no value.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "suites/score.h"

namespace assay {

// "pass@8" as name and K; no value for a metric of another form. K is 1 to kMaxSampleMetric.
struct SampleMetric {
  std::string_view kind;  // pass, maj, cons, avg
  int k = 0;
};
inline constexpr int kMaxSampleMetric = 65'536;
std::optional<SampleMetric> sample_metric(std::string_view name);

bool has_sample_metric(const Protocol& protocol);

// `samples` in the order of their numbers, each as score_output gave it. `correct` is that of the first metric where it is 0 or 1 by nature (maj, cons,
// or one sample), else none; `extracted` the answer that most gave. variances: of the item's value over such draws of samples, where n allows an
// estimate - c(n-c)/(n²(n-1)) for a share, the jackknife over samples for pass@K with K < n.
ItemScore score_samples(const Protocol& protocol, std::span<const ItemScore> samples);

}  // namespace assay
