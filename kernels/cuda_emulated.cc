// The GPU's kernels on the host (kernels/accelerator.h, emulated_accelerator): the same source, one thread of a block after another.
// clang-format off
#include "kernels/accelerator.h"
#include "kernels/cuda_block.h"
#include "kernels/cuda_host_block.h"
#include "kernels/cuda_math.h"
#include "kernels/cuda_unpack.h"
#include "kernels/cuda_rows.h"
#include "kernels/cuda_product.h"
#include "kernels/cuda_mma_product.h"
#include "kernels/cuda_router.h"
#include "kernels/cuda_attention.h"
#include "kernels/cuda_mma_attention.h"
#include "kernels/cuda_head.h"
#include "kernels/cuda_accelerator_of.h"
// clang-format on
#include <chrono>
#include <cstdlib>
#include <map>

#include "base/parallel.h"

namespace assay {
namespace {

class HostRuntime {
 public:
  HostRuntime(ThreadPool& pool, bool downwards) : pool_(pool), downwards_(downwards) {}
  HostRuntime(const HostRuntime&) = delete;
  HostRuntime& operator=(const HostRuntime&) = delete;
  ~HostRuntime() {
    for (const auto& [memory, bytes] : taken_) std::free(memory);
  }

  const char* name() const { return "emulated"; }
  std::uint64_t free_bytes() const { return std::uint64_t{1} << 40; }
  void* take(std::size_t bytes) {
    const std::size_t rounded = (bytes + 256) / 256 * 256;
    void* const memory = std::aligned_alloc(256, rounded);
    ASSAY_CHECK(memory != nullptr);
    std::memset(memory, 0xff, rounded);  // what nobody has written is NaN
    taken_.emplace(memory, bytes);
    return memory;
  }
  void give(void* memory) {
    if (memory == nullptr) return;
    ASSAY_CHECK(taken_.erase(memory) == 1);
    std::free(memory);
  }
  void to_device(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }
  void to_host(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void zero(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }
  void stream_begin() {}
  void stream_up(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }
  void stream_ready() {}
  const char* finish() const { return nullptr; }
  double seconds_of(void (*work)(void*), void* argument) const {
    const auto start = std::chrono::steady_clock::now();
    work(argument);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  // In the place of a library whose sums are not ours: f64, for some shapes. Whoever lets it compute some rows of a matrix and our own kernel
  // others shows it in the bits.
  bool dense_bf16(const std::uint16_t* x, std::int64_t x_stride, const DeviceProduct& p) {
    if (p.w.n_out % 8 != 0) return false;
    const auto* const w = static_cast<const std::uint16_t*>(p.w.codes);
    pool_.run(static_cast<std::size_t>(p.n_tokens), [&](std::size_t row, int) {
      const auto t = static_cast<std::int64_t>(row);
      for (std::int64_t o = 0; o < p.w.n_out; ++o) {
        double sum = 0;
        for (std::int64_t k = 0; k < p.w.n_in; ++k)
          sum += double{widened_bf16(w[o * p.w.stride + k])} * double{widened_bf16(x[t * x_stride + k])};
        p.y[t * p.y_stride + o] = static_cast<float>(sum);
      }
    });
    return true;
  }

  template <class A>
  bool dense_fp8(A&, const DeviceInput&, const DeviceProduct&) const {
    return false;
  }

  template <class K>
  void launch(const K& kernel, std::int64_t n_blocks) {
    constexpr std::int64_t kEach =
        8;  // blocks of one task; a block's results depend on nothing but its number
    const std::int64_t n_tasks = (n_blocks + kEach - 1) / kEach;
    pool_.run(static_cast<std::size_t>(n_tasks), [&](std::size_t task, int) {
      const std::int64_t first = static_cast<std::int64_t>(task) * kEach;
      run_on_host(kernel, first, lesser(first + kEach, n_blocks), downwards_);
    });
  }

 private:
  ThreadPool& pool_;
  bool downwards_;
  std::map<void*, std::size_t> taken_;
};

}  // namespace

std::unique_ptr<Accelerator> emulated_accelerator(ThreadPool& pool, bool downwards) {
  return std::make_unique<AcceleratorOf<HostRuntime>>(pool, downwards);
}

}  // namespace assay
