// The GPU kernels as host code sees them. Without CUDA in the build, a driver or a device every call answers so (Code::unsupported), and
// nothing else differs. Memory in and out is the host's.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "kernels/accelerator.h"
#include "kernels/device.h"

namespace assay {

std::vector<DeviceInfo> cuda_devices();  // empty: no device, no driver, or built without CUDA

// The first device with the operations of a forward pass.
Result<std::unique_ptr<Accelerator>> open_cuda();

// Seconds of one bf16 product through cuBLAS (loaded at run time) with data on the device, for benchmarks: median of `repetitions`.
Result<double> cuda_cublas_seconds(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in,
                                   int repetitions);

}  // namespace assay
