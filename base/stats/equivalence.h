// Two one-sided tests (Schuirmann 1987): is a difference shown to lie within a margin?
#pragma once
#include <cstdint>
#include <optional>
#include <span>

namespace assay::stats {

struct Tost {
  double p = 1;             // the larger of the two one-sided p-values
  bool equivalent = false;  // p < alpha
};

// Normal theory; se >= 0, margin >= 0, 0 < alpha < 1. With se = 0 the difference is known: p is 0 inside the
// margin, else 1.
Tost tost(double delta, double se, double margin, double alpha);

struct Equivalence {
  double delta = 0;          // mean of b - a
  std::optional<double> se;
  double p_above = 1;        // of "delta <= -margin": small where it is shown to lie above
  double p_below = 1;        // of "delta >= margin"
  double p = 1;              // the larger of the two
  bool equivalent = false;   // p < alpha
  bool exact = false;
};

// Paired values, both of one length, not empty. Only 0 and 1 and no clusters: exact (difference_exceeds_p), also where nothing changed.
// Else Student's t with (clusters - 1) degrees on the cluster-robust error of the mean difference, with the factor G / (G - 1) for G
// clusters that `cluster_mean` lacks; a single cluster shows nothing.
// 0 < margin, 0 < alpha < 1.
Equivalence equivalence(std::span<const double> a, std::span<const double> b, std::span<const std::int64_t> cluster, double margin, double alpha);

}  // namespace assay::stats
