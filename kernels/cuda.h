// The GPU kernels as host code sees them; without CUDA in the build or a device in the machine every call says so. On one device results
// are the same bits from run to run and for any batch; against the CPU they differ within a derived bound (DESIGN).
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "kernels/contract.h"
#include "kernels/device.h"

namespace assay {

std::vector<DeviceInfo> cuda_devices();  // empty: no device, no driver, or built without CUDA

// y (n_tokens, n_out) = x (n_tokens, n_in) times w (n_out, n_in) transposed; host memory in and out, bf16 weights as their 16 bits.
// Order: as the CPU's, k in blocks of 512, one f32 fma chain a block, blocks added ascending: the same bits as there.
Status cuda_matmul(const std::uint16_t* w_bf16, const float* x, std::int64_t n_tokens, std::int64_t n_out,
                   std::int64_t n_in, float* y);

// The choice of experts as route() makes it, from sigmoid or soft-max scores (n_tokens, n_experts) computed on the host side of the contract:
// biased scores compared, groups limited, ties to the lower index; weights from the unbiased scores.
Status cuda_route(const RouterSpec& spec, const float* scores, std::int64_t n_tokens,
                  const RouterChoice& out);

// Seconds of one bf16 product through cuBLAS (loaded at run time) on the device, for benchmarks: median of `repetitions`.
Result<double> cuda_cublas_seconds(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in,
                                   int repetitions);

}  // namespace assay
