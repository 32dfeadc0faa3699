// Replays the corpus of the safetensors parser, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// One to four small changes: bytes, digits, cuts, repeats, and the length of the header kept right half of the time.
std::string mutate_file(std::string input, Stream& random) {
  static const std::string kPieces[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "0",
                                        "-1",
                                        "18446744073709551615",
                                        "4611686018427387904",
                                        "F4",
                                        "F64",
                                        "\\u0000",
                                        "null",
                                        "1e999",
                                        std::string(1, '\0')};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(5)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        if (!input.empty()) input[at] = static_cast<char>('0' + random.below(10));
        break;
      case 2:
        input.insert(at, kPieces[random.below(std::size(kPieces))]);
        break;
      case 3:
        input.erase(at, 1 + random.below(8));
        break;
      default:
        input.insert(at, input.substr(at, random.below(64)));
        break;
    }
  }
  const auto close = input.rfind('}');
  if (close != std::string::npos && close >= 8 && random.below(2) == 0) {
    const std::uint64_t length = close - 7;
    for (int i = 0; i < 8; ++i)
      input[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i) & 0xFF);
  }
  return input;
}

TEST_CASE("fuzz safetensors: the corpus") {
  const auto files = fuzz::corpus("safetensors");
  CHECK(files.size() >= 60);
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(fuzz::run(LLVMFuzzerTestOneInput, bytes) == 0);
  }
}

TEST_CASE("fuzz safetensors: 50,000 mutations of the corpus") {
  const std::vector<std::string> seeds = fuzz::seeds("safetensors");
  int done = 0;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    Stream random(1, i);
    done += fuzz::run(LLVMFuzzerTestOneInput, mutate_file(seeds[random.below(seeds.size())], random)) == 0;
  }
  CHECK(done == 50'000);
}

}  // namespace
