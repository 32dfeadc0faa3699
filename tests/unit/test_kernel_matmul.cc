// The matrix product: bit for bit the definition of kernels/contract.h, whatever the instruction set,
// threads, batch or gathering.
#include <cmath>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

struct Shape {
  std::int64_t n_out, n_in, n_tokens;
};
const Shape kProducts[] = {{1, 1, 1},    {33, 5, 2},     {32, 512, 3},  {70, 513, 4},
                         {40, 511, 5}, {64, 1100, 13}, {96, 700, 61}, {31, 1024, 250}};

// The contract in plain loops.
std::vector<float> defined_product(const std::vector<float>& w, const std::vector<float>& x, const Shape& s) {
  std::vector<float> y(static_cast<std::size_t>(s.n_tokens * s.n_out));
  for (std::int64_t t = 0; t < s.n_tokens; ++t) {
    for (std::int64_t o = 0; o < s.n_out; ++o) {
      float sum = 0;
      for (std::int64_t k0 = 0; k0 < s.n_in; k0 += kBlockK) {
        float block = 0;
        for (std::int64_t k = k0; k < std::min(k0 + kBlockK, s.n_in); ++k) {
          block = std::fma(x[static_cast<std::size_t>(t * s.n_in + k)],
                           w[static_cast<std::size_t>(o * s.n_in + k)], block);
        }
        sum = k0 == 0 ? block : sum + block;
      }
      y[static_cast<std::size_t>(t * s.n_out + o)] = sum;
    }
  }
  return y;
}

std::vector<float> product(const Compute& c, const Weights& w, const std::vector<float>& x,
                           std::int64_t n_tokens) {
  std::vector<float> y(static_cast<std::size_t>(n_tokens * w.packed.n_out), 777.0f);
  matmul(c, w.packed, x.data(), n_tokens, y.data());
  return y;
}

TEST_CASE("kernels: packing keeps every weight and pads with zeros") {
  for (const auto format : {WeightFormat::f32, WeightFormat::bf16}) {
    const auto w = make_weights(normals(37 * 70, 1), format, 37, 70);
    CHECK(w.memory.size() == (format == WeightFormat::f32 ? 4u : 2u) * 64 * 70);
    for (std::int64_t o = 0; o < 37; ++o) {
      for (std::int64_t k = 0; k < 70; ++k)
        REQUIRE(packed_weight(w.packed, o, k) == w.rows[static_cast<std::size_t>(o * 70 + k)]);
    }
  }
}

TEST_CASE("kernels: packing writes zeros past the last output, whatever the memory held") {
  const auto rows = normals(37 * 70, 1);
  std::vector<float> memory(64 * 70, 7.0f);
  pack(rows.data(), WeightFormat::f32, 37, 70, memory.data());
  for (std::size_t k = 0; k < 70; ++k) {  // panel 1 holds outputs 32 .. 63
    for (std::size_t j = 5; j < 32; ++j) REQUIRE(memory[(70 + k) * 32 + j] == 0);
  }
}

TEST_CASE("kernels: packing panel by panel gives the same memory as packing at once") {
  const auto whole = make_weights(normals(100 * 33, 2), WeightFormat::bf16, 100, 33);
  std::vector<std::byte> memory(whole.memory.size());
  for (std::int64_t first = 0; first < 100; first += 32) {
    pack_rows(whole.bf16_rows.data() + first * 33, first, std::min<std::int64_t>(32, 100 - first),
              memory.data(), WeightFormat::bf16, 100, 33);
  }
  CHECK(memory == whole.memory);
}

TEST_CASE("kernels: bf16 widens exactly and rounds to nearest even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    const float x = bf16_to_f32(b);
    if (std::isnan(x))
      CHECK(std::isnan(bf16_to_f32(f32_to_bf16(x))));
    else
      REQUIRE(f32_to_bf16(x) == b);
  }
  CHECK(f32_to_bf16(1.0f + 0x1p-8f) == 0x3f80);  // a tie goes to even
  CHECK(f32_to_bf16(1.0f + 0x3p-8f) == 0x3f82);
  CHECK(f32_to_bf16(1.0f + 0x1.01p-8f) == 0x3f81);
  CHECK(f32_to_bf16(3.4e38f) == 0x7f80);
}

TEST_CASE("kernels: the matrix product is the defined one, bit for bit") {
  for (const auto format : {WeightFormat::f32, WeightFormat::bf16}) {
    for (const Shape& s : kProducts) {
      const auto n_w = static_cast<std::size_t>(s.n_out * s.n_in),
                 n_x = static_cast<std::size_t>(s.n_tokens * s.n_in);
      for (const bool hard : {false, true}) {
        const auto w = make_weights(hard ? linspace(n_w) : normals(n_w, 3), format, s.n_out, s.n_in);
        const auto x = hard ? linspace(n_x) : normals(n_x, 4);
        const auto expected = defined_product(w.rows, x, s);
        each_compute([&](const Compute& c) {
          INFO(s.n_out << " x " << s.n_in << " x " << s.n_tokens << " hard " << hard);
          CHECK(same_bits(product(c, w, x, s.n_tokens), expected));
        });
      }
    }
  }
}

