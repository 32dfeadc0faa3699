#include "base/stats/sampling.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/stats/paired.h"

namespace assay::stats {

Sampling sampling_variance(std::span<const std::int64_t> samples, std::span<const std::int64_t> right) {
  ASSAY_CHECK(!samples.empty() && samples.size() == right.size());
  const auto n = static_cast<double>(samples.size());
  std::vector<double> shares;
  double within = 0, of_means = 0;
  bool repeated = true;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSAY_CHECK(samples[i] >= 1 && right[i] >= 0 && right[i] <= samples[i]);
    const auto s = static_cast<double>(samples[i]);
    const double p = static_cast<double>(right[i]) / s;
    shares.push_back(p);
    repeated = repeated && samples[i] > 1;
    if (samples[i] == 1) continue;
    within += p * (1 - p) * s / (s - 1);
    of_means += p * (1 - p) / (s - 1);
  }
  const MeanError mean = cluster_mean(shares);
  Sampling out{.mean = mean.mean, .se_fixed = {}, .se_population = mean.se, .sampling_variance = {}, .question_variance = {}};
  if (!repeated) return out;
  out.se_fixed = std::sqrt(of_means) / n;
  out.sampling_variance = within / n;
  if (mean.se) out.question_variance = std::max(0.0, *mean.se * *mean.se * n - of_means / n);
  return out;
}

}  // namespace assay::stats
