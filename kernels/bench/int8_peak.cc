#include "kernels/bench/int8_peak.h"

#if defined(__x86_64__) && !defined(ASSAY_SCALAR_ONLY)
// GCC 12 marks "undefined" operands inside its own header by initialising them with themselves, and then warns of it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

namespace assay {
namespace {

constexpr int kIntegerChains =
    12;  // more than latency times issue width of any machine so far; with operands they fit 16 registers
constexpr std::int64_t kTwoOperations = 2;

// In assembly: GCC 12 copies a register for each _mm512_dpbusd_epi32 on an array, which halves the rate and more.
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]] std::int64_t burn_vnni(std::int64_t steps,
                                                                                        std::int32_t* sink) {
  __m512i chain[kIntegerChains];
#pragma GCC unroll 12
  for (int j = 0; j < kIntegerChains; ++j) chain[j] = _mm512_set1_epi32(j);
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-1);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kIntegerChains; ++j)
      asm volatile("vpdpbusd %2, %1, %0" : "+v"(chain[j]) : "v"(a), "v"(b));
  }
  __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 12
  for (int j = 0; j < kIntegerChains; ++j) sum = _mm512_add_epi32(sum, chain[j]);
  std::int32_t lanes[16];
  _mm512_storeu_si512(lanes, sum);
  *sink = lanes[0];
  return steps * kIntegerChains * 64 * kTwoOperations;
}

[[gnu::target("avx2")]] std::int64_t burn_maddubs(std::int64_t steps, std::int32_t* sink) {
  __m256i chain[kIntegerChains];
#pragma GCC unroll 12
  for (int j = 0; j < kIntegerChains; ++j) chain[j] = _mm256_set1_epi32(j);
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-1), ones = _mm256_set1_epi16(1);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kIntegerChains; ++j) {
      __m256i pairs;
      asm volatile("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
                   : "+x"(chain[j]), "=&x"(pairs)
                   : "x"(a), "x"(b), "x"(ones));
    }
  }
  __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 12
  for (int j = 0; j < kIntegerChains; ++j) sum = _mm256_add_epi32(sum, chain[j]);
  std::int32_t lanes[8];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sum);
  *sink = lanes[0];
  return steps * kIntegerChains * 32 * kTwoOperations;
}

}  // namespace

const IntegerPeak* integer_peak(Isa isa) {
  static constexpr IntegerPeak kVnni{"avx512-vnni", burn_vnni}, kMaddubs{"avx2", burn_maddubs};
  __builtin_cpu_init();
  if (isa == Isa::avx512 && __builtin_cpu_supports("avx512vnni")) return &kVnni;
  return isa == Isa::avx512 || isa == Isa::avx2 ? &kMaddubs : nullptr;
}

}  // namespace assay
#else
namespace assay {
const IntegerPeak* integer_peak(Isa) { return nullptr; }
}  // namespace assay
#endif