TEST_CASE("kernels: a token's product does not depend on the batch it is in") {
  const std::int64_t n_in = 1500, n_out = 80, n_tokens = 500;  // three chunks, several tiles, three blocks
  const auto w =
      make_weights(linspace(static_cast<std::size_t>(n_in * n_out)), WeightFormat::bf16, n_out, n_in);
  const auto x = linspace(static_cast<std::size_t>(n_in * n_tokens));
  std::vector<float> whole;
  each_compute([&](const Compute& c) {
    const auto y = product(c, w, x, n_tokens);
    if (whole.empty()) whole = y;
    CHECK(same_bits(y, whole));
    for (const std::int64_t t : {0, 7, 239, 240, 499}) {
      const std::vector<float> one(x.begin() + t * n_in, x.begin() + (t + 1) * n_in);
      CHECK(same_bits(product(c, w, one, 1), {whole.begin() + t * n_out, whole.begin() + (t + 1) * n_out}));
    }
  });
}

TEST_CASE("kernels: grouped products with gathered rows equal single ones") {
  const std::int64_t n_in = 130, n_out = 50, n_tokens = 40;
  const auto a =
      make_weights(normals(static_cast<std::size_t>(n_in * n_out), 5), WeightFormat::bf16, n_out, n_in);
  const auto b = make_weights(normals(static_cast<std::size_t>(n_in * 33), 6), WeightFormat::f32, 33, n_in);
  const auto x = normals(static_cast<std::size_t>(n_in * n_tokens), 7);
  const std::vector<std::int32_t> rows_a = {39, 0, 7, 7, 3, 12, 11}, rows_b = {5, 1};
  each_compute([&](const Compute& c) {
    std::vector<float> ya(rows_a.size() * 60, -1.0f), yb(rows_b.size() * 33, -1.0f);
    const MatmulJob jobs[] = {{a.packed, x.data(), rows_a.data(), 7, n_in, ya.data(), 60},
                              {b.packed, x.data(), nullptr, 0, n_in, nullptr, 33},
                              {b.packed, x.data(), rows_b.data(), 2, n_in, yb.data(), 33}};
    matmul_group(c, jobs, 3);
    const auto all_a = product(c, a, x, n_tokens), all_b = product(c, b, x, n_tokens);
    for (std::size_t i = 0; i < rows_a.size(); ++i) {
      CHECK(std::memcmp(&ya[i * 60], &all_a[static_cast<std::size_t>(rows_a[i] * n_out)],
                        50 * sizeof(float)) == 0);
      for (std::size_t j = 50; j < 60; ++j)
        CHECK(ya[i * 60 + j] == -1.0f);  // between the rows nothing is written
    }
    for (std::size_t i = 0; i < rows_b.size(); ++i) {
      CHECK(std::memcmp(&yb[i * 33], &all_b[static_cast<std::size_t>(rows_b[i] * 33)], 33 * sizeof(float)) ==
            0);
    }
  });
}

TEST_CASE("kernels: the matrix product's error lies within its bound and is not suspiciously small") {
  const Shape s{64, 2048, 24};
  const auto w = make_weights(normals(static_cast<std::size_t>(s.n_out * s.n_in), 8), WeightFormat::bf16,
                              s.n_out, s.n_in);
  const auto x = normals(static_cast<std::size_t>(s.n_tokens * s.n_in), 9);
  each_compute([&](const Compute& c) {
    const auto y = product(c, w, x, s.n_tokens);
    double worst = 0;
    for (std::int64_t t = 0; t < s.n_tokens; ++t) {
      for (std::int64_t o = 0; o < s.n_out; ++o) {
        double exact = 0, size = 0;
        for (std::int64_t k = 0; k < s.n_in; ++k) {
          const double term = double{x[static_cast<std::size_t>(t * s.n_in + k)]} *
                              double{w.rows[static_cast<std::size_t>(o * s.n_in + k)]};
          exact += term;
          size += std::abs(term);
        }
        worst =
            std::max(worst, std::abs(double{y[static_cast<std::size_t>(t * s.n_out + o)]} - exact) / size);
      }
    }
    CHECK(worst < (512 + 3) * 0x1p-24);  // 512 steps of one chain and three joins, half an ulp each, relative
                                         // to the sum of |terms|
    CHECK(worst > 0x1p-30);              // an f64 accumulation would be a different kernel
  });
}

TEST_CASE("kernels: asking for an implementation that is not there is an error") {
  CHECK(select_kernels("scalar").ok());
  CHECK(select_kernels("").value() == available_kernels().back());
  const auto bad = select_kernels("avx1024");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == Code::unsupported);
  CHECK(bad.error().got == "avx1024");
  CHECK(bad.error().expected.find("scalar") == 0);
}

}  // namespace
}  // namespace assay::test
