// How a GPU kernel is written here, once for two machines. A kernel is a struct of its arguments with kThreads, kSharedBytes, blocks()
// and run(block): phases - b.phase([&](int thread) { ... }) - that every thread of the block goes through before any goes on, with shared
// memory between them and PerThread variables for what a thread keeps. nvcc compiles it for the device (cuda_device_block.h: a phase is the
// thread's own call and a barrier); any C++ compiler compiles the same lines for the host (cuda_host_block.h: a phase is a loop over the
// threads), so that a machine without a GPU can test them. Everything is in an anonymous namespace: each includer has its own.
#pragma once
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define ASSAY_GPU __device__ __forceinline__
#define ASSAY_UNROLL _Pragma("unroll")  // over arrays that are to stay in registers
#else
#define ASSAY_GPU inline
#define ASSAY_UNROLL
#endif

namespace assay {
namespace {

constexpr int kGpuWarp = 32;

// What each of a block's threads keeps in its registers from phase to phase.
template <class T, int kThreads>
struct PerThread {
#ifdef __CUDACC__
  T own;
  ASSAY_GPU T& operator[](int) { return own; }
#else
  T all[kThreads];
  T& operator[](int thread) { return all[thread]; }
#endif
};

// One rounding; everything else is written with plain operators, which the build does not contract.
ASSAY_GPU float fused(float a, float b, float c) {
#ifdef __CUDACC__
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}

ASSAY_GPU std::uint32_t bits_of(float x) {
#ifdef __CUDACC__
  return __float_as_uint(x);
#else
  std::uint32_t r;
  std::memcpy(&r, &x, sizeof r);
  return r;
#endif
}

ASSAY_GPU float float_of_bits(std::uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  float r;
  std::memcpy(&r, &bits, sizeof r);
  return r;
#endif
}

ASSAY_GPU float square_root(float x) {
#ifdef __CUDACC__
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}

ASSAY_GPU float infinity_f32() { return float_of_bits(0x7f800000u); }
ASSAY_GPU float nan_f32() { return float_of_bits(0x7fc00000u); }
ASSAY_GPU double infinity_f64() {
#ifdef __CUDACC__
  return __longlong_as_double(0x7ff0000000000000ll);
#else
  return __builtin_inf();
#endif
}

ASSAY_GPU float larger(float a, float b) { return a > b ? a : b; }   // b if a is NaN
ASSAY_GPU float smaller(float a, float b) { return a < b ? a : b; }  // likewise

ASSAY_GPU float widened_bf16(std::uint16_t bits) {
  return float_of_bits(static_cast<std::uint32_t>(bits) << 16);
}
ASSAY_GPU std::uint16_t rounded_bf16(float value) {  // nearest even; a NaN stays a quiet NaN
  const std::uint32_t bits = bits_of(value);
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

ASSAY_GPU std::int64_t blocks_for(std::int64_t n, std::int64_t each) { return (n + each - 1) / each; }
ASSAY_GPU std::int64_t lesser(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

}  // namespace
}  // namespace assay
