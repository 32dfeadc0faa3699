// Panels of codes under scales: every code and scale widens to its exact value, and a product has the bits of f32 panels.
#include <cmath>
#include <limits>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

// The value of a code by the definition of its format, in f64; NaN and infinity where the format has them.
double small_value(unsigned code, int exponent_bits, int mantissa_bits, int bias) {
  const int bits = exponent_bits + mantissa_bits;
  const unsigned magnitude = code & ((1U << bits) - 1), mantissa = magnitude & ((1U << mantissa_bits) - 1);
  const int exponent = static_cast<int>(magnitude >> mantissa_bits);
  const double fraction = mantissa / static_cast<double>(1U << mantissa_bits);
  const double value =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias);
  return (code >> bits & 1U) != 0 ? -value : value;
}

double fp8_value(WeightFormat format, unsigned code) {
  const unsigned magnitude = code & 0x7FU;
  const double sign = code >= 0x80 ? -1 : 1;
  if (format == WeightFormat::e4m3)
    return magnitude == 0x7F ? std::numeric_limits<double>::quiet_NaN() : small_value(code, 4, 3, 7);
  if (magnitude > 0x7C) return std::numeric_limits<double>::quiet_NaN();
  return magnitude == 0x7C ? sign * std::numeric_limits<double>::infinity() : small_value(code, 5, 2, 15);
}

bool same_number(float a, float b) {
  return std::isnan(b) ? std::isnan(a) : std::memcmp(&a, &b, sizeof a) == 0;
}

// A matrix of codes, with the f32 rows that it means.
struct Scaled {
  std::int64_t n_out, n_in;
  std::vector<std::uint8_t> codes;
  std::vector<float> rows;
  std::vector<std::byte> memory;
  PackedMatrix packed;
};

Scaled make_mxfp4(std::int64_t n_out, std::int64_t n_in, bool all_scales) {
  Scaled m{n_out, n_in, {}, {}, {}, {}};
  Stream random(5, static_cast<std::uint64_t>(n_in));
  std::vector<std::uint8_t> scales;
  int wrong = 0;
  for (std::int64_t i = 0; i < n_out * n_in / 2; ++i)
    m.codes.push_back(static_cast<std::uint8_t>(random.below(256)));
  for (std::int64_t i = 0; i < n_out * n_in / kMxfp4Inputs; ++i)
    scales.push_back(
        static_cast<std::uint8_t>(all_scales ? static_cast<std::uint64_t>(i) % 256 : 120 + random.below(12)));
  for (std::int64_t o = 0; o < n_out; ++o) {
    for (std::int64_t k = 0; k < n_in; ++k) {
      const auto at = static_cast<std::size_t>(o * n_in + k);
      const unsigned both = m.codes[at / 2], code = k % 2 == 0 ? both & 15U : both >> 4;
      const int scale = scales[at / static_cast<std::size_t>(kMxfp4Inputs)];
      const double exact = std::ldexp(small_value(code, 2, 1, 1), scale - 127);
      m.rows.push_back(scale == 255 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(exact));
      if (scale < 253)
        REQUIRE(double{m.rows.back()} == exact);  // above, the larger codes leave the range of f32
    }
  }
  REQUIRE(wrong == 0);
  m.memory.resize(packed_bytes(WeightFormat::mxfp4, n_out, n_in));
  m.packed = pack_mxfp4(m.codes.data(), scales.data(), n_out, n_in, m.memory.data());
  return m;
}

Scaled make_fp8(WeightFormat format, std::int64_t n_out, std::int64_t n_in, bool all_codes) {
  Scaled m{n_out, n_in, {}, {}, {}, {}};
  Stream random(6, static_cast<std::uint64_t>(n_in));
  const std::int64_t n_groups = (n_in + kFp8Inputs - 1) / kFp8Inputs;
  const auto scales = normals(static_cast<std::size_t>(n_out * n_groups), 7, 0.01);
  for (std::int64_t o = 0; o < n_out; ++o) {
    for (std::int64_t k = 0; k < n_in; ++k) {
      const std::uint64_t drawn = random.below(2) * 128 + random.below(0x7C);  // finite in both formats
      m.codes.push_back(static_cast<std::uint8_t>(all_codes ? static_cast<std::uint64_t>(k) % 256 : drawn));
      const float value = static_cast<float>(fp8_value(format, m.codes.back()));
      m.rows.push_back(value * scales[static_cast<std::size_t>(o * n_groups + k / kFp8Inputs)]);
    }
  }
  m.memory.resize(packed_bytes(format, n_out, n_in));
  m.packed = pack_fp8(format, m.codes.data(), scales.data(), n_out, n_in, m.memory.data());
  return m;
}

