#include "kernels/bench/blas_library.h"

#include <dlfcn.h>

#include <limits>

#include "base/check.h"

namespace assay {
namespace {

// CBLAS as published (netlib.org/blas/cblas.h), with 32-bit integers.
using GemmCall = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                          const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
constexpr int kRowMajor = 101, kNotTransposed = 111, kIsTransposed = 112;

int blas_extent(std::int64_t n) {
  ASSAY_CHECK(n >= 1 && n <= std::numeric_limits<int>::max());
  return static_cast<int>(n);
}

}  // namespace

bool BlasLibrary::load(const char* file, const char* name, const char* threads) {
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return false;
  gemm_ = ::dlsym(library, "cblas_sgemm");
  threads_ = ::dlsym(library, threads);
  if (gemm_ == nullptr || threads_ == nullptr) return false;
  name_ = description_ = name;
  if (void* const config = ::dlsym(library, "openblas_get_config"))
    description_ = reinterpret_cast<const char* (*)()>(config)();
  if (void* const version = ::dlsym(library, "bli_info_get_version_str"))
    description_ = std::string("BLIS ") + reinterpret_cast<const char* (*)()>(version)();
  return true;
}

const BlasLibrary* BlasLibrary::find() {
  static const BlasLibrary* const kFound = []() -> const BlasLibrary* {
    static BlasLibrary library;
    const bool found = library.load("libopenblas.so.0", "openblas", "openblas_set_num_threads") ||
                       library.load("libblis.so.4", "blis", "bli_thread_set_num_threads");
    return found ? &library : nullptr;
  }();
  return kFound;
}

const char* BlasLibrary::advice() {
  return "no GEMM library's peak: neither libopenblas.so.0 nor libblis.so.4 is there (apt-get install "
         "libopenblas0-pthread)";
}

void BlasLibrary::use_threads(int n) const {
  ASSAY_CHECK(n >= 1);
  // OpenBLAS takes an int, BLIS its dim_t, 64 bits wide.
  name_ == "blis" ? reinterpret_cast<void (*)(std::int64_t)>(threads_)(n)
                  : reinterpret_cast<void (*)(int)>(threads_)(n);
}

void BlasLibrary::multiply(const float* x, const float* w, std::int64_t n_tokens, std::int64_t n_out,
                           std::int64_t n_in, float* y) const {
  const int m = blas_extent(n_tokens), n = blas_extent(n_out), k = blas_extent(n_in);
  reinterpret_cast<GemmCall>(gemm_)(kRowMajor, kNotTransposed, kIsTransposed, m, n, k, 1.0f, x, k, w, k, 0.0f,
                                    y, n);
}

}  // namespace assay
