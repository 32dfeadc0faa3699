// Rounding f32 to bf16, every one of the 2^32 inputs, against what the definition says of a block of 65,536 that share their
// upper half: below the middle down, above it up, at the middle to the even one; NaN stays NaN, quiet, with its sign.
#include <cmath>
#include <cstring>
#include <vector>

#include "base/parallel.h"
#include "kernels/contract.h"
#include "reference/weights/dequant.h"
#include "tests/catch.h"

// Test code is compiled without optimisation; these loops run 4 billion times.
#if defined(__GNUC__) && !defined(__clang__)
#define ASSAY_FAST __attribute__((optimize("O3")))
#else
#define ASSAY_FAST
#endif

namespace {

constexpr std::uint32_t kHalf = 1U << 15, kBlock = 1U << 16;

ASSAY_FAST void fill_inputs(std::uint32_t upper, std::uint32_t* bits) {
  for (std::uint32_t lower = 0; lower < kBlock; ++lower) bits[lower] = upper << 16 | lower;
}

// How many of the results are not the expected ones.
ASSAY_FAST std::uint32_t count_wrong(std::uint32_t upper, const std::uint32_t* got) {
  const bool not_finite = (upper & 0x7F80) == 0x7F80;
  const std::uint32_t down = upper << 16, up = (upper + 1) << 16;
  std::uint32_t wrong = 0;
  if (not_finite) {  // infinity itself, else NaN: the upper half with its quiet bit
    const std::uint32_t quiet = (upper | 0x40) << 16, first = (upper & 0x7F) == 0 ? down : quiet;
    wrong += got[0] != first ? 1U : 0U;
    for (std::uint32_t lower = 1; lower < kBlock; ++lower) wrong += got[lower] != quiet ? 1U : 0U;
    return wrong;
  }
  for (std::uint32_t lower = 0; lower < kHalf; ++lower) wrong += got[lower] != down ? 1U : 0U;
  wrong += got[kHalf] != ((upper & 1) != 0 ? up : down) ? 1U : 0U;
  for (std::uint32_t lower = kHalf + 1; lower < kBlock; ++lower) wrong += got[lower] != up ? 1U : 0U;
  return wrong;
}

TEST_CASE("bf16: rounding of all 2^32 numbers") {
#ifdef NDEBUG
  constexpr std::uint32_t kStep = 1;
#else
  constexpr std::uint32_t kStep =
      257;  // unoptimised or sanitised: a sample that still meets every exponent and both signs
  WARN("every 257th block only: this build is not optimised");
#endif
  assay::ThreadPool pool(2);
  std::vector<std::uint64_t> wrong(256);
  pool.run(wrong.size(), [&](std::size_t part, int) {
    std::vector<std::uint32_t> bits(kBlock);
    std::vector<float> values(kBlock);
    for (auto upper = static_cast<std::uint32_t>(part) * 256; upper < (part + 1) * 256; ++upper) {
      if (upper % kStep != 0) continue;
      fill_inputs(upper, bits.data());
      std::memcpy(values.data(), bits.data(), kBlock * 4);
      assay::round_to_bf16(values);
      std::memcpy(bits.data(), values.data(), kBlock * 4);
      wrong[part] += count_wrong(upper, bits.data());
    }
  });
  std::uint64_t all = 0;
  for (const std::uint64_t each : wrong) all += each;
  CHECK(all == 0);
}

TEST_CASE("bf16: the kernels round as the weights do") {
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    float value = 0;
    const std::uint32_t bits = i * 4'294'967 + i % 7;
    std::memcpy(&value, &bits, 4);
    if (assay::round_bf16(value) != assay::f32_to_bf16(value)) FAIL(bits);
  }
  SUCCEED();
}

}  // namespace
