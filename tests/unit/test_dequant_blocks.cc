// Block scales on matrices made here: partial blocks on both sides, blocks that are not square, slices, both
// recipes, every plain format. Expected values come from the formats' definitions.
#include <cmath>
#include <cstring>

#include "reference/weights/dequant.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

constexpr std::int64_t kBlockRows = 11, kCols = 13;
constexpr BlockSize kBlock{.rows = 8, .cols = 4};  // scales (2, 4), both edges partial

// 1.0 has code 0x38 in e4m3 and 0x3C in e5m2; each step of 8 (4) codes doubles.
double value_of(Format format, std::uint8_t code) {
  const int mantissa = format == Format::F8_E4M3 ? 3 : 2, bias = format == Format::F8_E4M3 ? 7 : 15;
  const int exponent = (code & 0x7F) >> mantissa;
  const double fraction = (code & ((1 << mantissa) - 1)) / static_cast<double>(1 << mantissa);
  return (code >= 0x80 ? -1 : 1) * std::ldexp(1 + fraction, exponent - bias);
}

struct Matrix {
  Format format = Format::F8_E4M3;
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;

  explicit Matrix(Format f) : format(f) {
    for (std::int64_t i = 0; i < kBlockRows * kCols; ++i)
      codes.push_back(static_cast<std::uint8_t>((0x10 + i * 7 % 0x60) | (i % 3 == 0 ? 0x80 : 0)));
    for (int i = 0; i < 8; ++i) scales.push_back(std::ldexp(1.37F + 0.11F * static_cast<float>(i), i - 4));
  }
  float expected(std::int64_t row, std::int64_t col) const {
    const float scale = scales[static_cast<std::size_t>(row / 8 * 4 + col / 4)];
    return static_cast<float>(value_of(format, codes[static_cast<std::size_t>(row * kCols + col)])) * scale;
  }
};

std::span<const std::byte> bytes_of(const auto& values) { return std::as_bytes(std::span(values)); }

// Gives the folder's checkpoint; the caller keeps the folder.
Checkpoint stored(const Scratch& folder, const std::vector<TensorOut>& tensors) {
  REQUIRE(write_safetensors(folder / "model.safetensors", tensors).ok());
  auto checkpoint = Checkpoint::open(folder / "model.safetensors");
  REQUIRE(checkpoint.ok());
  return std::move(*checkpoint);
}

std::vector<TensorOut> tensors_of(const Matrix& m) {
  return {{"w.weight", m.format, {kBlockRows, kCols}, bytes_of(m.codes)},
          {"w.weight_scale_inv", Format::F32, {2, 4}, bytes_of(m.scales)}};
}

const std::int64_t kShape[] = {kBlockRows, kCols};

}  // namespace

TEST_CASE("dequant blocks: each element is its code times the scale of its block, edges included") {
  for (const Format format : {Format::F8_E4M3, Format::F8_E5M2}) {
    const Scratch folder;
    const Matrix m(format);
    const Checkpoint checkpoint = stored(folder, tensors_of(m));
    const auto got = load_f32(checkpoint, "w.weight", kShape, Recipe::dequant_f32, kBlock);
    REQUIRE(got.ok());
    for (std::int64_t row = 0; row < kBlockRows; ++row) {
      for (std::int64_t col = 0; col < kCols; ++col) {
        INFO("row " << row << " column " << col);
        REQUIRE((*got)[static_cast<std::size_t>(row * kCols + col)] == m.expected(row, col));
      }
    }
  }
}

TEST_CASE("dequant blocks: a slice of rows has the numbers of the whole") {
  const Scratch folder;
  const Matrix m(Format::F8_E4M3);
  const Checkpoint checkpoint = stored(folder, tensors_of(m));
  std::vector<float> got(3 * kCols), scales(3 * kCols);
  REQUIRE(
      load_rows_f32(checkpoint, *checkpoint.find("w.weight"), 7, 3, got, Recipe::dequant_f32, kBlock).ok());
  REQUIRE(load_row_scales(checkpoint, *checkpoint.find("w.weight"), 7, 3, scales, kBlock).ok());
  for (std::int64_t i = 0; i < 3 * kCols; ++i) {
    const std::int64_t row = 7 + i / kCols, col = i % kCols;
    CHECK(got[static_cast<std::size_t>(i)] == m.expected(row, col));
    CHECK(scales[static_cast<std::size_t>(i)] == m.scales[static_cast<std::size_t>(row / 8 * 4 + col / 4)]);
  }
}

