#include "kernels/device.h"

#include <sys/sysinfo.h>

#include <fstream>

#include "base/parallel.h"
#include "kernels/cuda.h"
#include "kernels/select.h"

namespace assay {
namespace {

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::uint64_t memory_bytes() {
  struct sysinfo info {};
  return ::sysinfo(&info) == 0 ? std::uint64_t{info.totalram} * info.mem_unit : 0;
}

}  // namespace

Result<DeviceInfo> this_device() {
  ASSAY_TRY(const Kernels* const table, chosen_kernels());
  return DeviceInfo{processor_name(), "cpu", hardware_threads(), memory_bytes(), table->name};
}

std::vector<std::string> available_isas() {
  std::vector<std::string> out;
  for (const Kernels* table : available_kernels()) {
    if (out.empty() || out.back() != table->name) out.emplace_back(table->name);
  }
  return out;
}

std::vector<DeviceInfo> gpu_devices() { return cuda_devices(); }

bool built_with_cuda() {
#ifdef ASSAY_HAVE_CUDA
  return true;
#else
  return false;
#endif
}

}  // namespace assay