Scaled make_q8(std::int64_t n_out, std::int64_t n_in) {
  Scaled m{n_out, n_in, {}, {}, {}, {}};
  const std::int64_t n_groups = (n_in + kQ8Inputs - 1) / kQ8Inputs;
  const auto scales = normals(static_cast<std::size_t>(n_out * n_groups), 8, 0.01);
  for (std::int64_t o = 0; o < n_out; ++o) {
    for (std::int64_t k = 0; k < n_in; ++k) {
      m.codes.push_back(static_cast<std::uint8_t>(o * 37 + k));  // every code
      m.rows.push_back(static_cast<float>(static_cast<std::int8_t>(m.codes.back())) *
                       scales[static_cast<std::size_t>(o * n_groups + k / kQ8Inputs)]);
    }
  }
  m.memory.resize(packed_bytes(WeightFormat::q8_0, n_out, n_in));
  m.packed = pack_q8_0(m.codes.data(), scales.data(), n_out, n_in, m.memory.data());
  return m;
}

// The halves of `bits`, as f16 means them: IEEE 754 binary16.
float half_value(unsigned bits) {
  const unsigned magnitude = bits & 0x7fffU;
  const double sign = bits >= 0x8000U ? -1 : 1;
  if (magnitude > 0x7c00U) return std::numeric_limits<float>::quiet_NaN();
  if (magnitude == 0x7c00U) return static_cast<float>(sign * std::numeric_limits<double>::infinity());
  return static_cast<float>(small_value(bits, 5, 10, 15));
}

Scaled make_f16(std::int64_t n_out, std::int64_t n_in, const std::vector<std::uint16_t>& halves) {
  Scaled m{n_out, n_in, {}, {}, {}, {}};
  for (const std::uint16_t bits : halves) m.rows.push_back(half_value(bits));
  m.memory.resize(packed_bytes(WeightFormat::f16, n_out, n_in));
  m.packed = pack(halves.data(), WeightFormat::f16, n_out, n_in, m.memory.data());
  return m;
}

void check_weights(const Scaled& m) {
  std::size_t wrong = 0;
  for (std::int64_t o = 0; o < m.n_out; ++o) {
    for (std::int64_t k = 0; k < m.n_in; ++k)
      wrong += !same_number(packed_weight(m.packed, o, k), m.rows[static_cast<std::size_t>(o * m.n_in + k)]);
  }
  CHECK(wrong == 0);
}

void check_product(const Scaled& m, std::int64_t n_tokens) {
  const auto plain = make_weights(m.rows, WeightFormat::f32, m.n_out, m.n_in);
  const auto x = linspace(static_cast<std::size_t>(n_tokens * m.n_in));
  each_compute([&](const Compute& c) {
    INFO(m.n_out << " x " << m.n_in << " x " << n_tokens);
    std::vector<float> expected(static_cast<std::size_t>(n_tokens * m.n_out)), y(expected.size(), 7.0f);
    matmul(c, plain.packed, x.data(), n_tokens, expected.data());
    matmul(c, m.packed, x.data(), n_tokens, y.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < y.size(); ++i) wrong += !same_number(y[i], expected[i]);
    CHECK(wrong == 0);
  });
}

TEST_CASE("kernels: all codes of MXFP4 under all scales widen exactly") {
  const Scaled drawn = make_mxfp4(40, 32 * 16, true);
  check_weights(drawn);
  CHECK(drawn.memory.size() == 64 * 16 * (32 + 32 * 16) / 32);  // 4.25 bits a weight
  std::vector<float> x(32, 0.0f);
  x[0] = 1.0f;  // the product is the first weight, the others are zeros
  for (unsigned code = 0; code < 16; ++code) {
    std::vector<std::uint8_t> codes(256 * 16, 0), scales(256);
    for (std::size_t o = 0; o < 256; ++o) {
      codes[16 * o] = static_cast<std::uint8_t>(code);
      scales[o] = static_cast<std::uint8_t>(o);
    }
    std::vector<std::byte> memory(packed_bytes(WeightFormat::mxfp4, 256, 32));
    const PackedMatrix w = pack_mxfp4(codes.data(), scales.data(), 256, 32, memory.data());
    each_compute([&](const Compute& c) {
      std::vector<float> y(256);
      matmul(c, w, x.data(), 1, y.data());
      for (int scale = 0; scale < 255; ++scale) {
        const double exact = std::ldexp(small_value(code, 2, 1, 1), scale - 127);
        REQUIRE(double{y[static_cast<std::size_t>(scale)]} ==
                (scale < 253 ? exact : double{static_cast<float>(exact)}));
      }
      CHECK(std::isnan(y[255]));
    });
  }
}

