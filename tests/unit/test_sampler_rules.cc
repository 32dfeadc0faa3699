// One rule of sampling a test, on rows of a few logits: what stays after each cut, and which token a uniform
// number means, worked out by hand or by a second implementation in plain f64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "reference/model/sampler.h"
#include "tests/catch.h"

using namespace assay;

namespace {

using Ids = std::set<std::int32_t>;

// Probabilities 1/2, 1/4, 1/8, 1/8.
const std::vector<float> kRow = {std::log(0.5F), std::log(0.25F), std::log(0.125F), std::log(0.125F)};

// What 300 draws give; the rarest of the tokens that stay has at least 1/8 here, so each of them turns up (1e-17).
Ids drawn(const std::vector<float>& logits, const GenerateOptions& options) {
  Ids out;
  for (std::uint32_t i = 0; i < 300; ++i) {
    Stream stream(11, 2, i);
    out.insert(next_token(logits, {}, options, stream));
  }
  return out;
}

std::int32_t greedy(const std::vector<float>& logits, const std::vector<std::int32_t>& seen, double penalty) {
  Stream stream(1);
  return next_token(logits, seen, {.temperature = 0, .repetition_penalty = penalty}, stream);
}

}  // namespace

TEST_CASE("sampler rules: the penalty divides positive logits and multiplies others, once an id") {
  CHECK(greedy({2.0F, 0.9F}, {0, 0}, 2) == 0);  // 1 against 0.9; twice would be 0.5
  CHECK(greedy({2.0F, 1.1F}, {0}, 2) == 1);     // 1 against 1.1
  CHECK(greedy({-1.0F, -1.5F}, {0}, 2) == 1);   // -2 against -1.5; divided it would be -0.5
  CHECK(greedy({-1.0F, -2.5F}, {0}, 2) == 0);
  CHECK(greedy({0.4F, 1.0F}, {1}, 0.25) == 1);  // below 1 the penalty favours what was seen
}

TEST_CASE("sampler rules: the penalty also moves what is drawn") {
  Ids out;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Stream stream(3, 0, i);
    const std::vector<std::int32_t> seen = {0};
    out.insert(
        next_token(std::vector<float>{4, 3}, seen, {.temperature = 0.01, .repetition_penalty = 2}, stream));
  }
  CHECK(out == Ids{1});  // 2 against 3, a hundred times sharpened
}

TEST_CASE("sampler rules: top-k keeps k tokens, of equal ones those with lower ids") {
  CHECK(drawn(kRow, {.temperature = 1, .top_k = 1}) == Ids{0});
  CHECK(drawn(kRow, {.temperature = 1, .top_k = 2}) == Ids{0, 1});
  CHECK(drawn(kRow, {.temperature = 1, .top_k = 3}) == Ids{0, 1, 2});
  CHECK(drawn(kRow, {.temperature = 1, .top_k = 9}) == Ids{0, 1, 2, 3});
  CHECK(drawn({0, 1, 1, 1}, {.temperature = 1, .top_k = 2}) == Ids{1, 2});
}

TEST_CASE("sampler rules: top-p keeps the smallest set that reaches p, the crossing token included") {
  CHECK(drawn(kRow, {.temperature = 1, .top_p = 0.01}) == Ids{0});
  CHECK(drawn(kRow, {.temperature = 1, .top_p = 0.49}) == Ids{0});
  CHECK(drawn(kRow, {.temperature = 1, .top_p = 0.51}) == Ids{0, 1});
  CHECK(drawn(kRow, {.temperature = 1, .top_p = 0.76}) == Ids{0, 1, 2});
  CHECK(drawn(kRow, {.temperature = 1, .top_p = 0.9}) == Ids{0, 1, 2, 3});
}

TEST_CASE("sampler rules: top-p sees what top-k has left, at the temperature asked for") {
  CHECK(drawn(kRow, {.temperature = 1, .top_k = 2, .top_p = 0.6}) == Ids{0});  // 2/3 of what is left
  CHECK(drawn(kRow, {.temperature = 0.5, .top_p = 0.7}) == Ids{0});            // 16/22 after squaring
  CHECK(drawn(kRow, {.temperature = 2, .top_p = 0.7}) == Ids{0, 1, 2});        // 0.37, 0.26, 0.18
}

TEST_CASE("sampler rules: min-p is a share of the likeliest token") {
  CHECK(drawn(kRow, {.temperature = 1, .min_p = 0.4}) == Ids{0, 1});  // 0.25 / 0.5 stays, 0.125 / 0.5 goes
  CHECK(drawn(kRow, {.temperature = 1, .min_p = 0.2}) == Ids{0, 1, 2, 3});
  CHECK(drawn(kRow, {.temperature = 1, .min_p = 1}) == Ids{0});
}

TEST_CASE("sampler rules: a token without probability is never drawn") {
  const float none = -std::numeric_limits<float>::infinity();
  CHECK(drawn({none, 0, none, 0}, {.temperature = 1}) == Ids{1, 3});
  CHECK(drawn({-2000, 0, -1500, 0}, {.temperature = 1}) == Ids{1, 3});
}

TEST_CASE("sampler rules: a uniform number means the token at that share of the ranked row") {
  const std::vector<float> logits = {0.3F, -1.0F, 2.0F, 0.3F, 1.1F};
  const std::vector<std::int32_t> ranked = {2, 4, 0, 3, 1};
  for (const double temperature : {0.5, 1.0, 3.0}) {
    for (std::uint32_t i = 0; i < 500; ++i) {
      Stream stream(5, 1, i), same(5, 1, i);
      std::vector<double> weight;
      for (const std::int32_t id : ranked)
        weight.push_back(std::exp(double{logits[static_cast<std::size_t>(id)]} / temperature));
      double total = 0, reached = 0;
      for (const double w : weight) total += w;
      const double u = same.uniform();
      std::size_t at = 0;
      while (at + 1 < ranked.size() && (reached += weight[at]) <= u * total) ++at;
      REQUIRE(next_token(logits, {}, {.temperature = temperature}, stream) == ranked[at]);
      REQUIRE(stream.u64() == same.u64());  // one number a token
    }
  }
}

TEST_CASE("sampler rules: the arg-max draws no number") {
  Stream stream(8), same(8);
  CHECK(next_token(kRow, {}, {.temperature = 0}, stream) == 0);
  CHECK(stream.u64() == same.u64());
}

TEST_CASE("sampler rules: samples of an item have streams of their own") {
  std::set<std::uint64_t> first;
  for (std::uint64_t item = 0; item < 20; ++item) {
    for (std::uint32_t sample = 0; sample < 20; ++sample) first.insert(Stream(1, item, sample).u64());
  }
  CHECK(first.size() == 400);
  CHECK(Stream(1, 0, 0).u64() != Stream(std::uint64_t{1} | std::uint64_t{1} << 40, 0, 0).u64());
  CHECK(Stream(1, 0, 0).u64() != Stream(1, std::uint64_t{1} << 40, 0).u64());
}
