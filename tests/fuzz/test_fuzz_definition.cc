// Replays the corpus of definitions with their rows, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

int fuzz_definition(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// One to four small changes: bytes, pieces of the language, cuts, repeats, a part of another input.
std::string mutate(std::string input, const std::string& other, Stream& random) {
  static const std::string kPieces[] = {"{", "}", "{{", "[", "]", "\"", ":", ",", "null", "-1", "1e999", "{option}", "{question:strip}", "|", ":strip", "true",
                                        "\"python\"", "\"indices\":[5]", "\"gold\":\"boxed\"", "\\boxed{", "\\u0000", "\xff", "\n", "9007199254740993", "*", "../"};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(5)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1: input.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: input.erase(at, 1 + random.below(8)); break;
      case 3: input.insert(at, input.substr(at, random.below(48))); break;
      default: input.insert(at, other.substr(random.below(other.size()), random.below(48))); break;
    }
  }
  return input;
}

}  // namespace

TEST_CASE("fuzz definition: the corpus") {
  const auto seeds = fuzz::seeds("definition");
  CHECK(seeds.size() >= 15);
  for (const std::string& text : seeds) {
    INFO(text);
    CHECK(fuzz::run(fuzz_definition, text) == 0);
  }
}

TEST_CASE("fuzz definition: 5,000 mutations of the corpus") {
  const auto seeds = fuzz::seeds("definition");
  int done = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    Stream random(20261127, i);
    const std::string& seed = seeds[random.below(seeds.size())];
    done += fuzz::run(fuzz_definition, mutate(seed, seeds[random.below(seeds.size())], random)) == 0 ? 1 : 0;
  }
  CHECK(done == 5000);
}
