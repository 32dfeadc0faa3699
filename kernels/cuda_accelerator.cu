// A CUDA device as an accelerator (kernels/accelerator.h): one stream for kernels, one for weights that come through pinned buffers.
// Order matters: kernels are compiled for the device's blocks.
// clang-format off
#include "kernels/accelerator.h"
#include "kernels/cuda_device_block.h"
#include "kernels/cuda_accelerator_of.h"
// clang-format on
#include "kernels/cuda_blas_fp8.h"
#include "kernels/cuda_launch.h"

namespace assay {
namespace {

class CudaRuntime {
 public:
  CudaRuntime() {
    note(cudaSetDevice(0));
    cudaDeviceProp p{};
    note(cudaGetDeviceProperties(&p, 0));
    for (int i = 0; i < 255; ++i) name_[i] = p.name[i];
    note(cudaStreamCreateWithFlags(&work_, cudaStreamNonBlocking));
    note(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking));
    for (cudaEvent_t* event : {&reached_, &arrived_, &start_, &stop_}) note(cudaEventCreate(event));
    cudaMemPool_t pool = nullptr;
    note(cudaDeviceGetDefaultMemPool(&pool, 0));
    std::uint64_t keep =
        UINT64_MAX;  // memory given back stays with the process: taking it again costs nothing
    if (pool != nullptr) note(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  }
  CudaRuntime(const CudaRuntime&) = delete;
  CudaRuntime& operator=(const CudaRuntime&) = delete;
  ~CudaRuntime() {
    cudaDeviceSynchronize();
    for (Pinned& p : pinned_) {
      if (p.memory != nullptr) cudaFreeHost(p.memory);
      if (p.free != nullptr) cudaEventDestroy(p.free);
    }
    for (cudaEvent_t event : {reached_, arrived_, start_, stop_}) cudaEventDestroy(event);
    cudaStreamDestroy(work_);
    cudaStreamDestroy(copies_);
  }

