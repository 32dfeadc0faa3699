// cuBLAS as a yardstick for benchmarks, loaded with dlopen at first use: linked, its libraries would slow the start of every command, and
// a machine without them could not start at all. The few declarations below are its documented C interface (cublas_api.h of CUDA 12 and 13).
#include <dlfcn.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "kernels/cuda_launch.h"
#include "kernels/cuda_memory.h"

namespace assay {
namespace {

using Handle = void*;
using CreateCall = int (*)(Handle*);
using DestroyCall = int (*)(Handle);
using GemmCall = int (*)(Handle, int, int, int, int, int, const void*, const void*, cudaDataType, int,
                         const void*, cudaDataType, int, const void*, void*, cudaDataType, int, int, int);
constexpr int kTransposed = 1, kPlain = 0, kCompute32F = 68, kDefaultAlgorithm = -1;

struct Library {
  CreateCall create = nullptr;
  DestroyCall destroy = nullptr;
  GemmCall gemm = nullptr;
};

const Library& library() {
  static const Library kLoaded = [] {
    Library l;
    for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so"}) {
      void* const file = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (file == nullptr) continue;
      l.create = reinterpret_cast<CreateCall>(::dlsym(file, "cublasCreate_v2"));
      l.destroy = reinterpret_cast<DestroyCall>(::dlsym(file, "cublasDestroy_v2"));
      l.gemm = reinterpret_cast<GemmCall>(::dlsym(file, "cublasGemmEx"));
      break;
    }
    return l;
  }();
  return kLoaded;
}

// bf16 numbers of magnitude 2^-7 .. 1: all-zero or constant data would draw less power and flatter the rate.
__global__ void fill(std::uint16_t* data, std::int64_t n) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned r = static_cast<unsigned>(i) * 2654435761u >> 7;
  data[i] = static_cast<std::uint16_t>((r & 0x8000u) | (0x3c00u + r % 0x380u));
}

const char* time_calls(Handle handle, std::int64_t m, std::int64_t n, std::int64_t k, const std::uint16_t* w,
                       const std::uint16_t* x, std::uint16_t* y, std::vector<double>& seconds) {
  const float one = 1.0f, zero = 0.0f;
  cudaEvent_t start = nullptr, stop = nullptr;
  if (const char* fault = first_fault({cudaEventCreate(&start), cudaEventCreate(&stop)})) return fault;
  const char* fault = nullptr;
  for (std::size_t i = 0; i <= seconds.size() && fault == nullptr; ++i) {  // the first call warms up
    cudaEventRecord(start);
    const int status = library().gemm(handle, kTransposed, kPlain, static_cast<int>(n), static_cast<int>(m),
                                      static_cast<int>(k), &one, w, CUDA_R_16BF, static_cast<int>(k), x,
                                      CUDA_R_16BF, static_cast<int>(k), &zero, y, CUDA_R_16BF,
                                      static_cast<int>(n), kCompute32F, kDefaultAlgorithm);
    float ms = 0;
    fault = status != 0 ? "cublasGemmEx failed"
                        : first_fault({cudaEventRecord(stop), cudaEventSynchronize(stop),
                                       cudaEventElapsedTime(&ms, start, stop)});
    if (i > 0) seconds[i - 1] = 1e-3 * static_cast<double>(ms);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  return fault;
}

}  // namespace

const char* cuda_launch_cublas(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in, int repetitions,
                               double* seconds) {
  int count = 0;
  if (const char* fault = cuda_launch_count(&count)) return fault;
  if (count == 0) return "no CUDA device";
  if (library().create == nullptr || library().destroy == nullptr || library().gemm == nullptr)
    return "libcublas is not there";
  const std::int64_t n_w = n_out * n_in, n_x = n_tokens * n_in;
  const DeviceArray<std::uint16_t> w(static_cast<std::size_t>(n_w)), x(static_cast<std::size_t>(n_x)),
      y(static_cast<std::size_t>(n_tokens * n_out));
  if (const char* fault = first_fault({w.status(), x.status(), y.status()})) return fault;
  fill<<<static_cast<unsigned>((n_w + 255) / 256), 256>>>(w.get(), n_w);
  fill<<<static_cast<unsigned>((n_x + 255) / 256), 256>>>(x.get(), n_x);
  Handle handle = nullptr;
  if (library().create(&handle) != 0) return "cublasCreate failed";
  std::vector<double> times(static_cast<std::size_t>(repetitions));
  const char* const fault = time_calls(handle, n_tokens, n_out, n_in, w.get(), x.get(), y.get(), times);
  library().destroy(handle);
  std::sort(times.begin(), times.end());
  *seconds = times[times.size() / 2];
  return fault;
}

}  // namespace assay
