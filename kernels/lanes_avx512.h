// Sixteen f32 lanes in one AVX-512 register; see lanes_scalar.h. Only for files compiled with -mavx512f
// -mavx512dq.
#pragma once
// GCC 12 marks "undefined" operands inside its own header by initialising them with themselves, and then warns of it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

namespace assay {
namespace {

using F16 = __m512;
using I16 = __m512i;
using M16 = __mmask16;

inline M16 first_lanes(std::int64_t n) { return static_cast<M16>((1u << n) - 1u); }  // n <= 16
inline F16 splat(float x) { return _mm512_set1_ps(x); }
inline F16 load(const float* p) { return _mm512_loadu_ps(p); }
inline F16 load_n(const float* p, std::int64_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline I16 load_bytes(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline void store(float* p, F16 x) { _mm512_storeu_ps(p, x); }
inline void store_n(float* p, F16 x, std::int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), x); }
inline F16 fma(F16 x, F16 y, F16 z) { return _mm512_fmadd_ps(x, y, z); }
inline F16 add(F16 x, F16 y) { return _mm512_add_ps(x, y); }
inline F16 sub(F16 x, F16 y) { return _mm512_sub_ps(x, y); }
inline F16 mul(F16 x, F16 y) { return _mm512_mul_ps(x, y); }
inline F16 div(F16 x, F16 y) { return _mm512_div_ps(x, y); }
inline F16 max(F16 x, F16 y) { return _mm512_max_ps(x, y); }
inline F16 min(F16 x, F16 y) { return _mm512_min_ps(x, y); }
inline M16 less(F16 x, F16 y) { return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ); }
inline F16 select(M16 m, F16 yes, F16 no) { return _mm512_mask_blend_ps(m, no, yes); }

inline I16 bits(F16 x) { return _mm512_castps_si512(x); }
inline F16 from_bits(I16 x) { return _mm512_castsi512_ps(x); }
inline I16 splat_i(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
inline I16 add_i(I16 x, I16 y) { return _mm512_add_epi32(x, y); }
inline I16 sub_i(I16 x, I16 y) { return _mm512_sub_epi32(x, y); }
inline I16 and_i(I16 x, I16 y) { return _mm512_and_si512(x, y); }
inline I16 or_i(I16 x, I16 y) { return _mm512_or_si512(x, y); }
template <int kBits>
I16 shift_left(I16 x) {
  return _mm512_slli_epi32(x, kBits);
}
template <int kBits>
I16 shift_right(I16 x) {
  return _mm512_srai_epi32(x, kBits);
}

inline void keep(F16& x) { asm volatile("" : "+v"(x)); }  // stays in a register, is not moved across

}  // namespace
}  // namespace assay
