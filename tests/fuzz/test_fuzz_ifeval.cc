// Replays the corpus of the instructions and their checkers, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "suites/ifeval/ifeval.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_ifeval(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

TEST_CASE("fuzz ifeval: the corpus is read and judged") {
  const auto files = fuzz::corpus("ifeval");
  CHECK(files.size() >= 6);
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(parse_instructions(bytes.substr(0, bytes.find('\n'))).ok() == !name.starts_with("refused"));
    CHECK(fuzz::run(fuzz_ifeval, bytes) == 0);
  }
}

TEST_CASE("fuzz ifeval: 6,000 mutations of the corpus") {
  const auto seeds = fuzz::seeds("ifeval");
  static const std::string kPieces[] = {"\"", "{", "]", ",", ":", "null", "-1", "1e9", "***", "\n\n", "\xff", "[", "'", "(", "¿", std::string(1, '\0')};
  int done = 0;
  for (std::uint64_t i = 0; i < 6'000; ++i) {
    Stream random(5, i);
    std::string input = seeds[random.below(seeds.size())];
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      const std::size_t at = input.empty() ? 0 : random.below(input.size());
      if (random.below(2) == 0) input.insert(at, kPieces[random.below(std::size(kPieces))]);
      else input.erase(at, 1 + random.below(4));
    }
    done += fuzz::run(fuzz_ifeval, input) == 0;
  }
  CHECK(done == 6'000);
}

}  // namespace
