// Means, cluster-robust standard errors and paired differences of item scores.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::stats {

struct MeanError {
  double mean = 0;
  std::optional<double> se;  // none for a single value
};

// se² = sum (s - mean)² / (n (n-1)) + sum over ordered pairs i != j of one cluster of (s_i - mean)(s_j -
// mean) / n² (Miller, arXiv 2411.00640). `cluster[i]` names the cluster of value i; empty: every value is its
// own. Values finite, n >= 1.
MeanError cluster_mean(std::span<const double> value, std::span<const std::int64_t> cluster = {});

// Weighted ratio sum(y) / sum(x) with its linearised standard error: that of the mean of (y - ratio x) n /
// sum(x).
MeanError ratio_mean(std::span<const double> y, std::span<const double> x);

struct Paired {
  double delta = 0;          // mean of b - a
  std::optional<double> se;  // none for a single pair
  double low = 0, high = 0;  // delta ± z se; both delta where there is no se
  double p_normal = 1;       // two-sided, of delta / se; with se = 0: 1 where delta is 0, else 0
  double p_sign_flip =
      1;  // share of sign assignments (per item, or per cluster) whose |sum| reaches the observed one
  bool sign_flip_exact = true;
};

inline constexpr int kExactFlips =
    20;  // up to 2^20 assignments are all tried; equal magnitudes are exact at any number

// a and b of one length, `cluster` empty or of that length. `seed` is used only where there are too many
// assignments.
Paired paired_difference(std::span<const double> a, std::span<const double> b,
                         std::span<const std::int64_t> cluster, double level, std::uint64_t seed);

}  // namespace assay::stats
