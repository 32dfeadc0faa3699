// Replays the corpus of the trace header, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_trace(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

TEST_CASE("fuzz trace: the corpus and 20,000 mutations of it") {
  const auto files = fuzz::corpus("trace");
  CHECK(files.size() >= 8);
  std::vector<std::string> seeds;
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(fuzz::run(fuzz_trace, bytes) == 0);
    seeds.push_back(bytes);
  }
  REQUIRE_FALSE(seeds.empty());
  static const std::string kPieces[] = {
      " ", "layer.", ".q", "logits", "-", "0", "18446744073709551616", std::string(1, '\0')};
  int done = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    Stream random(3, i);
    std::string input = seeds[random.below(seeds.size())];
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = input.empty() ? 0 : random.below(input.size());
      if (random.below(2) == 0) {
        input.insert(at, kPieces[random.below(std::size(kPieces))]);
      } else {
        input.erase(at, 1 + random.below(6));
      }
    }
    done += fuzz::run(fuzz_trace, input) == 0;
  }
  CHECK(done == 20'000);
}

}  // namespace
