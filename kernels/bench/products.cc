#include "kernels/bench/products.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/rng.h"

namespace assay {
namespace {

constexpr std::int64_t kLibraryTokens = 32;  // from so many on a product is worth a library's while

const char* format_name(WeightFormat format) {
  switch (format) {
    case WeightFormat::f32:
      return "f32";
    case WeightFormat::bf16:
      return "bf16";
    case WeightFormat::f16:
      return "f16";
    case WeightFormat::mxfp4:
      return "mxfp4";
    case WeightFormat::e4m3:
      return "e4m3";
    case WeightFormat::e5m2:
      return "e5m2";
    case WeightFormat::q8_0:
      return "q8_0";
  }
  ASSAY_CHECK(false);
}

std::int64_t matrix_bytes(const ProductShape& s) {
  return static_cast<std::int64_t>(packed_bytes(s.format, s.n_out, s.n_in));
}

// From one matrix to the next: each begins on a cache line.
std::int64_t matrix_stride(const ProductShape& s) {
  constexpr std::int64_t kLine = 64;
  return (matrix_bytes(s) + kLine - 1) / kLine * kLine;
}

// Codes of ordinary numbers: no NaN, no infinity, nothing subnormal.
std::vector<std::uint8_t> ordinary_codes(WeightFormat format, std::int64_t bytes) {
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(bytes));
  Stream random(2);
  for (auto& code : codes) {
    const std::uint32_t r = random.u32();
    const bool fp8 = format == WeightFormat::e4m3 || format == WeightFormat::e5m2;
    code = static_cast<std::uint8_t>(fp8 ? (r & 0x80u) | (0x20u + (r & 0x1fu)) : r);
  }
  return codes;
}

PackedMatrix pack_coded(const ProductShape& s, void* panels) {
  const std::int64_t n = s.n_out * s.n_in;
  const auto groups = [&](std::int64_t inputs) {
    return static_cast<std::size_t>(s.n_out * ((s.n_in + inputs - 1) / inputs));
  };
  switch (s.format) {
    case WeightFormat::f16: {
      std::vector<std::uint16_t> rows(static_cast<std::size_t>(n));
      Stream random(3);
      for (auto& x : rows) x = static_cast<std::uint16_t>(0x2c00u + (random.u32() & 0x8fffu));  // +-2^-4 to 1
      return pack(rows.data(), s.format, s.n_out, s.n_in, panels);
    }
    case WeightFormat::mxfp4: {
      const std::vector<std::uint8_t> scales(groups(kMxfp4Inputs), 125);  // 2^-2
      return pack_mxfp4(ordinary_codes(s.format, n / 2).data(), scales.data(), s.n_out, s.n_in, panels);
    }
    case WeightFormat::q8_0: {
      const std::vector<float> scales(groups(kQ8Inputs), 0.01f);
      return pack_q8_0(ordinary_codes(s.format, n).data(), scales.data(), s.n_out, s.n_in, panels);
    }
    default: {
      const std::vector<float> scales(groups(kFp8Inputs), 0.01f);
      return pack_fp8(s.format, ordinary_codes(s.format, n).data(), scales.data(), s.n_out, s.n_in, panels);
    }
  }
}

// The same coded matrix as often as it fits.
HugeMemory coded_copies(const ProductShape& s, std::uint64_t bytes, std::int64_t& copies) {
  HugeMemory memory(bytes);
  const auto one = static_cast<std::size_t>(matrix_stride(s));
  copies = static_cast<std::int64_t>(bytes / one);
  pack_coded(s, memory.data());
  for (std::int64_t i = 1; i < copies; ++i)
    std::memcpy(memory.data() + static_cast<std::size_t>(i) * one, memory.data(), one);
  return memory;
}

std::vector<float> product_inputs(const BenchNumbers& numbers, std::int64_t n) {
  std::vector<float> x(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = numbers.data()[i % static_cast<std::size_t>(numbers.floats())];
  return x;
}

BenchRow library_row(Meter& meter, const BlasLibrary& library, const ProductShape& s, int threads) {
  const std::vector<float> x = product_inputs(meter.numbers(), s.n_tokens * s.n_in);
  std::vector<float> y(static_cast<std::size_t>(s.n_tokens * s.n_out));
  std::int64_t turn = 0;
  library.use_threads(threads);
  BenchRow r = meter.time("gemm-library", product_text(s), threads, [&] {
    library.multiply(x.data(), meter.numbers().piece(s.n_out * s.n_in, turn++), s.n_tokens, s.n_out, s.n_in,
                     y.data());
  });
  r.isa = library.name();
  r.what_for = s.what_for;
  r.flops = 2 * s.n_tokens * s.n_out * s.n_in;
  r.bytes = 4 * (s.n_out * s.n_in + s.n_tokens * (s.n_in + s.n_out));
  meter.hold(r);
  return r;
}

}  // namespace

std::string product_kernel(const ProductShape& s) { return std::string("matmul-") + format_name(s.format); }

std::string product_text(const ProductShape& s) {
  const std::string part = s.full_n_out > s.n_out ? fmt::format("/{}", s.full_n_out) : "";
  const std::string groups = s.groups > 1 ? fmt::format("{}*", s.groups) : "";
  return fmt::format("{} {}{}{}x{} t={}", s.name, groups, s.n_out, part, s.n_in, s.n_tokens);
}

Status check_product(const ProductShape& s, const BenchOptions& options) {
  constexpr std::int64_t kMaxExtent = 1 << 24;
  const auto bad = [&](std::int64_t extent, const char* expected) {
    return Error{.code = Code::bad_shape,
                 .message = "a product to measure has an extent that makes no sense",
                 .field = s.name,
                 .expected = expected,
                 .got = std::to_string(extent)};
  };
  for (const std::int64_t extent : {s.n_out, s.n_in, s.n_tokens, s.groups}) {
    if (extent < 1 || extent > kMaxExtent) return bad(extent, "1 to 2^24");
  }
  if (s.format == WeightFormat::mxfp4 && s.n_in % kMxfp4Inputs != 0)
    return bad(s.n_in, "a multiple of 32 inputs for mxfp4");
  const auto bytes = static_cast<std::uint64_t>(matrix_stride(s)) * static_cast<std::uint64_t>(s.groups),
             given = is_coded(s.format) ? options.weight_bytes / 2 : options.weight_bytes;
  if (bytes <= given) return {};
  return Error{.code = Code::memory_limit,
               .message = "a product to measure does not fit the memory given for weights",
               .field = s.name,
               .expected = fmt::format("at most {} bytes", given),
               .got = std::to_string(bytes)};
}

BenchRow measure_product(Meter& meter, const ProductShape& s) {
  const BenchNumbers& numbers = meter.numbers();
  const std::int64_t matrix = matrix_stride(s), set = matrix * s.groups;
  std::int64_t sets = numbers.floats() * 4 / set;
  HugeMemory coded;
  const std::byte* first = reinterpret_cast<const std::byte*>(numbers.data());
  if (is_coded(s.format)) {
    coded = coded_copies(s, meter.options().weight_bytes / 2, sets);
    sets /= s.groups;
    first = coded.data();
  }
  ASSAY_CHECK(sets >= 1);
  const std::vector<float> x = product_inputs(numbers, s.groups * s.n_tokens * s.n_in);
  std::vector<float> y(static_cast<std::size_t>(s.groups * s.n_tokens * s.n_out));
  std::vector<MatmulJob> jobs(static_cast<std::size_t>(s.groups));
  std::int64_t turn = 0;
  const Compute compute = meter.compute();
  BenchRow r = meter.time(product_kernel(s), product_text(s), meter.options().threads, [&] {
    const std::byte* const weights = first + (turn++ % sets) * set;
    for (std::int64_t g = 0; g < s.groups; ++g) {
      jobs[static_cast<std::size_t>(g)] = {.w = {weights + g * matrix, s.format, s.n_out, s.n_in},
                                           .x = x.data() + g * s.n_tokens * s.n_in,
                                           .rows = nullptr,
                                           .n_tokens = s.n_tokens,
                                           .x_stride = s.n_in,
                                           .y = y.data() + g * s.n_tokens * s.n_out,
                                           .y_stride = s.n_out};
    }
    matmul_group(compute, jobs.data(), s.groups);
  });
  r.what_for = s.what_for;
  r.flops = 2 * s.groups * s.n_tokens * s.n_out * s.n_in;
  r.bytes = matrix_bytes(s) * s.groups + 4 * static_cast<std::int64_t>(x.size() + y.size());
  meter.hold(r);
  return r;
}

std::vector<BenchRow> measure_library(Meter& meter, const BlasLibrary& library,
                                      const std::vector<ProductShape>& products) {
  std::vector<BenchRow> rows;
  ProductShape square;
  square.what_for = "machine";
  square.name = "square";
  std::int64_t extent = meter.options().library_extent;
  while (meter.numbers().pieces(std::max<std::int64_t>(1, extent * extent)) < 1) extent /= 2;
  square.n_out = square.full_n_out = square.n_in = square.n_tokens = extent;
  const int all = meter.options().threads;
  const bool wanted = extent >= 1 && meter.wanted("gemm-library", product_text(square));
  if (wanted) rows.push_back(library_row(meter, library, square, 1));
  if (wanted && all > 1) rows.push_back(library_row(meter, library, square, all));
  for (const ProductShape& s : products) {
    const bool can = s.groups == 1 && s.format == WeightFormat::bf16 && s.n_tokens >= kLibraryTokens &&
                     meter.numbers().pieces(s.n_out * s.n_in) >= 1;
    if (can && meter.options().library_products && meter.wanted("gemm-library", product_text(s)))
      rows.push_back(library_row(meter, library, s, all));
  }
  return rows;
}

}  // namespace assay
