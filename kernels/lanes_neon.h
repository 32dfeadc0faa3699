// Sixteen f32 lanes in four NEON registers (AArch64); see lanes_scalar.h.
#pragma once
#include <arm_neon.h>

#include <cstdint>

namespace assay {
namespace {

struct F16 {
  float32x4_t v[4];
};
struct I16 {
  uint32x4_t v[4];
};
struct M16 {
  uint32x4_t v[4];
};

#define ASSAY_QUADS(expression)               \
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) { \
    expression;                               \
  }

inline F16 splat(float x) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vdupq_n_f32(x)) return r;
}
inline F16 load(const float* p) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vld1q_f32(p + 4 * i)) return r;
}
inline void store(float* p, const F16& x) { ASSAY_QUADS(vst1q_f32(p + 4 * i, x.v[i])) }
inline F16 load_n(const float* p, std::int64_t n) {
  if (n >= 16) return load(p);
  float lane[16] = {};
  for (std::int64_t i = 0; i < n; ++i) lane[i] = p[i];
  return load(lane);
}
inline void store_n(float* p, const F16& x, std::int64_t n) {
  if (n >= 16) return store(p, x);
  float lane[16];
  store(lane, x);
  for (std::int64_t i = 0; i < n; ++i) p[i] = lane[i];
}
inline I16 load_bytes(const std::uint8_t* p) {
  const uint8x16_t bytes = vld1q_u8(p);
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
  return {{vmovl_u16(vget_low_u16(low)), vmovl_u16(vget_high_u16(low)), vmovl_u16(vget_low_u16(high)),
           vmovl_u16(vget_high_u16(high))}};
}
inline F16 fma(const F16& x, const F16& y, const F16& z) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vfmaq_f32(z.v[i], x.v[i], y.v[i])) return r;
}
inline F16 add(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vaddq_f32(x.v[i], y.v[i])) return r;
}
inline F16 sub(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vsubq_f32(x.v[i], y.v[i])) return r;
}
inline F16 mul(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vmulq_f32(x.v[i], y.v[i])) return r;
}
inline F16 div(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vdivq_f32(x.v[i], y.v[i])) return r;
}
// Not vmaxq and vminq: those give NaN where either is, the contract's give y where x is.
inline F16 max(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vbslq_f32(vcgtq_f32(x.v[i], y.v[i]), x.v[i], y.v[i])) return r;
}
inline F16 min(const F16& x, const F16& y) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vbslq_f32(vcltq_f32(x.v[i], y.v[i]), x.v[i], y.v[i])) return r;
}
inline M16 less(const F16& x, const F16& y) {
  M16 r;
  ASSAY_QUADS(r.v[i] = vcltq_f32(x.v[i], y.v[i])) return r;
}
inline F16 select(const M16& m, const F16& yes, const F16& no) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vbslq_f32(m.v[i], yes.v[i], no.v[i])) return r;
}

inline I16 bits(const F16& x) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vreinterpretq_u32_f32(x.v[i])) return r;
}
inline F16 from_bits(const I16& x) {
  F16 r;
  ASSAY_QUADS(r.v[i] = vreinterpretq_f32_u32(x.v[i])) return r;
}
inline I16 splat_i(std::uint32_t x) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vdupq_n_u32(x)) return r;
}
inline I16 add_i(const I16& x, const I16& y) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vaddq_u32(x.v[i], y.v[i])) return r;
}
inline I16 sub_i(const I16& x, const I16& y) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vsubq_u32(x.v[i], y.v[i])) return r;
}
inline I16 and_i(const I16& x, const I16& y) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vandq_u32(x.v[i], y.v[i])) return r;
}
inline I16 or_i(const I16& x, const I16& y) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vorrq_u32(x.v[i], y.v[i])) return r;
}
template <int kBits>
I16 shift_left(const I16& x) {
  I16 r;
  ASSAY_QUADS(r.v[i] = vshlq_n_u32(x.v[i], kBits)) return r;
}
template <int kBits>
I16 shift_right(const I16& x) {  // arithmetic
  I16 r;
  ASSAY_QUADS(r.v[i] = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(x.v[i]), kBits))) return r;
}
#undef ASSAY_QUADS

inline void keep(F16& x) {  // stays in registers, is not moved across
  asm volatile("" : "+w"(x.v[0]), "+w"(x.v[1]), "+w"(x.v[2]), "+w"(x.v[3]));
}

}  // namespace
}  // namespace assay
