// Between cuda.cc and the .cu files: plain functions and types, for nvcc. Each gives nullptr, or why it could not (static text).
#pragma once
#include <cstdint>

namespace assay {

struct CudaDevice {
  char name[256];
  int multiprocessors, major, minor;
  std::uint64_t memory_bytes;
};
const char* cuda_launch_count(int* count);
const char* cuda_launch_describe(int device, CudaDevice* out);
const char* cuda_launch_cublas(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in, int repetitions,
                               double* seconds);

}  // namespace assay
