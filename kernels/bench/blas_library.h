// Somebody else's matrix product as a yardstick: a BLAS that is on the machine, loaded at run time, needed by nothing. Private to
// kernels/bench/.
#pragma once
#include <cstdint>
#include <string>

namespace assay {

class BlasLibrary {
 public:
  // OpenBLAS or BLIS where the system's loader finds it, else nullptr. Kept until the program ends: its threads do not survive unloading.
  static const BlasLibrary* find();
  static const char* advice();  // what to install where there is none

  const std::string& name() const { return name_; }                // openblas, blis
  const std::string& description() const { return description_; }  // its own words, as far as it has some
  void use_threads(int n) const;
  // y (n_tokens, n_out) = x (n_tokens, n_in) times w (n_out, n_in) transposed, f32, row-major.
  void multiply(const float* x, const float* w, std::int64_t n_tokens, std::int64_t n_out, std::int64_t n_in,
                float* y) const;

 private:
  BlasLibrary() = default;
  bool load(const char* file, const char* name, const char* threads);
  std::string name_, description_;
  void* gemm_ = nullptr;
  void* threads_ = nullptr;
};

}  // namespace assay
