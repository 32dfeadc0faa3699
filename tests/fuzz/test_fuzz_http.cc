// Replays the corpus of the answers of completion servers, and mutations of it, on every run of the tests.
#include <string>

#include "tests/catch.h"
#include "tests/fuzz/mutate_json.h"
#include "tests/fuzz/replay.h"

extern "C" int fuzz_http(const std::uint8_t* data, std::size_t size);

using namespace assay;

TEST_CASE("fuzz http: the corpus and 15,000 mutations of it") {
  const std::vector<std::string> seeds = fuzz::seeds("http");
  REQUIRE(seeds.size() >= 8);
  int done = 0;
  for (const std::string& seed : seeds) done += fuzz::run(fuzz_http, seed) == 0;
  for (std::uint64_t i = 0; i < 15'000; ++i) {
    Stream random(3, i);
    done += fuzz::run(fuzz_http, fuzz::mutate_json(seeds[random.below(seeds.size())], seeds, random)) == 0;
  }
  CHECK(done == 15'000 + static_cast<int>(seeds.size()));
}
