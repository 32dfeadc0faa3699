// Device memory for the .cu files: freed when it goes out of scope; every CUDA call's answer is kept. Only for nvcc.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

namespace assay {
namespace {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t n) : n_(n) { status_ = cudaMalloc(&data_, n * sizeof(T)); }
  DeviceArray(const T* host, std::size_t n) : DeviceArray(n) {
    if (status_ == cudaSuccess) status_ = cudaMemcpy(data_, host, n * sizeof(T), cudaMemcpyHostToDevice);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() {
    if (data_ != nullptr) cudaFree(data_);
  }

  T* get() const { return static_cast<T*>(data_); }
  cudaError_t status() const { return status_; }
  cudaError_t copy_to(T* host) const {
    return cudaMemcpy(host, data_, n_ * sizeof(T), cudaMemcpyDeviceToHost);
  }

 private:
  void* data_ = nullptr;
  std::size_t n_ = 0;
  cudaError_t status_ = cudaSuccess;
};

inline const char* text_of(cudaError_t status) {
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

// The first of several answers that is not success.
inline const char* first_fault(std::initializer_list<cudaError_t> answers) {
  for (const cudaError_t status : answers) {
    if (status != cudaSuccess) return cudaGetErrorString(status);
  }
  return nullptr;
}

}  // namespace
}  // namespace assay
