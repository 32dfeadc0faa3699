// Replays the corpus of the readers of tokenizers, and mutations of it, on every run of the tests.
#include <cstdint>
#include <string>

#include "base/rng.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"
#include "tests/fuzz/fuzz_tokenizer.h"
#include "tests/fuzz/replay.h"

namespace {

using namespace assay;

std::string mutate_tokenizer(std::string input, Stream& random) {
  static const std::string kPieces[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        "\"",
                                        "0",
                                        "-1",
                                        "4294967296",
                                        "null",
                                        "\\ud800",
                                        "1e999",
                                        std::string(1, '\0'),
                                        "\xFF\xFF\xFF\xFF\x0F",
                                        "<0x-1>",
                                        "\x0A",
                                        "\x0A\x00",
                                        " "};
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
  return input;
}

TEST_CASE("fuzz tokenizer: the corpus, of which the good files are accepted") {
  const auto files = fuzz::corpus("tokenizer");
  CHECK(files.size() == 16);
  int accepted = 0;
  for (const auto& [name, bytes] : files) {
    INFO(name);
    CHECK(fuzz::run(fuzz_tokenizer, bytes) == 0);
    accepted += Tokenizer::parse(bytes, name).ok();
  }
  CHECK(accepted == 8);  // four JSON files, four SentencePiece models; the ranks are nobody's
}

TEST_CASE("fuzz tokenizer: 6,000 mutations of the corpus") {
  const std::vector<std::string> seeds = fuzz::seeds("tokenizer");
  int done = 0;
  for (std::uint64_t i = 0; i < 6'000; ++i) {
    Stream random(4, i);
    done += fuzz::run(fuzz_tokenizer, mutate_tokenizer(seeds[random.below(seeds.size())], random)) == 0;
  }
  CHECK(done == 6'000);
}

}  // namespace
