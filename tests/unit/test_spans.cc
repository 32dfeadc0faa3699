// Exact match and F1 as SQuAD's, TriviaQA's and DROP's own scripts give them; the figures are worked out by hand from their rules.
#include <string>
#include <vector>

#include "suites/score.h"
#include "suites/spans.h"
#include "tests/catch.h"

namespace {

using namespace assay;

struct SpanCase {
  const char* answer;
  std::vector<std::string> golds;
  bool exact;
  double f1;
};

void check_spans(SpanScore (*scorer)(std::string_view, const std::vector<std::string>&), const std::vector<SpanCase>& cases) {
  for (const auto& c : cases) {
    INFO(c.answer << " against " << c.golds[0]);
    const SpanScore score = scorer(c.answer, c.golds);
    CHECK(score.exact == c.exact);
    CHECK(score.f1 == Approx(c.f1).margin(1e-12));
  }
}

TEST_CASE("spans: SQuAD takes off case, punctuation and articles, and counts repeated words") {
  check_spans(squad_score, {{"The Broncos!", {"broncos"}, true, 1},
                            {"a cat, an ant", {"Cat ant"}, true, 1},
                            {"Denver Broncos won", {"Denver Broncos"}, false, 0.8},
                            {"x", {"y", "z", "X."}, true, 1},
                            {"one one two", {"one two two"}, false, 2.0 / 3},
                            {"e.g.", {"eg"}, true, 1},
                            {"\u00c9TUDE", {"\u00e9tude"}, true, 1},
                            {"", {"x"}, false, 0},
                            {"the", {"the"}, false, 0},
                            {"", {""}, false, 0}});
}

TEST_CASE("spans: TriviaQA's punctuation becomes blanks") {
  check_spans(triviaqa_score, {{"Jean-Paul", {"jean paul"}, true, 1}, {"new_york", {"New York"}, true, 1}, {"it\u2019s", {"it s"}, true, 1}, {"Sunset Blvd", {"Sunset Boulevard", "Sunset Blvd."}, true, 1}, {"", {"..."}, false, 0}});
  CHECK(squad_score("Jean-Paul", {"jean paul"}).exact == false);
}

TEST_CASE("spans: DROP compares numbers as numbers and asks for one of them") {
  check_spans(drop_score, {{"5", {"5.0"}, true, 1},
                           {"5 yards", {"5"}, false, 0.67},
                           {"6 yards", {"5 yards"}, false, 0},
                           {"the yard", {"5 yards"}, false, 0},
                           {"1,000", {"1000"}, true, 1},
                           {"Eagles-Giants", {"eagles giants"}, true, 1},
                           {"John Smith", {"Smith"}, false, 0.67},
                           {"Smith", {"John", "Smith"}, true, 1},
                           {"", {"a"}, false, 0}});
}

TEST_CASE("spans: DROP pairs several spans so that the sum is largest") {
  check_spans(drop_score, {{"red\nblue", {"blue\nred"}, true, 1},
                           {"red", {"blue\nred"}, false, 0.5},
                           {"red\nblue\ngreen", {"blue\nred"}, false, 0.67},
                           {"x y\nx", {"x\nx y"}, true, 1},
                           {"x y\ny", {"x\nx y z"}, false, 0.58},  // 2/3 + 1/2; who takes the best pair first gets 4/5 + 0
                           {"x\ny", {"x z\nx"}, false, 0.5}});
}

Protocol span_protocol(const char* equality) {
  Protocol p;
  p.kind = ProtocolKind::generate;
  p.extractors = {{"all", "", false, ""}};
  p.equality = equality;
  p.metrics = {"exact_match", "f1"};
  return p;
}

TEST_CASE("spans: a score has f1 beside exact match, and any alias is as good as the gold") {
  Item item;
  item.gold = "Denver Broncos";
  item.golds = {"Broncos", "", "The Denver team"};
  const auto value = [](const ItemScore& score, std::string_view name) {
    for (const auto& [metric, number] : score.values) {
      if (metric == name) return number;
    }
    return -1.0;
  };
  const ItemScore right = score_output(span_protocol("squad"), item, "broncos");
  CHECK(right.correct == true);
  CHECK(value(right, "f1") == 1);
  const ItemScore part = score_output(span_protocol("squad"), item, "Denver");
  CHECK(part.correct == false);
  CHECK(value(part, "f1") == Approx(2.0 / 3));
  const ItemScore none = score_output(span_protocol("squad"), item, "  ");
  CHECK(none.correct == false);
  CHECK(value(none, "f1") == 0);
  item.gold.clear();
  item.golds = {" "};
  CHECK_FALSE(score_output(span_protocol("triviaqa"), item, "x").correct.has_value());
  CHECK(value(score_output(span_protocol("triviaqa"), item, "x"), "f1") == -1);  // nothing to be near to
}

TEST_CASE("spans: aliases belong to an item's digest, and none of them changes no digest") {
  Item item;
  item.gold = "x";
  const std::string before = item.digest();
  item.golds = {"y"};
  const std::string with = item.digest();
  CHECK(with != before);
  item.golds.clear();
  CHECK(item.digest() == before);
}

}  // namespace
