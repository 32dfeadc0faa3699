// Replays the corpus of the request bodies of `assay serve`, and mutations of it, on every run of the tests.
#include <string>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_serve(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// Bytes, cuts, repeats, and pieces of other bodies.
std::string mutate(std::string input, const std::vector<std::string>& seeds, Stream& random) {
  static const std::string kPieces[] = {"{", "}", "[", "]", ",", ":", "\"", "null", "-1", "1e999", "true", "\\u0000", "\\ud800", "18446744073709551616", "0.5"};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = random.below(input.size() + 1);
    switch (random.below(5)) {
      case 0: if (at < input.size()) input[at] = static_cast<char>(random.below(256)); break;
      case 1: input.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: input.erase(at, 1 + random.below(8)); break;
      case 3: input.insert(at, input.substr(at, random.below(40))); break;
      default: {
        const std::string& other = seeds[random.below(seeds.size())];
        input.insert(at, other.substr(random.below(other.size()), random.below(30)));
      }
    }
  }
  return input;
}

}  // namespace

TEST_CASE("fuzz serve: the corpus and 30,000 mutations of it") {
  const std::vector<std::string> seeds = fuzz::seeds("serve");
  REQUIRE(seeds.size() >= 8);
  int done = 0;
  for (const std::string& seed : seeds) done += fuzz::run(fuzz_serve, seed) == 0;
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    Stream random(2, i);
    done += fuzz::run(fuzz_serve, mutate(seeds[random.below(seeds.size())], seeds, random)) == 0;
  }
  CHECK(done == 30'000 + static_cast<int>(seeds.size()));
}