TEST_CASE("kernels: all codes of both FP8 formats widen to code times scale, rounded once") {
  for (const auto format : {WeightFormat::e4m3, WeightFormat::e5m2}) {
    check_weights(make_fp8(format, 33, 256, true));
    std::vector<std::uint8_t> codes(256);
    for (std::size_t o = 0; o < 256; ++o) codes[o] = static_cast<std::uint8_t>(o);
    for (const float scale : {1.0f, 0.00123f, -3e-38f}) {
      const std::vector<float> scales(256, scale);
      std::vector<std::byte> memory(packed_bytes(format, 256, 1));
      const PackedMatrix w = pack_fp8(format, codes.data(), scales.data(), 256, 1, memory.data());
      each_compute([&](const Compute& c) {
        const float one = 1.0f;
        std::vector<float> y(256);
        matmul(c, w, &one, 1, y.data());
        for (std::size_t o = 0; o < 256; ++o) {
          const float expected =
              static_cast<float>(fp8_value(format, static_cast<unsigned>(o))) * scale + 0.0f;
          REQUIRE(same_number(y[o], expected));
        }
      });
    }
  }
  check_weights(make_q8(33, 256));
  CHECK(panel_bytes(WeightFormat::e4m3, 512) == 4 * (128 + 128 * 32));
}

TEST_CASE("kernels: every half widens to its value") {
  std::vector<std::uint16_t> halves(1 << 16);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  const Scaled m = make_f16(1 << 16, 1, halves);
  check_weights(m);
  const float one = 1.0f;
  each_compute([&](const Compute& c) {
    std::vector<float> y(halves.size());
    matmul(c, m.packed, &one, 1, y.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < y.size(); ++i) wrong += !same_number(y[i], m.rows[i] + 0.0f);
    CHECK(wrong == 0);
  });
}

TEST_CASE(
    "kernels: products with scaled panels have the bits of f32 panels, at every size of tile and block") {
  for (const std::int64_t n_tokens : {1, 3, 4, 5, 30}) {
    check_product(make_mxfp4(70, 32 * 35, false), n_tokens);
    check_product(make_fp8(WeightFormat::e4m3, 70, 1100, false), n_tokens);
    check_product(make_fp8(WeightFormat::e5m2, 31, 513, false), n_tokens);
    check_product(make_q8(70, 1130), n_tokens);
    std::vector<std::uint16_t> halves(70 * 700);
    for (std::size_t i = 0; i < halves.size(); ++i)
      halves[i] = static_cast<std::uint16_t>(i * 7919 % 0x7c00 | (i & 1) << 15);
    check_product(make_f16(70, 700, halves), n_tokens);
  }
}

TEST_CASE("kernels: outputs past the last are zero in every scaled format") {
  const Scaled m = make_mxfp4(1, 32, false), f = make_fp8(WeightFormat::e4m3, 1, 5, false), q = make_q8(1, 5);
  for (std::size_t o = 1; o < 32; ++o) {
    CHECK(m.memory[o] == std::byte{0});
    CHECK(f.memory[4 * o] == std::byte{0});
    CHECK(q.memory[4 * o] == std::byte{0});
  }
  CHECK(packed_bytes(WeightFormat::mxfp4, 33, 64) == 2 * 2 * 544);
  CHECK(packed_bytes(WeightFormat::e5m2, 32, 129) == 2 * 128 + 129 * 32);
  CHECK(packed_bytes(WeightFormat::q8_0, 32, 33) == 2 * 128 + 33 * 32);
  CHECK(packed_bytes(WeightFormat::f16, 33, 7) == 2 * 7 * 64);
}

}  // namespace
}  // namespace assay::test
