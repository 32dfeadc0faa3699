// Dense bf16 products through cuBLASLt, loaded with dlopen at first use (linked, its libraries would slow the start of every command). Only
// for nvcc. One algorithm a weight shape, without splits of k, and kept only after it has shown that a row's bits do not depend on how many
// rows are computed with it.
#pragma once
#include <cublasLt.h>
#include <dlfcn.h>

#include <map>
#include <utility>
#include <vector>

#include "kernels/accelerator.h"
#include "kernels/cuda_memory.h"

namespace assay {
namespace {

struct LtLibrary {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtMatmulAlgoCheck) check = nullptr;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) config_get = nullptr;
  bool complete = false;
};

inline const LtLibrary& lt_library() {
  static const LtLibrary kLoaded = [] {
    LtLibrary l;
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}) {
      void* const file = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (file == nullptr) continue;
      l.complete = true;
      const auto find = [&](auto& call, const char* symbol) {
        call = reinterpret_cast<std::remove_reference_t<decltype(call)>>(::dlsym(file, symbol));
        l.complete = l.complete && call != nullptr;
      };
      find(l.create, "cublasLtCreate");
      find(l.matmul, "cublasLtMatmul");
      find(l.desc_create, "cublasLtMatmulDescCreate");
      find(l.desc_destroy, "cublasLtMatmulDescDestroy");
      find(l.desc_set, "cublasLtMatmulDescSetAttribute");
      find(l.layout_create, "cublasLtMatrixLayoutCreate");
      find(l.layout_destroy, "cublasLtMatrixLayoutDestroy");
      find(l.preference_create, "cublasLtMatmulPreferenceCreate");
      find(l.preference_destroy, "cublasLtMatmulPreferenceDestroy");
      find(l.preference_set, "cublasLtMatmulPreferenceSetAttribute");
      find(l.heuristic, "cublasLtMatmulAlgoGetHeuristic");
      find(l.check, "cublasLtMatmulAlgoCheck");
      find(l.config_get, "cublasLtMatmulAlgoConfigGetAttribute");
      break;
    }
    return l;
  }();
  return kLoaded;
}

// Named, because nvcc 13 cannot compile a vector of the C interface's nameless struct.
struct LtAlgorithm {
  cublasLtMatmulAlgo_t value{};
};

// FP8 codes (E4M3) with scales for 128 inputs of each row of either operand, as cuBLAS lays them out: (n_blocks, rows), rows rounded up to 4.
struct LtScales {
  const float *w = nullptr, *x = nullptr;
};