TEST_CASE("dequant blocks: the bf16 recipe rounds the product once, to nearest even") {
  const Scratch folder;
  const Matrix m(Format::F8_E4M3);
  const Checkpoint checkpoint = stored(folder, tensors_of(m));
  const auto got = load_f32(checkpoint, "w.weight", kShape, Recipe::dequant_bf16, kBlock);
  REQUIRE(got.ok());
  int rounded = 0;
  for (std::int64_t i = 0; i < kBlockRows * kCols; ++i) {
    const float exact = m.expected(i / kCols, i % kCols), value = (*got)[static_cast<std::size_t>(i)];
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    CHECK((bits & 0xFFFF) == 0);
    CHECK(std::abs(double{value} / double{exact} - 1) <=
          0x1p-8);  // half a unit of 8 bits of precision, at most
    rounded += value != exact;
  }
  CHECK(rounded > 100);
}

TEST_CASE("dequant blocks: scales of powers of two are bytes of exponents") {
  const Scratch folder;
  const Matrix m(Format::F8_E4M3);
  const std::vector<std::uint8_t> exponents = {127, 120, 130, 128, 126, 127, 129, 121};
  const Checkpoint checkpoint =
      stored(folder, {{"w.weight", m.format, {kBlockRows, kCols}, bytes_of(m.codes)},
                      {"w.weight_scale_inv", Format::F8_E8M0, {2, 4}, bytes_of(exponents)}});
  const auto got = load_f32(checkpoint, "w.weight", kShape, Recipe::dequant_f32, kBlock);
  REQUIRE(got.ok());
  for (std::int64_t i = 0; i < kBlockRows * kCols; ++i) {
    const int exponent = exponents[static_cast<std::size_t>(i / kCols / 8 * 4 + i % kCols / 4)] - 127;
    REQUIRE(double{(*got)[static_cast<std::size_t>(i)]} ==
            std::ldexp(value_of(m.format, m.codes[static_cast<std::size_t>(i)]), exponent));
  }
}

TEST_CASE(
    "dequant blocks: a matrix without its scales, or with too few, is refused and never passed through") {
  const Scratch folder;
  const Matrix m(Format::F8_E4M3);
  const Checkpoint bare = stored(folder, {{"w.weight", m.format, {kBlockRows, kCols}, bytes_of(m.codes)}});
  const auto missing = load_f32(bare, "w.weight", kShape, Recipe::dequant_f32, kBlock);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == Code::missing_tensor);
  CHECK(missing.error().field == "w.weight_scale_inv");
  const Scratch other;
  const std::vector<float> three(3, 1.0F);
  const Checkpoint few = stored(other, {{"w.weight", m.format, {kBlockRows, kCols}, bytes_of(m.codes)},
                                        {"w.weight_scale_inv", Format::F32, {1, 3}, bytes_of(three)}});
  const auto floored =
      load_f32(few, "w.weight", kShape, Recipe::dequant_f32, kBlock);  // 11 / 8 and 13 / 4 rounded down
  REQUIRE_FALSE(floored.ok());
  CHECK(floored.error().code == Code::bad_shape);
}

TEST_CASE("dequant blocks: plain formats widen exactly, from any row on") {
  const Scratch folder;
  const std::vector<std::uint16_t> bf16 = {0x3F80, 0xC000, 0x4049, 0x0001},
                                   f16 = {0x3C00, 0xC000, 0x0001, 0x7BFF};
  const std::vector<float> f32 = {1, -2, 3.5F, 1e-40F};
  const std::vector<double> f64 = {1, -2, 0.1, 1e300};
  const Checkpoint checkpoint = stored(folder, {{"b", Format::BF16, {2, 2}, bytes_of(bf16)},
                                                {"h", Format::F16, {2, 2}, bytes_of(f16)},
                                                {"s", Format::F32, {2, 2}, bytes_of(f32)},
                                                {"t", Format::F64, {2, 2}, bytes_of(f64)}});
  const auto row = [&](const char* name, std::int64_t first) {
    std::vector<float> out(2);
    REQUIRE(load_rows_f32(checkpoint, *checkpoint.find(name), first, 1, out).ok());
    return out;
  };
  CHECK(row("b", 0) == std::vector<float>{1, -2});
  CHECK(row("b", 1) == std::vector<float>{3.140625F, 0x1p-133F});
  CHECK(row("h", 0) == std::vector<float>{1, -2});
  CHECK(row("h", 1) == std::vector<float>{0x1p-24F, 65504});
  CHECK(row("s", 1) == std::vector<float>{3.5F, 1e-40F});
  CHECK(row("t", 1) == std::vector<float>{0.1F, std::numeric_limits<float>::infinity()});
  const std::int64_t shape[] = {2, 2};
  const auto exact = load_f64(checkpoint, "t", shape);
  REQUIRE(exact.ok());
  CHECK(*exact == f64);
}
