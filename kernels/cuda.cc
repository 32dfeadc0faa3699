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

Status cuda_matmul(const std::uint16_t* w_bf16, const float* x, std::int64_t n_tokens, std::int64_t n_out,
                   std::int64_t n_in, float* y) {
  ASSAY_CHECK(n_tokens >= 1 && n_out >= 1 && n_in >= 1);
  return answer(cuda_launch_matmul(w_bf16, x, n_tokens, n_out, n_in, y));
}

Status cuda_route(const RouterSpec& spec, const float* scores, std::int64_t n_tokens,
                  const RouterChoice& out) {
  ASSAY_CHECK(spec.n_experts >= 1 && spec.n_experts <= kMaxExperts && spec.top_k >= 1 &&
              spec.top_k <= spec.n_experts);
  ASSAY_CHECK(spec.n_groups >= 1 && spec.n_experts % spec.n_groups == 0 && n_tokens >= 1);
  ASSAY_CHECK(spec.groups == GroupRule::none ||
              spec.n_experts / spec.n_groups * spec.top_groups >= spec.top_k);
  if (spec.n_groups > 32) return no_device("more than 32 expert groups");
  if (spec.score == RouterScore::softmax_of_chosen)
    return no_device("soft-max over the chosen experts is not there yet");
  return answer(cuda_launch_route(spec, scores, n_tokens, out));
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
Status cuda_matmul(const std::uint16_t*, const float*, std::int64_t, std::int64_t, std::int64_t, float*) {
  return no_device(kNotBuilt);
}
Status cuda_route(const RouterSpec&, const float*, std::int64_t, const RouterChoice&) {
  return no_device(kNotBuilt);
}
Result<double> cuda_cublas_seconds(std::int64_t, std::int64_t, std::int64_t, int) {
  return no_device(kNotBuilt);
}
#endif

}  // namespace assay