// One product's descriptors: column-major as cuBLASLt sees it, D (n_out, n_tokens) = W^T (n_out, n_in) X (n_in, n_tokens).
class LtProblem {
 public:
  LtProblem(std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in, std::int64_t w_stride,
            std::int64_t x_stride, std::int64_t y_stride, LtScales scales = {}) {
    const cudaDataType type = scales.w == nullptr ? CUDA_R_16BF : CUDA_R_8F_E4M3;
    const LtLibrary& l = lt_library();
    const cublasOperation_t transposed = CUBLAS_OP_T;
    ok_ = l.desc_create(&desc_, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
          l.desc_set(desc_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed) ==
              CUBLAS_STATUS_SUCCESS &&
          l.layout_create(&w_, type, static_cast<std::uint64_t>(n_in), static_cast<std::uint64_t>(n_out),
                          w_stride) == CUBLAS_STATUS_SUCCESS &&
          l.layout_create(&x_, type, static_cast<std::uint64_t>(n_in), static_cast<std::uint64_t>(n_tokens),
                          x_stride) == CUBLAS_STATUS_SUCCESS &&
          l.layout_create(&y_, CUDA_R_32F, static_cast<std::uint64_t>(n_out),
                          static_cast<std::uint64_t>(n_tokens), y_stride) == CUBLAS_STATUS_SUCCESS;
    if (scales.w == nullptr) return;
    const std::int32_t mode = CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F;
    ok_ = ok_ &&
          l.desc_set(desc_, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode, sizeof mode) == CUBLAS_STATUS_SUCCESS &&
          l.desc_set(desc_, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode, sizeof mode) == CUBLAS_STATUS_SUCCESS &&
          l.desc_set(desc_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &scales.w, sizeof scales.w) ==
              CUBLAS_STATUS_SUCCESS &&
          l.desc_set(desc_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &scales.x, sizeof scales.x) ==
              CUBLAS_STATUS_SUCCESS;
  }
  LtProblem(const LtProblem&) = delete;
  LtProblem& operator=(const LtProblem&) = delete;
  ~LtProblem() {
    const LtLibrary& l = lt_library();
    if (desc_ != nullptr) l.desc_destroy(desc_);
    for (cublasLtMatrixLayout_t layout : {w_, x_, y_}) {
      if (layout != nullptr) l.layout_destroy(layout);
    }
  }

  bool ok() const { return ok_; }

  // Algorithms that neither split k nor reduce afterwards, likeliest fast first.
  std::vector<LtAlgorithm> algorithms(cublasLtHandle_t handle, std::size_t workspace) const {
    constexpr int kAsked = 16;
    const LtLibrary& l = lt_library();
    std::vector<LtAlgorithm> out;
    cublasLtMatmulPreference_t preference = nullptr;
    if (l.preference_create(&preference) != CUBLAS_STATUS_SUCCESS) return out;
    const std::uint32_t no_reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
    l.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    l.preference_set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &no_reduction,
                     sizeof no_reduction);
    cublasLtMatmulHeuristicResult_t found[kAsked];
    int n = 0;
    if (l.heuristic(handle, desc_, w_, x_, y_, y_, preference, kAsked, found, &n) != CUBLAS_STATUS_SUCCESS)
      n = 0;
    for (int i = 0; i < n; ++i) {
      std::int32_t splits = 0;
      std::size_t written = 0;
      l.config_get(&found[i].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits, sizeof splits, &written);
      if (found[i].state == CUBLAS_STATUS_SUCCESS && splits <= 1) out.push_back({found[i].algo});
    }
    l.preference_destroy(preference);
    return out;
  }

  bool run(cublasLtHandle_t handle, const LtAlgorithm& algorithm, const void* w, const void* x, float* y,
           void* workspace, std::size_t workspace_bytes, cudaStream_t stream) const {
    const LtLibrary& l = lt_library();
    cublasLtMatmulHeuristicResult_t result{};
    if (l.check(handle, desc_, w_, x_, y_, y_, &algorithm.value, &result) != CUBLAS_STATUS_SUCCESS ||
        result.workspaceSize > workspace_bytes)
      return false;
    const float one = 1.0f, zero = 0.0f;
    return l.matmul(handle, desc_, &one, w, w_, x, x_, &zero, y, y_, y, y_, &algorithm.value, workspace,
                    workspace_bytes, stream) == CUBLAS_STATUS_SUCCESS;
  }

 private:
  cublasLtMatmulDesc_t desc_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  bool ok_ = false;
};

class DenseProducts {
 public:
  // False: not through cuBLASLt, for no number of tokens; the caller's own kernel does it. *fault tells what should not have happened.
  bool run(const std::uint16_t* x, std::int64_t x_stride, const DeviceProduct& p, cudaStream_t stream,
           const char** fault) {
    if (!prepare()) return false;
    const DeviceMatrix& w = p.w;
    const auto [known, fresh] = chosen_.try_emplace({w.n_out, w.n_in});
    if (fresh) known->second = choose(w, x_stride, stream);
    if (!known->second.accepted) return false;
    const LtProblem problem(p.n_tokens, w.n_out, w.n_in, w.stride, x_stride, p.y_stride);
    if (!problem.ok() || !problem.run(handle_, known->second.algorithm, w.codes, x, p.y, workspace_->get(),
                                      kWorkspace, stream))
      *fault = "cuBLASLt's algorithm for this weight shape refused a number of tokens";
    return true;
  }
  int n_accepted() const {
    int n = 0;
    for (const auto& [shape, choice] : chosen_) n += choice.accepted ? 1 : 0;
    return n;
  }

