// f64 functions of our own, so that tables made from them have the same bits on every machine and C library:
// each is within 2 ulp of the true value where its comment says (tests/unit/test_kernel_math.cc measures).
#pragma once

namespace assay {

double exp64(double x);  // |x| <= 700
double log64(double x);  // x > 0, finite
double pow64(double base,
             double e);  // exp64(e * log64(base)), base > 0: relative error about |e log base| * 2^-52
double sin64(double x);  // |x| <= 2^25 radians: absolute error 2^-52
double cos64(double x);

}  // namespace assay
