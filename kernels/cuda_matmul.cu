// The matrix product on the GPU with the contract's own order, so that its bits are the CPU's: fixed tiles, no atomics, no split of k.
#include <initializer_list>

#include "kernels/cuda_launch.h"
#include "kernels/cuda_memory.h"

namespace assay {
namespace {

constexpr int kTile = 64;  // tokens and outputs of a thread block
constexpr int kStep = 16;  // inputs staged in shared memory at a time; divides kBlockK
constexpr int kSide = 16;  // threads along each side; a thread has 4 x 4 elements
constexpr int kEach = kTile / kSide;
static_assert(kBlockK % kStep == 0);

__device__ float widen(std::uint16_t bits) { return __uint_as_float(static_cast<unsigned>(bits) << 16); }

struct Shape {
  std::int64_t n_tokens, n_out, n_in;
};

// Stages inputs [k0, k0 + kStep) of the tile's tokens and outputs; zero outside the matrix (fma with +0 operands leaves an accumulator as it is, and
// what lies outside is never stored).
__device__ void stage(const std::uint16_t* w, const float* x, Shape s, std::int64_t t0, std::int64_t o0,
                      std::int64_t k0, float (*xs)[kTile], float (*ws)[kTile]) {
  for (int i = threadIdx.y * kSide + threadIdx.x; i < kStep * kTile; i += kSide * kSide) {
    const int k = i % kStep, row = i / kStep;
    const bool inside = k0 + k < s.n_in;
    xs[k][row] = inside && t0 + row < s.n_tokens ? x[(t0 + row) * s.n_in + k0 + k] : 0.0f;
    ws[k][row] = inside && o0 + row < s.n_out ? widen(w[(o0 + row) * s.n_in + k0 + k]) : 0.0f;
  }
}

__global__ void __launch_bounds__(kSide* kSide)
    matmul_kernel(const std::uint16_t* w, const float* x, Shape s, float* y) {
  __shared__ float xs[kStep][kTile], ws[kStep][kTile];
  const std::int64_t t0 = static_cast<std::int64_t>(blockIdx.y) * kTile,
                     o0 = static_cast<std::int64_t>(blockIdx.x) * kTile;
  float sum[kEach][kEach] = {};
  for (std::int64_t block = 0; block < s.n_in; block += kBlockK) {
    float acc[kEach][kEach] = {};
    for (std::int64_t k0 = block; k0 < block + kBlockK && k0 < s.n_in; k0 += kStep) {
      stage(w, x, s, t0, o0, k0, xs, ws);
      __syncthreads();
      const int n_k = s.n_in - k0 < kStep ? static_cast<int>(s.n_in - k0) : kStep;
      for (int k = 0; k < n_k; ++k) {
        for (int i = 0; i < kEach; ++i) {
          for (int j = 0; j < kEach; ++j) {
            acc[i][j] = __fmaf_rn(xs[k][threadIdx.y + i * kSide], ws[k][threadIdx.x + j * kSide], acc[i][j]);
          }
        }
      }
      __syncthreads();
    }
    for (int i = 0; i < kEach; ++i) {
      for (int j = 0; j < kEach; ++j) sum[i][j] = block == 0 ? acc[i][j] : __fadd_rn(sum[i][j], acc[i][j]);
    }
  }
  for (int i = 0; i < kEach; ++i) {
    for (int j = 0; j < kEach; ++j) {
      const std::int64_t t = t0 + threadIdx.y + i * kSide, o = o0 + threadIdx.x + j * kSide;
      if (t < s.n_tokens && o < s.n_out) y[t * s.n_out + o] = sum[i][j];
    }
  }
}

}  // namespace

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

const char* cuda_launch_matmul(const std::uint16_t* w, const float* x, std::int64_t n_tokens,
                               std::int64_t n_out, std::int64_t n_in, float* y) {
  constexpr std::int64_t kMaxRows = std::int64_t{65535} * kTile;  // of a grid's second dimension
  if (n_tokens > kMaxRows) return "too many tokens at once";
  const auto n_w = static_cast<std::size_t>(n_out * n_in), n_x = static_cast<std::size_t>(n_tokens * n_in);
  const DeviceArray<std::uint16_t> dw(w, n_w);
  const DeviceArray<float> dx(x, n_x), dy(static_cast<std::size_t>(n_tokens * n_out));
  if (const char* fault = first_fault({dw.status(), dx.status(), dy.status()})) return fault;
  const dim3 grid(static_cast<unsigned>((n_out + kTile - 1) / kTile),
                  static_cast<unsigned>((n_tokens + kTile - 1) / kTile));
  matmul_kernel<<<grid, dim3(kSide, kSide)>>>(dw.get(), dx.get(), {n_tokens, n_out, n_in}, dy.get());
  return first_fault({cudaGetLastError(), dy.copy_to(y)});
}

}  // namespace assay
