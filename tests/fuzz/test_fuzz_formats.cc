// Replays the corpus of the importers, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_formats(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

constexpr int kMutations = 4'000;  // each writes a file

TEST_CASE("fuzz formats: the corpus and 4,000 mutations of it") {
  const auto files = fuzz::corpus("formats");
  CHECK(files.size() >= 18);
  std::vector<std::string> seeds;
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(fuzz::run(fuzz_formats, bytes) == 0);
    if (bytes.size() < 4096) seeds.push_back(bytes);
  }
  REQUIRE_FALSE(seeds.empty());
  static const std::string kPieces[] = {"{", "}", "[", "]", "\"", ",", ":", "null", "NaN", "-1", "1e999", "\\", "\n", "{}", "[[]]", "\"x\"", std::string(1, '\0')};
  int done = 0;
  for (std::uint64_t i = 0; i < kMutations; ++i) {
    Stream random(11, i);
    std::string input = seeds[random.below(seeds.size())];
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = input.size() < 2 ? input.size() : 1 + random.below(input.size() - 1);  // the first byte is the format's
      if (random.below(2) == 0) {
        input.insert(at, kPieces[random.below(std::size(kPieces))]);
      } else {
        input.erase(std::min(at, input.size()), 1 + random.below(8));
      }
    }
    done += fuzz::run(fuzz_formats, input) == 0;
  }
  CHECK(done == kMutations);
}

}  // namespace
