#include "eval/compare/similarity_outputs.h"

#include <fmt/format.h>

#include <set>

#include "base/file.h"
#include "base/rng.h"
#include "tests/catch.h"

using namespace assay;

namespace {

// A made-up speaker: shares the task's wording with everybody and draws the rest from words of its own stream.
std::string answer(std::uint64_t speaker, int prompt, int n_words = 40) {
  Stream draws(speaker, static_cast<std::uint64_t>(prompt));
  std::string text = fmt::format("the question number {} asks for the sum of all parts ", prompt);
  for (int i = 0; i < n_words; ++i) text += fmt::format("w{} ", draws.below(500));
  return text;
}

OutputSet speaker(const std::string& name, std::uint64_t id, int n_prompts = 30) {
  OutputSet set{.model = name, .answers = {}};
  for (int p = 0; p < n_prompts; ++p) set.answers[fmt::format("p{}", p)] = answer(id, p);
  return set;
}

// `copy` says the same as `original` on half of the prompts and what a third speaker would say elsewhere.
OutputSet half_copy(const std::string& name, std::uint64_t original, std::uint64_t own, int n_prompts = 30) {
  OutputSet set{.model = name, .answers = {}};
  for (int p = 0; p < n_prompts; ++p) set.answers[fmt::format("p{}", p)] = answer(p % 2 == 0 ? original : own, p);
  return set;
}

std::vector<OutputSet> crowd(int n) {
  std::vector<OutputSet> sets;
  for (int i = 0; i < n; ++i) sets.push_back(speaker(fmt::format("m{}", i), static_cast<std::uint64_t>(100 + i)));
  return sets;
}

const OutputSimilarity& find(const std::vector<OutputSimilarity>& rows, const std::string& a, const std::string& b, const std::string& test) {
  for (const auto& row : rows) {
    if (row.a == a && row.b == b && row.test == test) return row;
  }
  FAIL("no such pair");
  return rows.front();
}

}  // namespace

TEST_CASE("similarity of outputs: a copy stands out of a large panel, unrelated pairs do not") {
  auto sets = crowd(44);
  sets.push_back(half_copy("copy", 100, 999));
  const auto rows = compare_outputs(sets, Panel{.name = "crowd", .digest = "0123456789abcdef0"}, {.alpha = 0.05, .replicates = 50});
  REQUIRE(rows.ok());
  CHECK(rows->size() == 2 * 45 * 44 / 2);
  const auto& pair = find(*rows, "m0", "copy", "rare-phrase");
  CHECK(*pair.effect > 5);
  CHECK(*pair.low > 1);
  CHECK(*pair.high > *pair.low);
  CHECK(*pair.p == Approx(1.0 / 44));  // one of 44: the pair itself and 43 references
  CHECK(*pair.p_min == Approx(1.0 / 44));
  // Holm over 990 pairs cannot be passed by a panel of 43: the verdict says so instead of accusing.
  CHECK(pair.verdict.starts_with("INCONCLUSIVE(beyond the panel alone"));
  const auto& other = find(*rows, "m1", "m2", "rare-phrase");
  CHECK(*other.p > 0.05);
  CHECK(other.verdict == "OUTPUTS_NOT_DISTINGUISHED_FROM_PANEL");
}

TEST_CASE("similarity of outputs: two suspects against a panel of strangers") {
  auto sets = crowd(42);
  Panel panel{.name = "strangers", .digest = "0123456789abcdef0"};
  for (const auto& set : sets) panel.members.push_back(set.model);
  for (const auto& set : sets) panel.family_of[set.model] = set.model;
  sets.push_back(speaker("a", 1));
  sets.push_back(half_copy("b", 1, 2));
  const auto rows = compare_outputs(sets, panel, {.alpha = 0.05, .replicates = 20});
  REQUIRE(rows.ok());
  const auto& verbatim = find(*rows, "a", "b", "verbatim");
  CHECK(*verbatim.statistic == Approx(0.5));
  CHECK(*verbatim.effect == Approx(0.5));
  CHECK(verbatim.does_not_show.find("direction") != std::string::npos);
}

TEST_CASE("similarity of outputs: no panel, no verdict") {
  auto sets = crowd(5);
  sets.push_back(half_copy("copy", 100, 999));
  const auto rows = compare_outputs(sets, std::nullopt);
  REQUIRE(rows.ok());
  for (const auto& row : *rows) {
    CHECK(row.verdict.starts_with("INCONCLUSIVE(no panel"));
    CHECK_FALSE(row.p.has_value());
    CHECK_FALSE(row.effect.has_value());
    CHECK(row.statistic.has_value());
  }
}

TEST_CASE("similarity of outputs: a panel that is too small refuses a verdict") {
  auto sets = crowd(8);
  const auto rows = compare_outputs(sets, Panel{.name = "small", .digest = "0123456789abcdef0"});
  REQUIRE(rows.ok());
  for (const auto& row : *rows) CHECK(row.verdict.starts_with("INCONCLUSIVE(the panel's smallest p"));
}

TEST_CASE("similarity of outputs: relatives are no null for each other") {
  auto sets = crowd(6);
  Panel panel{.name = "families", .digest = "0123456789abcdef0"};
  for (const auto& set : sets) panel.family_of[set.model] = set.model;
  panel.family_of["m2"] = "m0";
  const auto rows = compare_outputs(sets, panel, {.replicates = 0});
  REQUIRE(rows.ok());
  CHECK(*find(*rows, "m0", "m1", "rare-phrase").p_min == Approx(1.0 / 4));  // m2 is left out: m3, m4, m5 remain
  CHECK(*find(*rows, "m3", "m4", "rare-phrase").p_min == Approx(1.0 / 5));
}

TEST_CASE("similarity of outputs: refusals") {
  CHECK(compare_outputs(crowd(1), std::nullopt).error().code == Code::bad_value);
  auto twice = crowd(2);
  twice[1].model = "m0";
  CHECK(compare_outputs(twice, std::nullopt).error().code == Code::duplicate);
  CHECK(compare_outputs(crowd(3), Panel{.name = "x", .digest = std::string(64, '0'), .members = {"stranger"}}).error().code == Code::not_found);
  auto disjoint = crowd(2);
  disjoint[1].answers = {{"elsewhere", "text"}};
  CHECK(compare_outputs(disjoint, std::nullopt).error().code == Code::bad_value);
}

TEST_CASE("similarity of outputs: identical answers give 1, disjoint ones 0, empty ones nothing") {
  std::vector<OutputSet> sets = {{"a", {{"p", "one two three four five six"}, {"q", ""}}},
                                 {"b", {{"p", "one two three four five six"}, {"q", ""}}},
                                 {"c", {{"p", "uno dos tres cuatro cinco seis"}, {"q", ""}}}};
  const auto rows = compare_outputs(sets, std::nullopt);
  REQUIRE(rows.ok());
  CHECK(*find(*rows, "a", "b", "rare-phrase").statistic == Approx(0.5));  // the empty prompt counts as no similarity
  CHECK(*find(*rows, "a", "b", "verbatim").statistic == Approx(0.5));
  CHECK(*find(*rows, "a", "c", "rare-phrase").statistic == 0);
}
