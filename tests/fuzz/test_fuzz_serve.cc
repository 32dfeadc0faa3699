// Replays the corpus of the request bodies of `assay serve`, and mutations of it, on every run of the tests.
#include <string>

#include "tests/catch.h"
#include "tests/fuzz/mutate_json.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_serve(const std::uint8_t* data, std::size_t size);

using namespace assay;

TEST_CASE("fuzz serve: the corpus and 30,000 mutations of it") {
  const std::vector<std::string> seeds = fuzz::seeds("serve");
  REQUIRE(seeds.size() >= 8);
  int done = 0;
  for (const std::string& seed : seeds) done += fuzz::run(fuzz_serve, seed) == 0;
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    Stream random(2, i);
    done += fuzz::run(fuzz_serve, fuzz::mutate_json(seeds[random.below(seeds.size())], seeds, random)) == 0;
  }
  CHECK(done == 30'000 + static_cast<int>(seeds.size()));
}
