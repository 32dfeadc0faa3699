// Dense FP8 products through cuBLASLt with a scale for 128 inputs of each row of inputs and weights. Only for nvcc. An algorithm is kept only after
// it has agreed with our own kernel and has given rows the same bits alone and among others; without one our own kernel does it.
#pragma once
#include <cmath>

#include "kernels/cuda_blas.h"
#include "kernels/cuda_device_block.h"
#include "kernels/cuda_rows.h"

namespace assay {
namespace {

// Scales (n_rows, n_blocks) as (n_blocks, stride).
struct TransposeScalesOp {
  std::int64_t n, n_blocks, stride;
  const float* from;
  float* to;
  ASSAY_GPU void at(std::int64_t i) const { to[i % n_blocks * stride + i / n_blocks] = from[i]; }
};

template <class K>
void launch_fp8(const K& kernel, cudaStream_t stream) {
  run_on_device<K><<<static_cast<unsigned>(kernel.blocks()), K::kThreads, K::kSharedBytes, stream>>>(kernel);
}

class Fp8Products {
 public:
  // False: not through cuBLASLt, for no number of tokens. `own` computes a product with our own kernel.
  template <class Own>
  bool run(const DeviceInput& x, const DeviceProduct& p, cudaStream_t stream, const Own& own,
           const char** fault) {
    if (choosing_ || !prepare()) return false;
    const auto [known, fresh] = chosen_.try_emplace({p.w.n_out, p.w.n_in});
    if (fresh) known->second = choose(p.w, stream, own);
    if (!known->second.accepted) return false;
    if (!product(known->second.algorithm, x.x + p.first_row * x.stride, x.stride, p.w, p.n_tokens, p.y,
                 p.y_stride, stream))
      *fault = "cuBLASLt's algorithm for this FP8 weight shape refused a number of tokens";
    return true;
  }
  ~Fp8Products() { delete workspace_; }

 private:
  static constexpr std::size_t kWorkspace = std::size_t{32} << 20;
  struct Choice {
    bool accepted = false;
    LtAlgorithm algorithm{};
  };
  template <class T>
  struct Queued {  // memory in the order of the stream
    Queued(std::int64_t n, cudaStream_t on) : stream(on) {
      if (cudaMallocAsync(&memory, static_cast<std::size_t>(n) * sizeof(T), stream) != cudaSuccess)
        memory = nullptr;
    }
    Queued(const Queued&) = delete;
    Queued& operator=(const Queued&) = delete;
    ~Queued() {
      if (memory != nullptr) cudaFreeAsync(memory, stream);
    }
    T* get() const { return static_cast<T*>(memory); }
    void* memory = nullptr;
    cudaStream_t stream;
  };

  bool prepare() {
    if (tried_) return handle_ != nullptr;
    tried_ = true;
    int major = 0, minor = 0;
    const bool known = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess &&
                       cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0) == cudaSuccess;
    if (!known || major != 9) return false;  // this scale layout is Hopper's
    if (!lt_library().complete || lt_library().create(&handle_) != CUBLAS_STATUS_SUCCESS) handle_ = nullptr;
    if (handle_ != nullptr) workspace_ = new DeviceArray<unsigned char>(kWorkspace);
    if (workspace_ != nullptr && workspace_->status() != cudaSuccess) handle_ = nullptr;
    return handle_ != nullptr;
  }

