#include "base/stats/normal.h"

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>

#include "base/check.h"
#include "base/stats/policy.h"

namespace assay::stats {
namespace {

constexpr long double kSqrt2 = 1.41421356237309504880168872420969807857L;

}  // namespace

long double normal_cdf(long double x) {
  ASSAY_CHECK(!std::isnan(x));
  return 0.5L * boost::math::erfc(-x / kSqrt2, Policy());
}

long double normal_two_sided_p(long double x) {
  ASSAY_CHECK(!std::isnan(x));
  return boost::math::erfc(std::fabs(x) / kSqrt2, Policy());
}

long double normal_critical_value(long double tail) {
  ASSAY_CHECK(tail > 0 && tail < 1);
  return kSqrt2 * boost::math::erfc_inv(2 * tail, Policy());
}

long double student_cdf(long double t, long double degrees) {
  ASSAY_CHECK(!std::isnan(t) && degrees > 0);
  const long double tail = 0.5L * boost::math::ibeta(degrees / 2, 0.5L, degrees / (degrees + t * t), Policy());
  return t > 0 ? 1 - tail : tail;
}

}  // namespace assay::stats
