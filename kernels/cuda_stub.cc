#ifndef ASSAY_HAVE_CUDA
#include "kernels/cuda.h"
namespace assay {
std::vector<DeviceInfo> cuda_devices() { return {}; }
}  // namespace assay
#endif