  // One product, inputs quantised on the way; algorithm nullptr: tells which there are in *found.
  bool product(const LtAlgorithm& algorithm, const float* x, std::int64_t x_stride, const DeviceMatrix& w,
               std::int64_t n_tokens, float* y, std::int64_t y_stride, cudaStream_t stream,
               std::vector<LtAlgorithm>* found = nullptr) {
    const std::int64_t n_blocks = (w.n_in + kFp8Inputs - 1) / kFp8Inputs, tokens_4 = (n_tokens + 3) / 4 * 4,
                       outputs_4 = (w.n_out + 3) / 4 * 4;
    const Queued<std::uint8_t> codes(n_tokens * w.stride, stream);
    const Queued<float> of_x(n_blocks * tokens_4, stream), of_w(n_blocks * outputs_4, stream);
    if (codes.memory == nullptr || of_x.memory == nullptr || of_w.memory == nullptr) return false;
    cudaMemsetAsync(of_x.memory, 0, static_cast<std::size_t>(n_blocks * tokens_4) * sizeof(float), stream);
    cudaMemsetAsync(of_w.memory, 0, static_cast<std::size_t>(n_blocks * outputs_4) * sizeof(float), stream);
    launch_fp8(QuantiseKernel{x, n_tokens, w.n_in, x_stride, n_blocks, nullptr, codes.get(), 0, w.stride,
                              of_x.get(), tokens_4},
               stream);
    launch_fp8(EachElement<TransposeScalesOp>{{w.n_out * n_blocks, n_blocks, outputs_4,
                                               static_cast<const float*>(w.scales), of_w.get()}},
               stream);
    const LtProblem problem(n_tokens, w.n_out, w.n_in, w.stride, w.stride, y_stride,
                            {of_w.get(), of_x.get()});
    if (!problem.ok()) return false;
    if (found != nullptr) {
      *found = problem.algorithms(handle_, kWorkspace);
      return true;
    }
    return problem.run(handle_, algorithm, w.codes, codes.get(), y, workspace_->get(), kWorkspace, stream);
  }

  template <class Own>
  Choice choose(const DeviceMatrix& w, cudaStream_t stream, const Own& own) {
    constexpr std::int64_t kTokens = 512, kFirst = 100, kFew = 24;
    std::vector<float> inputs(static_cast<std::size_t>(kTokens * w.n_in));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      inputs[i] = static_cast<float>(static_cast<std::int32_t>(static_cast<std::uint32_t>(i) * 2654435761u)) *
                  0x1p-31f;
    const auto n = static_cast<std::size_t>(kTokens * w.n_out);
    const DeviceArray<float> x(inputs.data(), inputs.size()), all(n);
    if (x.status() != cudaSuccess || all.status() != cudaSuccess) return {};
    std::vector<float> ours(n), theirs(n), few(static_cast<std::size_t>(kFew * w.n_out));
    choosing_ = true;
    own(DeviceInput{x.get(), kTokens, w.n_in},
        DeviceProduct{.w = w, .n_tokens = kTokens, .y = all.get(), .y_stride = w.n_out});
    choosing_ = false;
    if (!fetch_floats(ours, all.get(), stream)) return {};
    float largest = 0;
    for (const float value : ours) largest = std::fmax(largest, std::fabs(value));
    std::vector<LtAlgorithm> found;
    if (!product({}, x.get(), w.n_in, w, kTokens, all.get(), w.n_out, stream, &found)) return {};
    for (const LtAlgorithm& algorithm : found) {
      bool good = product(algorithm, x.get(), w.n_in, w, kTokens, all.get(), w.n_out, stream) &&
                  fetch_floats(theirs, all.get(), stream);
      for (std::size_t i = 0; i < n && good; ++i) good = std::fabs(theirs[i] - ours[i]) <= 0x1p-10f * largest;
      for (const std::int64_t tokens : {std::int64_t{1}, kFew}) {
        few.resize(static_cast<std::size_t>(tokens * w.n_out));
        good = good &&
               product(algorithm, x.get() + kFirst * w.n_in, w.n_in, w, tokens, all.get(), w.n_out, stream) &&
               fetch_floats(few, all.get(), stream) &&
               std::memcmp(few.data(), theirs.data() + kFirst * w.n_out, few.size() * sizeof(float)) == 0;
      }
      if (good) return {true, algorithm};
    }
    return {};
  }

  static bool fetch_floats(std::vector<float>& to, const float* from, cudaStream_t stream) {
    return cudaMemcpyAsync(to.data(), from, to.size() * sizeof(float), cudaMemcpyDeviceToHost, stream) ==
               cudaSuccess &&
           cudaStreamSynchronize(stream) == cudaSuccess;
  }

  bool tried_ = false, choosing_ = false;
  cublasLtHandle_t handle_ = nullptr;
  DeviceArray<unsigned char>* workspace_ = nullptr;
  std::map<std::pair<std::int64_t, std::int64_t>, Choice> chosen_;
};

}  // namespace
}  // namespace assay
