// Replays the corpus of templates, and mutations of it, on every run of the tests.
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/rng.h"
#include "tests/catch.h"
#include "tests/fuzz/replay.h"

int fuzz_template(const std::uint8_t* data, std::size_t size);

namespace {

using namespace assay;

// The corpus is one template a line, as JSON texts: small, and diffs show what was added.
std::vector<std::string> corpus() {
  std::ifstream file(ASSAY_TREE "/tests/fuzz/corpus/template/templates.jsonl");
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);) out.push_back(parse_json(line, "templates.jsonl")->get<std::string>());
  return out;
}

// One to four small changes: bytes, words of the language, cuts, repeats, a part of another template.
std::string mutate_template(std::string input, const std::string& other, Stream& random) {
  static const std::string kPieces[] = {"{%", "%}", "{{", "}}", "{#", "#}", "-", "|", ".", "(", ")", "[", "]", "'", "\"", ",", "*", "**", "//", "~", " in ", " is ", " not ", " if ", " else ", "loop", "caller", "namespace()", "range(9)",
                                        "9223372036854775807", "-1", "1e308", "{% endfor %}", "{% endif %}", "{% raw %}", "|list", "|join", "|sort", "|tojson", "::", "\\u00e9", "\xff", "\n", "_", "__class__", ".format(", " % ", "{:>9}"};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(5)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(random.below(256));
        break;
      case 1: input.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: input.erase(at, 1 + random.below(8)); break;
      case 3: input.insert(at, input.substr(at, random.below(48))); break;
      default:
        if (!other.empty()) input.insert(at, other.substr(random.below(other.size()), random.below(48)));
        break;
    }
  }
  return input;
}

TEST_CASE("fuzz template: the corpus") {
  const auto templates = corpus();
  CHECK(templates.size() >= 150);
  for (const std::string& text : templates) {
    INFO(text);
    CHECK(fuzz::run(fuzz_template, text) == 0);
  }
}

TEST_CASE("fuzz template: 20,000 mutations of the corpus") {
  const auto templates = corpus();
  REQUIRE_FALSE(templates.empty());
  int done = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    Stream random(3, i);
    const std::string& first = templates[random.below(templates.size())];
    done += fuzz::run(fuzz_template, mutate_template(first, templates[random.below(templates.size())], random)) == 0;
  }
  CHECK(done == 20'000);
}

}  // namespace
