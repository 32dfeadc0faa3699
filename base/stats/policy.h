// How Boost.Math is called in this folder: never an exception, never a promotion; our own checks come first.
#pragma once
#include <boost/math/policies/policy.hpp>

namespace assay::stats {

namespace bp = boost::math::policies;
using Policy = bp::policy<bp::domain_error<bp::ignore_error>, bp::pole_error<bp::ignore_error>,
                          bp::overflow_error<bp::ignore_error>, bp::underflow_error<bp::ignore_error>,
                          bp::evaluation_error<bp::ignore_error>, bp::rounding_error<bp::ignore_error>,
                          bp::promote_double<false>>;

}  // namespace assay::stats
