// Two one-sided tests (Schuirmann 1987): is a difference shown to lie within a margin?
#pragma once

namespace assay::stats {

struct Tost {
  double p = 1;             // the larger of the two one-sided p-values
  bool equivalent = false;  // p < alpha
};

// Normal theory; se >= 0, margin >= 0, 0 < alpha < 1. With se = 0 the difference is known: p is 0 inside the
// margin, else 1.
Tost tost(double delta, double se, double margin, double alpha);

}  // namespace assay::stats
