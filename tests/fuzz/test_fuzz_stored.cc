// Replays the corpus of stored outputs, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>

#include "tests/fuzz/replay.h"

extern "C" int fuzz_stored(const std::uint8_t* data, std::size_t size);

using namespace assay;

TEST_CASE("fuzz: stored outputs, the corpus and 600 mutations of it") {
  const auto seeds = fuzz::seeds("stored");
  CHECK(seeds.size() >= 7);
  for (const auto& seed : seeds) CHECK(fuzz::run(fuzz_stored, seed) == 0);
  std::uint64_t state = 1;
  const auto draw = [&](std::size_t n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % n;
  };
  constexpr char kMarks[] = "{}[]\",:\\\n\r1 tn\x80";
  for (int i = 0; i < 600; ++i) {
    std::string text = seeds[draw(seeds.size())];
    for (std::size_t edits = draw(6) + 1; edits > 0 && !text.empty(); --edits) {
      const std::size_t at = draw(text.size());
      if (draw(3) == 0)
        text.erase(at, draw(20) + 1);
      else
        text[at] = kMarks[draw(sizeof(kMarks) - 1)];
    }
    REQUIRE(fuzz::run(fuzz_stored, text) == 0);
  }
}
