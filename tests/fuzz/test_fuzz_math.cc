// Replays the corpus of mathematical answers, and mutations of it, on every run of the tests.
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

int fuzz_math(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// A corpus file holds one pair a line, its two answers separated by " ;; ".
std::vector<std::string> pairs() {
  std::vector<std::string> out;
  for (const std::string& file : fuzz::seeds("math")) {
    std::string_view rest = file;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      std::string line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (const auto at = line.find(" ;; "); at != std::string::npos) line.replace(at, 4, "\n");
      out.push_back(line);
    }
  }
  return out;
}

std::string mutate_expression(std::string input, const std::string& other, Stream& random) {
  static const std::string kPieces[] = {"\\frac", "\\sqrt", "\\left", "\\right)", "{", "}", "(", ")", "[", "]", "|", "^", "_", "\\text{", "\\pm", "\\cup", "\\infty", "\\begin{pmatrix}", "\\\\", "&",
                                        "\\end{pmatrix}", ",", "1,000", "e", "i", "\\pi", "!", "%", "\\circ", "=", "<", "\\leq", "\\{", "\\}", "99999999999", "0", "/", "-", "\n", "```", "def ", "\xff"};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(4)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1: input.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: input.erase(at, 1 + random.below(6)); break;
      default:
        if (!other.empty()) input.insert(at, other.substr(random.below(other.size()), random.below(24)));
        break;
    }
  }
  return input;
}

TEST_CASE("fuzz math: the corpus") {
  const auto all = pairs();
  CHECK(all.size() >= 100);
  for (const std::string& text : all) {
    INFO(text);
    CHECK(fuzz::run(fuzz_math, text) == 0);
  }
}

TEST_CASE("fuzz math: 2,000 mutations of the corpus") {
  const auto all = pairs();
  REQUIRE_FALSE(all.empty());
  int done = 0;
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    Stream random(7, i);
    const std::string& first = all[random.below(all.size())];
    done += fuzz::run(fuzz_math, mutate_expression(first, all[random.below(all.size())], random)) == 0 ? 1 : 0;
  }
  CHECK(done == 2'000);
}

}  // namespace
