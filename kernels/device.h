// What this machine is. The only part of kernels/ beside bench/bench.h that eval/ sees.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay {

struct DeviceInfo {
  std::string name;  // processor or GPU model
  std::string kind;  // "cpu" or "gpu"
  int cores = 0;     // processors this process may use; multiprocessors of a GPU
  std::uint64_t memory_bytes = 0;
  std::string isa;  // kernels in use: scalar avx2 avx512; sm_90 ...
};

Result<DeviceInfo>
this_device();  // the processor; refused where ASSAY_ISA asks for kernels that are not there
std::vector<std::string> available_isas();  // worst first
std::vector<DeviceInfo> gpu_devices();      // empty without CUDA or without a device
bool built_with_cuda();

}  // namespace assay
