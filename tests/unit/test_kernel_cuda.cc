// What the GPU's interface says where there is no device, and the yardstick where there is one.
#include <cstdio>

#include "kernels/cuda.h"
#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

TEST_CASE("cuda: without a device every call says so") {
  if (!cuda_devices().empty()) return;
  const auto opened = open_cuda();
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Code::unsupported);
  CHECK(opened.error().message.find("GPU") != std::string::npos);
  CHECK_FALSE(cuda_cublas_seconds(1, 1, 1, 1).ok());
  CHECK(gpu_devices().empty());
}

TEST_CASE("cuda: cuBLAS is found and takes time") {
  if (cuda_devices().empty()) {
    std::puts("skipped: no CUDA device");
    return;
  }
  const auto seconds = cuda_cublas_seconds(96, 2048, 7168, 5);
  if (!seconds.ok()) {
    std::printf("skipped: %s\n", seconds.error().message.c_str());
    return;
  }
  CHECK(*seconds > 0);
}

}  // namespace
}  // namespace assay::test
