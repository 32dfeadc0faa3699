// Blocks of GGUF files against the gguf package's own dequantisers (tests/oracle/gguf_block_goldens.py): random bytes, every
// bit of the result.
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "reference/weights/gguf_blocks.h"
#include "tests/catch.h"

using namespace assay;

namespace {

Format format_called(const std::string& name) {
  for (int f = static_cast<int>(Format::Q4_0); f <= static_cast<int>(Format::MXFP4); ++f) {
    if (name_of(static_cast<Format>(f)) == name) return static_cast<Format>(f);
  }
  FAIL("no format " << name);
  return Format::F32;
}

std::string splitmix_bytes(std::uint64_t seed, std::size_t count) {
  std::string out;
  for (std::uint64_t i = 1; out.size() < count; ++i) {
    std::uint64_t z = seed + i * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    z ^= z >> 31;
    out.append(reinterpret_cast<const char*>(&z), 8);
  }
  out.resize(count);
  return out;
}

struct BlockGolden {
  Format format;
  std::string blocks;
  std::vector<float> values;
};

BlockGolden widen(const Json& golden) {
  BlockGolden out{format_called(golden.at("type").get<std::string>()), {}, {}};
  const BlockShape shape = block_shape(out.format);
  const auto n = golden.at("blocks").get<std::size_t>();
  out.blocks =
      splitmix_bytes(golden.at("seed").get<std::uint64_t>(), n * static_cast<std::size_t>(shape.bytes));
  out.values.resize(n * static_cast<std::size_t>(shape.elements));
  widen_gguf_blocks(out.format, reinterpret_cast<const std::byte*>(out.blocks.data()), 0, out.values);
  return out;
}

Json block_goldens() {
  const auto json = read_json_file(ASSAY_TREE "/tests/golden/data/gguf_blocks.json");
  REQUIRE(json.ok());
  REQUIRE(json->size() == 11);
  return *json;
}

TEST_CASE("gguf blocks: random blocks of every type become the very numbers of the gguf package") {
  for (const Json& golden : block_goldens()) {
    BlockGolden got = widen(golden);
    INFO(name_of(got.format));
    REQUIRE(got.values.size() == golden.at("elements").get<std::size_t>());
    for (std::size_t i = 0; i < golden.at("first").size(); ++i) {
      if (golden.at("first")[i].is_number())
        CHECK(static_cast<double>(got.values[i]) == golden.at("first")[i].get<double>());
    }
    std::size_t nan = 0;
    for (float& value : got.values) {
      if (!std::isnan(value)) continue;
      value = std::bit_cast<float>(0x7FC00000);
      ++nan;
    }
    CHECK(nan == golden.at("nan").get<std::size_t>());
    CHECK(sha256_hex({reinterpret_cast<const char*>(got.values.data()), got.values.size() * 4}) ==
          golden.at("sha256").get<std::string>());
  }
}

TEST_CASE("gguf blocks: any part of a run gives what the whole gives") {
  for (const Json& golden : block_goldens()) {
    const BlockGolden whole = widen(golden);
    INFO(name_of(whole.format));
    const auto* blocks = reinterpret_cast<const std::byte*>(whole.blocks.data());
    const int block = block_shape(whole.format).elements;
    for (const int first : {0, 1, block - 1, block, block + 7, 3 * block - 2}) {
      for (const int n : {1, 2, block - 1, block, 2 * block + 5}) {
        std::vector<float> part(static_cast<std::size_t>(n));
        widen_gguf_blocks(whole.format, blocks, first, part);
        CHECK(std::memcmp(part.data(), whole.values.data() + first, part.size() * 4) == 0);
      }
    }
  }
}

// Values of a block are whole steps apart, and steps of a group are all the same.
TEST_CASE("gguf blocks: neighbouring values are one step apart") {
  for (const Json& golden : block_goldens()) {
    const BlockGolden got = widen(golden);
    INFO(name_of(got.format));
    std::vector<float> steps(got.values.size());
    gguf_block_steps(got.format, reinterpret_cast<const std::byte*>(got.blocks.data()), 0, steps);
    std::size_t checked = 0, apart = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) {
      const double a = got.values[i - 1], b = got.values[i], step = steps[i];
      if (i % 16 == 0 || !std::isfinite(a) || !std::isfinite(b) || !(step > 0)) continue;
      const double quotient =
          std::abs(a - b) / step * (got.format == Format::MXFP4 ? 4 : 1);  // its finest step is a quarter
      const double rounding =
          (std::abs(a) + std::abs(b)) / step * 1.2e-7;  // each value was rounded once or twice
      if (!(rounding < 0.01)) continue;
      ++checked;
      apart += std::abs(quotient - std::round(quotient)) <= rounding + 1e-6 ? 0U : 1U;
    }
    CHECK(apart == 0);
    CHECK(checked > steps.size() / 8);
  }
}

}  // namespace
