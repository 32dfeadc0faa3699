// Sixteen f32 lanes in plain C++. The bodies (body_*.h) are written once over these lanes; lanes_avx2.h and
// lanes_avx512.h give the same operations on registers. Everything is in an anonymous namespace and uses no
// inline function of the standard library, so that no object compiled for a newer machine can lend its code
// to another (one definition rule).
#pragma once
#include <cstdint>

namespace assay {
namespace {

struct F16 {
  float v[16];
};
struct I16 {
  std::uint32_t v[16];
};
struct M16 {
  bool v[16];
};

#define ASSAY_LANES(expression)  \
  for (int i = 0; i < 16; ++i) { \
    expression;                  \
  }

inline F16 splat(float a) {
  F16 r;
  ASSAY_LANES(r.v[i] = a) return r;
}
inline F16 load(const float* p) {
  F16 r;
  ASSAY_LANES(r.v[i] = p[i]) return r;
}
inline F16 load_n(const float* p, std::int64_t n) {
  F16 r;
  ASSAY_LANES(r.v[i] = i < n ? p[i] : 0.0f) return r;
}
inline I16 load_bytes(const std::uint8_t* p) {
  I16 r;
  ASSAY_LANES(r.v[i] = p[i]) return r;
}
inline void store(float* p, const F16& a) { ASSAY_LANES(p[i] = a.v[i]) }
inline void store_n(float* p, const F16& a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) p[i] = a.v[i];
}
inline F16 fma(const F16& a, const F16& b, const F16& c) {
  F16 r;
  ASSAY_LANES(r.v[i] = __builtin_fmaf(a.v[i], b.v[i], c.v[i])) return r;
}
inline F16 add(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] + b.v[i]) return r;
}
inline F16 sub(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] - b.v[i]) return r;
}
inline F16 mul(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] * b.v[i]) return r;
}
inline F16 div(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] / b.v[i]) return r;
}
inline F16 max(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]) return r;
}  // b if a is NaN
inline F16 min(const F16& a, const F16& b) {
  F16 r;
  ASSAY_LANES(r.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i]) return r;
}  // likewise
inline M16 less(const F16& a, const F16& b) {
  M16 r;
  ASSAY_LANES(r.v[i] = a.v[i] < b.v[i]) return r;
}
inline F16 select(const M16& m, const F16& yes, const F16& no) {
  F16 r;
  ASSAY_LANES(r.v[i] = m.v[i] ? yes.v[i] : no.v[i]) return r;
}

inline I16 bits(const F16& a) {
  I16 r;
  __builtin_memcpy(&r, &a, sizeof r);
  return r;
}
inline F16 from_bits(const I16& a) {
  F16 r;
  __builtin_memcpy(&r, &a, sizeof r);
  return r;
}
inline I16 splat_i(std::uint32_t a) {
  I16 r;
  ASSAY_LANES(r.v[i] = a) return r;
}
inline I16 add_i(const I16& a, const I16& b) {
  I16 r;
  ASSAY_LANES(r.v[i] = a.v[i] + b.v[i]) return r;
}
inline I16 sub_i(const I16& a, const I16& b) {
  I16 r;
  ASSAY_LANES(r.v[i] = a.v[i] - b.v[i]) return r;
}
inline I16 and_i(const I16& a, const I16& b) {
  I16 r;
  ASSAY_LANES(r.v[i] = a.v[i] & b.v[i]) return r;
}
inline I16 or_i(const I16& a, const I16& b) {
  I16 r;
  ASSAY_LANES(r.v[i] = a.v[i] | b.v[i]) return r;
}
template <int kBits>
I16 shift_left(const I16& a) {
  I16 r;
  ASSAY_LANES(r.v[i] = a.v[i] << kBits) return r;
}
template <int kBits>
I16 shift_right(const I16& a) {  // arithmetic
  I16 r;
  ASSAY_LANES(r.v[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(a.v[i]) >> kBits))
  return r;
}
#undef ASSAY_LANES

inline void keep(F16&) {}  // the compiler may do with it what it likes

}  // namespace
}  // namespace assay
