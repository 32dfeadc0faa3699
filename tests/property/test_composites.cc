// How often the interval of a joined figure holds the truth, over simulated data sets.
#include <fmt/format.h>

#include <cmath>

#include "base/rng.h"
#include "eval/verdicts/composite.h"
#include "tests/catch.h"

using namespace assay;

namespace {

constexpr int kSets = 2000;
constexpr double kZ = 1.959963984540054;

Measurement empty_run(const std::string& suite) { return {.model = "M", .suite = suite, .protocol = "p", .metric = "acc", .run_id = 1}; }

void add_item(Measurement& m, double value, double weight = 1) { m.items.push_back({.key = fmt::format("{}", m.items.size()), .value = value, .weight = weight}); }

struct Truth {
  double value;
  std::vector<Measurement> parts;
};

template <class Draw>
double coverage(const Draw& draw) {
  int held = 0;
  for (int set = 0; set < kSets; ++set) {
    Stream stream(99, static_cast<std::uint64_t>(set));
    const Truth truth = draw(stream);
    std::vector<WeightedPart> parts;
    for (const Measurement& m : truth.parts) parts.push_back({&m, 1.0 / static_cast<double>(truth.parts.size())});
    const CompositeEstimate e = estimate_composite(parts);
    held += std::fabs(e.value - truth.value) <= kZ * *e.se ? 1 : 0;
  }
  return static_cast<double>(held) / kSets;
}

}  // namespace

TEST_CASE("composites: the interval of two metrics of the same answers holds the truth as often as it says") {
  // Prompts with one to three instructions of a common difficulty; a prompt is followed if all of them are.
  const double share = coverage([](Stream& stream) {
    Truth truth{.value = 0, .parts = {empty_run("ifeval"), empty_run("ifeval")}};
    truth.parts[1].score = Score::part_share;
    for (int i = 0; i < 200; ++i) {
      const double easy = stream.uniform() < 0.5 ? 0.8 : 0.2;
      const auto n = static_cast<int>(1 + stream.below(3));
      int hits = 0;
      for (int k = 0; k < n; ++k) hits += stream.uniform() < easy ? 1 : 0;
      add_item(truth.parts[0], hits == n ? 1 : 0);
      add_item(truth.parts[1], hits, n);
    }
    double all = 0;
    for (const double easy : {0.8, 0.2}) all += (easy + easy * easy + easy * easy * easy) / 6;
    truth.value = (all + 0.5) / 2;
    return truth;
  });
  CHECK(share > 0.935);
  CHECK(share < 0.965);
}

TEST_CASE("composites: the interval of two suites of unequal size holds the truth as often as it says") {
  const double share = coverage([](Stream& stream) {
    Truth truth{.value = (0.54 + 0.28) / 2, .parts = {empty_run("easy"), empty_run("challenge")}};
    for (int i = 0; i < 240; ++i) add_item(truth.parts[0], stream.uniform() < 0.54 ? 1 : 0);
    for (int i = 0; i < 120; ++i) add_item(truth.parts[1], stream.uniform() < 0.28 ? 1 : 0);
    return truth;
  });
  CHECK(share > 0.935);
  CHECK(share < 0.965);
}

TEST_CASE("composites: shares near nothing are not taken for certain") {
  const double share = coverage([](Stream& stream) {
    Truth truth{.value = 0.01, .parts = {empty_run("a"), empty_run("b")}};
    for (int i = 0; i < 60; ++i) add_item(truth.parts[0], stream.uniform() < 0.01 ? 1 : 0);
    for (int i = 0; i < 60; ++i) add_item(truth.parts[1], stream.uniform() < 0.01 ? 1 : 0);
    return truth;
  });
  CHECK(share > 0.95);  // wider than nominal; the plain error would hold it in 70 of 100
}
