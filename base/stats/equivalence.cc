#include "base/stats/equivalence.h"

#include <cmath>

#include "base/check.h"
#include "base/stats/normal.h"

namespace assay::stats {

Tost tost(double delta, double se, double margin, double alpha) {
  ASSAY_CHECK(std::isfinite(delta) && se >= 0 && margin >= 0);
  ASSAY_CHECK(alpha > 0 && alpha < 1);
  // The side that delta leans to decides: p = Phi((|delta| - margin) / se).
  const long double beyond = std::fabs(static_cast<long double>(delta)) - margin;
  const long double p = se > 0 ? normal_cdf(beyond / se) : (beyond < 0 ? 0.0L : 1.0L);
  return {static_cast<double>(p), static_cast<double>(p) < alpha};
}

}  // namespace assay::stats
