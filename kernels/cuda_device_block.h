// A block of a kernel on the device. Only for nvcc.
#pragma once
#include <cuda_runtime.h>

#include "kernels/cuda_block.h"

namespace assay {
namespace {

struct DeviceBlock {
  std::int64_t index;     // of the block in its grid
  unsigned char* shared;  // K::kSharedBytes, aligned to 128

  template <class Body>
  ASSAY_GPU void phase(const Body& body) {
    body(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
  // A phase without a barrier: touches nothing that another thread of the block reads or writes.
  template <class Body>
  ASSAY_GPU void each(const Body& body) {
    body(static_cast<int>(threadIdx.x));
  }

  // 16 bytes into shared memory in the background; `inside` false: zeros. Both addresses are multiples of 16.
  static ASSAY_GPU void copy_16(void* to, const void* from, bool inside) {
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
                 "r"(inside ? 16 : 0)
                 : "memory");
  }
  // Ends the group of copies that each thread has asked for.
  ASSAY_GPU void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  // Waits until at most kLeft groups are on the way; then every thread sees what has come.
  template <int kLeft>
  ASSAY_GPU void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
    __syncthreads();
  }

  // Four 8 x 8 matrices of 16-bit numbers for each warp: thread 8 i + r names row r of matrix i in shared memory.
  template <class Row, class Out>
  ASSAY_GPU void load_matrices(const Row& row, const Out& out) {
    const int t = static_cast<int>(threadIdx.x);
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row(t)));
    std::uint32_t* const to = out(t);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address));
  }
  // The same with each matrix transposed on its way.
  template <class Row, class Out>
  ASSAY_GPU void load_transposed(const Row& row, const Out& out) {
    const int t = static_cast<int>(threadIdx.x);
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row(t)));
    std::uint32_t* const to = out(t);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address));
  }
  // c (16, 8) += a (16, 16) b (16, 8) of each warp: bf16 products, f32 sums; registers as the PTX manual lays out m16n8k16.
  template <class C, class A, class B>
  ASSAY_GPU void multiply_bf16(const C& c, const A& a, const B& b) {
    const int t = static_cast<int>(threadIdx.x);
    float* const d = c(t);
    const std::uint32_t *const x = a(t), *const w = b(t);
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(w[0]), "r"(w[1]));
  }
  // The value of thread `from(t)` of the same warp.
  template <class In, class From, class Out>
  ASSAY_GPU void shuffle(const In& in, const From& from, const Out& out) {
    const int t = static_cast<int>(threadIdx.x);
    out(t, __shfl_sync(0xffffffffu, in(t), from(t) % kGpuWarp));
  }
};

template <class K>
__global__ void __launch_bounds__(K::kThreads) run_on_device(const K kernel) {
  extern __shared__ __align__(128) unsigned char shared_of_block[];
  DeviceBlock block{static_cast<std::int64_t>(blockIdx.x), shared_of_block};
  kernel.run(block);
}

}  // namespace
}  // namespace assay
