// The GPU kernels as host code sees them. Without CUDA in the build, a driver or a device every call answers so (Code::unsupported), and
// nothing else differs. Memory in and out is the host's.
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "kernels/contract.h"
#include "kernels/device.h"

namespace assay {

std::vector<DeviceInfo> cuda_devices();  // empty: no device, no driver, or built without CUDA

// y (n_tokens, n_out) = x (n_tokens, n_in) times w (n_out, n_in) transposed, bf16 weights as their 16 bits. The order is the contract's (k in
// blocks of 512, one fma chain from +0 an element, blocks added ascending): the same bits as on the CPU, for any batch.
Status cuda_matmul(const std::uint16_t* w_bf16, const float* x, std::int64_t n_tokens, std::int64_t n_out,
                   std::int64_t n_in, float* y);

// route() from finite scores (n_tokens, n_experts) that are already soft-max or sigmoid: the same experts, weights and margins as on the CPU. At most
// 32 groups; RouterScore::softmax_of_chosen is refused.
Status cuda_route(const RouterSpec& spec, const float* scores, std::int64_t n_tokens,
                  const RouterChoice& out);

// Seconds of one bf16 product through cuBLAS (loaded at run time) with data on the device, for benchmarks: median of `repetitions`.
Result<double> cuda_cublas_seconds(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in,
                                   int repetitions);

}  // namespace assay
