#include "kernels/cuda.h"

#include <string>

#include "base/check.h"
#include "kernels/cuda_launch.h"

namespace assay {
namespace {

Error no_device(const char* why) {
  return Error{
      .code = Code::unsupported, .message = std::string("the GPU cannot be used: ") + why, .field = "cuda"};
}

#ifndef ASSAY_HAVE_CUDA
constexpr const char* kNotBuilt = "no CUDA device (built without CUDA)";
#endif

}  // namespace

#ifdef ASSAY_HAVE_CUDA
namespace {
Status answer(const char* why) { return why == nullptr ? Status() : Status(no_device(why)); }
}  // namespace

std::vector<DeviceInfo> cuda_devices() {
  std::vector<DeviceInfo> out;
  int count = 0;
  if (cuda_launch_count(&count) != nullptr) return out;
  for (int i = 0; i < count; ++i) {
    CudaDevice d{};
    if (cuda_launch_describe(i, &d) != nullptr) continue;
    out.push_back(
        {d.name, "gpu", d.multiprocessors, d.memory_bytes, "sm_" + std::to_string(10 * d.major + d.minor)});
  }
  return out;
}

Result<std::unique_ptr<Accelerator>> open_cuda() {
  const char* why = nullptr;
  std::unique_ptr<Accelerator> out = cuda_accelerator(&why);
  if (!out) return no_device(why);
  return out;
}

Result<double> cuda_cublas_seconds(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in,
                                   int repetitions) {
  ASSAY_CHECK(n_tokens >= 1 && n_out >= 1 && n_in >= 1 && repetitions >= 1);
  double seconds = 0;
  ASSAY_OK(answer(cuda_launch_cublas(n_tokens, n_out, n_in, repetitions, &seconds)));
  return seconds;
}
#else
std::vector<DeviceInfo> cuda_devices() { return {}; }
Result<std::unique_ptr<Accelerator>> open_cuda() { return no_device(kNotBuilt); }
Result<double> cuda_cublas_seconds(std::int64_t, std::int64_t, std::int64_t, int) {
  return no_device(kNotBuilt);
}
#endif

}  // namespace assay
