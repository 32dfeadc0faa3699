// One figure made of several measurements, such as the mean of two sets or of two metrics of the same answers, with the standard error of the whole.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/verdicts/verdict.h"

namespace assay {

// One summand. `weight`: its share of the whole; a difference has negative ones.
struct WeightedPart {
  const Measurement* measured = nullptr;  // never null, at least one item
  double weight = 1;
};

struct PartEstimate {
  double value = 0;
  std::optional<double> se;  // of the part alone; none for a single item
  std::int64_t n = 0;
};

struct CompositeEstimate {
  double value = 0;             // sum of weight x value
  std::optional<double> se;     // none where a part has a single item
  double ties = 0;              // largest move of the value if every decision closer than kNearTie went the other way
  double coarse_ties = 0;       // likewise kCoarseTie
  bool margins_known = false;   // of any item
  std::int64_t n = 0;           // distinct items: one that serves two parts counts once
  std::vector<PartEstimate> parts;
};

// The error is that of the sum of the parts' linearised errors, item by item: parts on the same items of a suite (two metrics of one answer, two
// protocols) move together as far as their items do, parts on disjoint items are independent. Variance of one part: n/(n-1) sum u², u = (y - value
// x)/sum x; covariance of two: the same over the items that both have. The variance of a share is at least that of (right + 2)/(n + 4), because 0 right
// answers of 30 do not show that there is no error (Agresti and Coull 1998).
// `of_all`: what is asked is the value over all items of the suites from which drawn parts were taken; each part's error then shrinks with
// what was asked of its suite, to nothing where all was.
CompositeEstimate estimate_composite(std::span<const WeightedPart> parts, bool of_all = false);

}  // namespace assay