  ~DenseProducts() { delete workspace_; }

 private:
  static constexpr std::size_t kWorkspace = std::size_t{32} << 20;
  struct Choice {
    bool accepted = false;
    LtAlgorithm algorithm{};
  };

  bool prepare() {
    if (tried_) return handle_ != nullptr;
    tried_ = true;
    if (!lt_library().complete || lt_library().create(&handle_) != CUBLAS_STATUS_SUCCESS) handle_ = nullptr;
    if (handle_ != nullptr) workspace_ = new DeviceArray<unsigned char>(kWorkspace);
    if (workspace_ != nullptr && workspace_->status() != cudaSuccess) handle_ = nullptr;
    return handle_ != nullptr;
  }

  // The first algorithm for 2,048 tokens that gives rows 100 .. 100 + n of them the same bits when those are all there is, n = 1 and 24.
  Choice choose(const DeviceMatrix& w, std::int64_t x_stride, cudaStream_t stream) {
    constexpr std::int64_t kTokens = 2048, kFirst = 100, kFew = 24;
    const std::int64_t n = w.n_out;
    std::vector<std::uint16_t> inputs(static_cast<std::size_t>(kTokens * x_stride));
    for (std::size_t i = 0; i < inputs.size(); ++i) {  // bf16 numbers of magnitude 2^-7 .. 1
      const auto r = static_cast<std::uint32_t>(i) * 2654435761u >> 7;
      inputs[i] = static_cast<std::uint16_t>((r & 0x8000u) | (0x3c00u + r % 0x380u));
    }
    const DeviceArray<std::uint16_t> x(inputs.data(), inputs.size());
    const DeviceArray<float> all(static_cast<std::size_t>(kTokens * n)),
        few(static_cast<std::size_t>(kFew * n));
    if (x.status() != cudaSuccess || all.status() != cudaSuccess || few.status() != cudaSuccess) return {};
    std::vector<float> want(static_cast<std::size_t>(kFew * n)), got(want.size());
    const LtProblem problem(kTokens, n, w.n_in, w.stride, x_stride, n);
    if (!problem.ok()) return {};
    for (const LtAlgorithm& algorithm : problem.algorithms(handle_, kWorkspace)) {
      bool same = problem.run(handle_, algorithm, w.codes, x.get(), all.get(), workspace_->get(), kWorkspace,
                              stream) &&
                  fetch(want, all.get() + kFirst * n, kFew * n, stream);
      for (const std::int64_t tokens : {std::int64_t{1}, kFew}) {
        const LtProblem part(tokens, n, w.n_in, w.stride, x_stride, n);
        same =
            same && part.ok() &&
            part.run(handle_, algorithm, w.codes, x.get() + kFirst * x_stride, few.get(), workspace_->get(),
                     kWorkspace, stream) &&
            fetch(got, few.get(), tokens * n, stream) &&
            std::memcmp(got.data(), want.data(), static_cast<std::size_t>(tokens * n) * sizeof(float)) == 0;
      }
      if (same) return {true, algorithm};
    }
    return {};
  }

  static bool fetch(std::vector<float>& to, const float* from, std::int64_t n, cudaStream_t stream) {
    return cudaMemcpyAsync(to.data(), from, static_cast<std::size_t>(n) * sizeof(float),
                           cudaMemcpyDeviceToHost, stream) == cudaSuccess &&
           cudaStreamSynchronize(stream) == cudaSuccess;
  }

  bool tried_ = false;
  cublasLtHandle_t handle_ = nullptr;
  DeviceArray<unsigned char>* workspace_ = nullptr;
  std::map<std::pair<std::int64_t, std::int64_t>, Choice> chosen_;
};

}  // namespace
}  // namespace assay
