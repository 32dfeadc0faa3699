// Replays the corpus of the GGUF parser, and mutations of it, on every run of the tests.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

int fuzz_gguf(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// One to three changes: bytes, little numbers of four and eight bytes at any place, cuts, repeats.
std::string mutate(std::string input, Stream& random) {
  static constexpr std::uint64_t kNumbers[] = {
      0,          1,          2,          4,          8,          9,          12,         14,
      16,         31,         32,         33,         39,         255,        256,        65'536,
      0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ULL << 32, 1ULL << 61, 1ULL << 62, 1ULL << 63, ~0ULL};
  for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(5)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1:
      case 2: {
        const std::uint64_t number = kNumbers[random.below(std::size(kNumbers))];
        const std::size_t n = std::min<std::size_t>(random.below(2) == 0 ? 4 : 8, input.size() - at);
        std::memcpy(input.data() + at, &number, n);
        break;
      }
      case 3:
        input.erase(at, 1 + random.below(8));
        break;
      default:
        input.insert(at, input.substr(at, random.below(64)));
        break;
    }
  }
  return input;
}

TEST_CASE("fuzz gguf: the corpus") {
  const auto files = fuzz::corpus("gguf");
  CHECK(files.size() >= 60);
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(fuzz::run(fuzz_gguf, bytes) == 0);
  }
}

TEST_CASE("fuzz gguf: 50,000 mutations of the corpus") {
  const std::vector<std::string> seeds = fuzz::seeds("gguf");
  int done = 0;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    Stream random(2, i);
    done += fuzz::run(fuzz_gguf, mutate(seeds[random.below(seeds.size())], random)) == 0;
  }
  CHECK(done == 50'000);
}

}  // namespace