  const char* name() const { return name_; }
  std::uint64_t free_bytes() const {
    std::size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? free : 0;
  }
  void* take(std::size_t bytes) {
    void* memory = nullptr;
    note(cudaMallocAsync(&memory, bytes == 0 ? 1 : bytes, work_));
    return memory;
  }
  void give(void* memory) {
    if (memory != nullptr) note(cudaFreeAsync(memory, work_));
  }
  void to_device(void* to, const void* from,
                 std::size_t bytes) {  // pageable memory: read before the call returns
    note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, work_));
  }
  void to_host(void* to, const void* from, std::size_t bytes) {
    note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, work_));
    note(cudaStreamSynchronize(work_));
  }
  void copy(void* to, const void* from, std::size_t bytes) {
    note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, work_));
  }
  void zero(void* to, std::size_t bytes) { note(cudaMemsetAsync(to, 0, bytes, work_)); }

  void stream_begin() {
    note(cudaEventRecord(reached_, work_));
    note(cudaStreamWaitEvent(copies_, reached_, 0));
  }
  void stream_up(void* to, const void* from, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += kPinnedBytes) {
      const std::size_t n = bytes - at < kPinnedBytes ? bytes - at : kPinnedBytes;
      Pinned& p = pinned_[next_pinned_++ % kPinnedBuffers];
      if (!p.ready(*this)) return;
      std::memcpy(p.memory, static_cast<const unsigned char*>(from) + at, n);
      note(cudaMemcpyAsync(static_cast<unsigned char*>(to) + at, p.memory, n, cudaMemcpyHostToDevice,
                           copies_));
      note(cudaEventRecord(p.free, copies_));
    }
  }
  void stream_ready() {
    note(cudaEventRecord(arrived_, copies_));
    note(cudaStreamWaitEvent(work_, arrived_, 0));
  }

  const char* finish() {
    note(cudaStreamSynchronize(copies_));
    note(cudaStreamSynchronize(work_));
    return fault_;
  }
  double seconds_of(void (*work)(void*), void* argument) {
    note(cudaEventRecord(start_, work_));
    work(argument);
    note(cudaEventRecord(stop_, work_));
    note(cudaEventSynchronize(stop_));
    float ms = 0;
    note(cudaEventElapsedTime(&ms, start_, stop_));
    return 1e-3 * static_cast<double>(ms);
  }

  bool dense_bf16(const std::uint16_t* x, std::int64_t x_stride, const DeviceProduct& p) {
    const char* fault = nullptr;
    const bool done = dense_.run(x, x_stride, p, work_, &fault);
    if (fault != nullptr && fault_ == nullptr) fault_ = fault;
    return done;
  }

  template <class A>
  bool dense_fp8(A& accelerator, const DeviceInput& x, const DeviceProduct& p) {
    const char* fault = nullptr;
    const auto own = [&](const DeviceInput& input, const DeviceProduct& product) {
      accelerator.multiply(input, &product, 1, GpuArithmetic::fp8);
    };
    const bool done = dense_fp8_.run(x, p, work_, own, &fault);
    if (fault != nullptr && fault_ == nullptr) fault_ = fault;
    return done;
  }

  template <class K>
  void launch(const K& kernel, std::int64_t n_blocks) {
    static_assert(K::kSharedBytes <= 160 * 1024, "of a block on sm_80 there are 163 KiB");
    if (n_blocks > INT32_MAX) {
      if (fault_ == nullptr) fault_ = "more blocks than a grid has";
      return;
    }
    if (K::kSharedBytes > 48 * 1024)
      note(cudaFuncSetAttribute(run_on_device<K>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                static_cast<int>(K::kSharedBytes)));
    run_on_device<K><<<static_cast<unsigned>(n_blocks), K::kThreads, K::kSharedBytes, work_>>>(kernel);
    note(cudaGetLastError());
  }

 private:
  static constexpr std::size_t kPinnedBytes = std::size_t{64} << 20;
  static constexpr std::size_t kPinnedBuffers = 3;
  struct Pinned {
    void* memory = nullptr;
    cudaEvent_t free = nullptr;  // its last copy has left it
    bool ready(CudaRuntime& r) {
      if (memory == nullptr) {
        r.note(cudaMallocHost(&memory, kPinnedBytes));
        r.note(cudaEventCreateWithFlags(&free, cudaEventDisableTiming));
        return memory != nullptr;
      }
      r.note(cudaEventSynchronize(free));
      return true;
    }
  };

  void note(cudaError_t status) {
    if (status != cudaSuccess && fault_ == nullptr) fault_ = cudaGetErrorString(status);
  }

  char name_[256] = {};
  const char* fault_ = nullptr;
  cudaStream_t work_ = nullptr, copies_ = nullptr;
  cudaEvent_t reached_ = nullptr, arrived_ = nullptr, start_ = nullptr, stop_ = nullptr;
  Pinned pinned_[kPinnedBuffers];
  std::size_t next_pinned_ = 0;
  DenseProducts dense_;
  Fp8Products dense_fp8_;
};

}  // namespace

std::unique_ptr<Accelerator> cuda_accelerator(const char** why) {
  int count = 0;
  *why = cuda_launch_count(&count);
  if (*why == nullptr && count == 0) *why = "no CUDA device";
  if (*why != nullptr) return nullptr;
  auto out = std::make_unique<AcceleratorOf<CudaRuntime>>();
  *why = out->finish();
  return *why == nullptr ? std::move(out) : nullptr;
}

const char* cuda_launch_count(int* count) { return text_of(cudaGetDeviceCount(count)); }

const char* cuda_launch_describe(int device, CudaDevice* out) {
  cudaDeviceProp p{};
  const cudaError_t status = cudaGetDeviceProperties(&p, device);
  if (status != cudaSuccess) return cudaGetErrorString(status);
  for (int i = 0; i < 255; ++i) out->name[i] = p.name[i];
  out->name[255] = '\0';
  out->multiprocessors = p.multiProcessorCount;
  out->major = p.major;
  out->minor = p.minor;
  out->memory_bytes = p.totalGlobalMem;
  return nullptr;
}

}  // namespace assay
