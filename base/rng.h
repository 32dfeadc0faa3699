// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). Draw i of stream (seed, a, b) is a
// pure function of those numbers, so resuming, re-batching and threads cannot change it.
#pragma once
#include <array>
#include <cstdint>

namespace assay {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// A stream of draws; `a` and `b` name what it is for (item and sample, tensor and row, replicate …).
class Stream {
 public:
  explicit Stream(std::uint64_t seed, std::uint64_t a = 0, std::uint32_t b = 0);
  std::uint32_t u32();
  std::uint64_t u64() {
    const std::uint64_t high = u32();
    return (high << 32) | u32();
  }
  double uniform() { return static_cast<double>(u64() >> 11) * 0x1p-53; }  // [0, 1)
  std::uint64_t below(std::uint64_t n);                                    // [0, n), n > 0, unbiased
  double normal();                                                         // mean 0, variance 1 (Box-Muller)

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace assay
