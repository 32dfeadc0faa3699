// Sizes of what lies on a device, and the error bound of its products.
#include "kernels/accelerator.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/math64.h"

namespace assay {

double head_log_sum(const HeadSummary& s) {
  if (!(s.sum >= 1 && s.sum < 1e300)) return s.sum - s.sum;  // NaN: a logit was NaN or infinite
  return double{s.maximum} + log64(s.sum);
}

std::int64_t device_stride(WeightFormat format, std::int64_t n_in) {
  ASSAY_CHECK(n_in >= 1);
  const std::int64_t to = format == WeightFormat::f32     ? 4
                          : format == WeightFormat::bf16  ? 8
                          : format == WeightFormat::mxfp4 ? 32
                                                          : 16;
  return (n_in + to - 1) / to * to;
}

std::size_t device_code_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  const std::int64_t numbers = n_out * device_stride(format, n_in);
  const std::int64_t bytes = format == WeightFormat::f32     ? 4 * numbers
                             : format == WeightFormat::bf16  ? 2 * numbers
                             : format == WeightFormat::mxfp4 ? numbers / 2
                                                             : numbers;
  return static_cast<std::size_t>((bytes + 127) / 128 * 128);
}

std::size_t device_scale_bytes(WeightFormat format, std::int64_t n_out, std::int64_t n_in) {
  const std::int64_t bytes = format == WeightFormat::mxfp4 ? n_out * (n_in / kMxfp4Inputs)
                             : is_scaled(format) ? 4 * n_out * ((n_in + kFp8Inputs - 1) / kFp8Inputs)
                                                 : 0;
  return static_cast<std::size_t>((bytes + 127) / 128 * 128);
}

double gpu_product_bound(WeightFormat format, std::int64_t n_in, GpuArithmetic arithmetic) {
  constexpr double kHalf = 0x1p-8, kStepError = 17 * 0x1p-23, kF32 = 0x1p-24;
  const double steps = static_cast<double>((n_in + 15) / 16),
               blocks = static_cast<double>((n_in + kFp8Inputs - 1) / kFp8Inputs);
  const double rounding = quantises(format, arithmetic) ? 0
                          : format == WeightFormat::f32 ? 2 * kHalf + kHalf * kHalf
                                                        : kHalf;
  const double scaled =
      format == WeightFormat::e4m3 || format == WeightFormat::e5m2 ? (blocks + 3) * kF32 : 0;
  const double canonical =
      (static_cast<double>(std::min(n_in, kBlockK)) + static_cast<double>(n_in) / kBlockK + 1) * kF32;
  return rounding + (1 + rounding) * (steps * kStepError + scaled) + canonical;
}

}  // namespace assay
