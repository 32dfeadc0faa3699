// Replays the corpus of the ledger, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_ledger(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

TEST_CASE("fuzz ledger: the corpus and 4,000 mutations of it") {
  const auto seeds = fuzz::seeds("ledger");
  CHECK(seeds.size() >= 5);
  for (const std::string& bytes : seeds) CHECK(fuzz::run(fuzz_ledger, bytes) == 0);
  static const std::string kPieces[] = {"\t", "\n", "#", "C", "S\t9\t", "64-4", "-1", "2/30", "89.3", "1e9", "18446744073709551616", "points", "peer", "@", ":", "..", "\xff", std::string(1, '\0')};
  int done = 0;
  for (std::uint64_t i = 0; i < 4'000; ++i) {
    Stream random(5, i);
    std::string input = seeds[random.below(seeds.size())];
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = input.empty() ? 0 : random.below(input.size());
      if (random.below(2) == 0) input.insert(at, kPieces[random.below(std::size(kPieces))]);
      else input.erase(at, 1 + random.below(6));
    }
    done += fuzz::run(fuzz_ledger, input) == 0 ? 1 : 0;
  }
  CHECK(done == 4'000);
}

}  // namespace
