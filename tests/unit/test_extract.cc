// Extractors and equalities, with the traps that stored outputs really have.
#include <algorithm>
#include <cmath>

#include "suites/extract.h"
#include "suites/numbers.h"
#include "suites/score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

std::string found(const std::string& function, const std::string& output, const std::string& pattern = "") {
  const auto result = extract({{function, pattern, false, ""}}, output);
  return result ? result->answer : "(nothing)";
}

bool equal(std::string_view equality, std::string_view answer, std::string_view gold) {
  return equal_answers(equality, answer, gold).value_or(false);
}

Protocol generation(std::vector<ExtractorLink> chain, const std::string& equality) {
  Protocol p;
  p.kind = ProtocolKind::generate;
  p.extractors = std::move(chain);
  p.equality = equality;
  p.metrics = {"accuracy", "no_answer"};
  return p;
}

Item with_gold(const std::string& gold) {
  Item item;
  item.id = "i";
  item.gold = gold;
  return item;
}

}  // namespace

TEST_CASE("extract: numbers") {
  CHECK(found("first-number", "I have 3 apples and 1,234.50 pears") == "3");
  CHECK(found("last-number", "I have 3 apples and $1,234.50.") == "1,234.50");
  CHECK(found("last-number", "from 5-3 to -7") == "-7");
  CHECK(found("last-number", "5-3") == "3");
  CHECK(found("last-number", "1, 2, 3,") == "3");
  CHECK(found("last-number", "It is 18.") == "18");
  CHECK(found("last-number", "none") == "(nothing)");
  CHECK(found("first-number", "") == "(nothing)");
}

TEST_CASE("extract: markers and boxes") {
  CHECK(found("after-hashes", "so\n#### 18\n") == "18");
  CHECK(found("after-hashes", "#### 1\n#### 2") == "2");
  CHECK(found("after-hashes", "####") == "(nothing)");
  CHECK(found("after-marker", "A: 3\nA: 18.", "A: ") == "18");
  CHECK(found("boxed", "thus \\boxed{\\frac{1}{2}} holds") == "\\frac{1}{2}");
  CHECK(found("boxed", "\\boxed{1} then \\boxed{2}") == "2");
  CHECK(found("boxed", "\\boxed{1") == "(nothing)");
}

TEST_CASE("extract: regular expressions take group 1 of the first or last match") {
  CHECK(found("first-regex", "The answer is 5. The answer is 6.", "The answer is (-?\\d+)") == "5");
  CHECK(found("last-regex", "The answer is 5. The answer is 6.", "The answer is (-?\\d+)") == "6");
  CHECK(found("last-regex", "7 and 88", "(-?[$0-9.,]{2,})|(-?[0-9]+)") == "88");
  CHECK(found("last-regex", "88 and 7", "(-?[$0-9.,]{2,})|(-?[0-9]+)") == "7");
  CHECK(found("first-regex", "x", "y*") == "(nothing)");
}

TEST_CASE("extract: a pattern that explodes gives nothing instead of hanging") {
  CHECK(found("first-regex", std::string(5000, 'a') + "!", "(a+)+$") == "(nothing)");
}

TEST_CASE("extract: text that is no UTF-8 is read") {
  CHECK(found("last-number", "\xff\xfe 12") == "12");
  CHECK(found("first-regex", "\xff The answer is 12", "answer is (\\d+)") == "12");
  CHECK(found("json-field", "{\"answer\": \"\xff\"}", "answer") == "(nothing)");
}

TEST_CASE("extract: a member of the last JSON object in prose") {
  CHECK(found("json-field", "Sure:\n```json\n{\"reasoning\": \"a\nb\", \"answer\": \"$18\"}\n```",
              "answer") == "$18");
  CHECK(found("json-field", "{\"answer\": 1} then {\"answer\": 2}", "answer") == "2");
  CHECK(found("json-field", "{\"answer\": 18.50}", "answer") == "18.5");
  CHECK(found("json-field", "{\"answer\": [1, 2]}", "answer") == "[1,2]");
  CHECK(found("json-field", "{\"answer\": null}", "answer") == "(nothing)");
  CHECK(found("json-field", "{\"answer\": \"\"}", "answer") == "(nothing)");
  CHECK(found("json-field", "{\"answer\": \"18\"", "answer") == "(nothing)");
  CHECK(found("json-field-any", "{\"answer\": \"\"}", "answer").empty());
  CHECK(found("json-field-any", "{\"answer\": null}", "answer") == "(nothing)");
  CHECK(found("json-field", "no object", "answer") == "(nothing)");
  CHECK(found("json-field", "}}{\"answer\": 3}", "answer") == "3");
}

TEST_CASE("extract: broken and unterminated JSON") {
  CHECK(found("json-field-loose", "{\"reasoning\": \"so\", \"answer\": \"18\"", "answer") == "18");
  CHECK(found("json-field-loose", "{\"answer\": 18, \"x\"", "answer") == "18");
  CHECK(found("json-field-loose", "answer: 18 and", "answer") == "18");
  CHECK(found("json-field-loose", "nothing here", "answer") == "(nothing)");
}

TEST_CASE("extract: letters stand alone") {
  CHECK(found("first-letter", "Maybe (B) or C") == "B");
  CHECK(found("last-letter", "Maybe (B) or C.") == "C");
  CHECK(found("first-letter", "Always Zed") == "(nothing)");
}

TEST_CASE("extract: the chain stops at the first link that finds something") {
  const std::vector<ExtractorLink> chain = {{"after-hashes", "", false, ""}, {"last-number", "", true, ""}};
  const auto strict = extract(chain, "7 #### 18");
  REQUIRE(strict);
  CHECK(strict->by == "after-hashes");
  CHECK_FALSE(strict->fallback);
  const auto loose = extract(chain, "it is 18");
  REQUIRE(loose);
  CHECK(loose->by == "last-number");
  CHECK(loose->fallback);
}

TEST_CASE("extract: a link for some models only") {
  const std::vector<ExtractorLink> chain = {{"boxed", "", false, "Llama-3.1"}};
  CHECK(extract(chain, "\\boxed{1}", "Meta-Llama-3.1-8B").has_value());
  CHECK_FALSE(extract(chain, "\\boxed{1}", "gemma").has_value());
}

TEST_CASE("extract: every extractor is named once and checked") {
  CHECK(std::is_sorted(extractor_names().begin(), extractor_names().end()));
  for (const auto name : extractor_names()) {
    const ExtractorLink link{std::string(name), extractor_needs_pattern(name) ? "x" : "", false, ""};
    CHECK(check_extractor(link, "f").ok());
    const ExtractorLink other{std::string(name), extractor_needs_pattern(name) ? "" : "x", false, ""};
    CHECK_FALSE(check_extractor(other, "f").ok());
  }
}

TEST_CASE("score: numbers are equal as numbers") {
  CHECK(equal("number", "$1,234.50", "1234.5"));
  CHECK(equal("number", "18.00", "18"));
  CHECK(equal("number", "50%", "50"));
  CHECK(equal("number", "1/2", "0.5"));
  CHECK(equal("number", "2/4", "1/2"));
  CHECK(equal("number", "-0", "0"));
  CHECK(equal("number", "007", "7"));
  CHECK(equal("number", "18.", "18"));
  CHECK(equal("number", "\\$5", "5"));
  CHECK(equal("number", "0.30000000000000000000000000000001", "0.3") == false);
  CHECK_FALSE(equal("number", "2/3", "2"));
  CHECK_FALSE(equal("number", "1/0", "1"));
  CHECK_FALSE(equal("number", "18 dollars", "18"));
  CHECK_FALSE(equal("number", "NaN", "NaN"));
  CHECK(equal("number", std::string(190, '9') + ".0", std::string(190, '9')));
}

TEST_CASE("score: a sentence's first number decides in the loose comparison only") {
  CHECK(equal("number-loose", "18 dollars", "18"));
  CHECK(equal("number-loose", "36, 35, 32", "36"));
  CHECK(equal("number-loose", "1112112", "1112112_3"));
  CHECK(equal("number-loose", "(a,b)", "(a,b)"));
  CHECK_FALSE(equal("number-loose", "p-2", "2"));
  CHECK_FALSE(equal("number-loose", "9/4", "9"));
  CHECK_FALSE(equal("number-loose", "no idea", "18"));
}

TEST_CASE("score: text, folded text, bare numbers, integers, literals") {
  CHECK(equal("text", " a ", "a"));
  CHECK_FALSE(equal("text", "A", "a"));
  CHECK(equal("text-folded", "New \n York", "new york"));
  CHECK(equal("number-bare", "$1,200.", "1200"));
  CHECK_FALSE(equal("number-bare", "1200.00", "1200"));
  CHECK(equal("integer", "+012", "12"));
  CHECK_FALSE(equal("integer", "12.5", "12"));
  CHECK(equal("literal", "a b", "'a b'"));
  CHECK(equal("literal", "\"a\"", "'a'"));
  CHECK(equal("literal", "8.50", "8.5"));
  CHECK(equal("literal", "", "''"));
  CHECK_FALSE(equal("literal", " ", "''"));
  CHECK_FALSE(equal("literal", "['ab']", "['a b']"));
}

TEST_CASE("score: missing never equals missing") {
  for (const auto equality : equality_names()) {
    if (equality == "stored" || equality == kPythonTests) continue;  // never compare
    if (equality.starts_with("instruction")) continue;               // the gold is a list of instructions: test_ifeval.cc
    CHECK_FALSE(equal_answers(equality, "", "").has_value());
    CHECK_FALSE(equal_answers(equality, "1", "").has_value());
    const std::string gold = equality == "letter" ? "B" : "1";
    CHECK(equal_answers(equality, "", gold) == std::optional<bool>(false));
    CHECK(equal_answers(equality, "  ", gold) == std::optional<bool>(false));
    CHECK(equal_answers(equality, gold, gold) == std::optional<bool>(true));
  }
}

TEST_CASE("score: a gold that is no number cannot be compared as one") {
  CHECK_FALSE(equal_answers("number", "5", "five").has_value());
  CHECK_FALSE(equal_answers("integer", "5", "5.5").has_value());
}

TEST_CASE("score: outputs with and without an answer") {
  const Protocol p = generation({{"after-hashes", "", false, ""}, {"last-number", "", true, ""}}, "number");
  const ItemScore right = score_output(p, with_gold("18"), "so\n#### 18");
  CHECK(right.correct == std::optional<bool>(true));
  CHECK(right.score == std::optional<double>(1.0));
  CHECK_FALSE(right.fallback);
  const ItemScore fallback = score_output(p, with_gold("18"), "it is 17");
  CHECK(fallback.correct == std::optional<bool>(false));
  CHECK(fallback.fallback);
  CHECK(fallback.why.find("\"17\" is not the expected \"18\"") != std::string::npos);
  const ItemScore nothing = score_output(p, with_gold("18"), "no idea");
  CHECK(nothing.correct == std::optional<bool>(false));
  CHECK_FALSE(nothing.extracted.has_value());
  const ItemScore unjudged = score_output(p, with_gold(""), "#### 18");
  CHECK_FALSE(unjudged.correct.has_value());
  CHECK_FALSE(score_output(p, with_gold(""), "").correct.has_value());
}

TEST_CASE("score: the extractor reads the primer before the output") {
  Protocol p = generation({{"first-regex", "The answer is (-?\\d+)", false, ""}}, "integer");
  CHECK_FALSE(score_output(p, with_gold("126"), " 126.").correct.value_or(true));
  p.primer = " The answer is";
  CHECK(score_output(p, with_gold("126"), " 126.").correct.value_or(false));
}

TEST_CASE("score: choices, ties to the first, normalisations") {
  Protocol p;
  p.kind = ProtocolKind::choice;
  p.continuation = " {option}";
  p.metrics = {"acc", "acc_char"};
  Item item;
  item.options = {"aa", "bbbb", "ü"};
  item.gold_index = 1;
  const std::vector<OptionScore> options = {{-2.0, 1}, {-2.5, 2}, {-2.0, 1}};
  ItemScore score = score_choice(p, item, options);
  CHECK(score.chosen == 0);
  CHECK(score.correct == std::optional<bool>(false));
  CHECK(score.margin == std::optional<double>(0.0));
  p.normalisation = Normalisation::chars;
  score = score_choice(p, item, options);
  CHECK(score.chosen == 1);
  CHECK(*score.margin == Approx(1.0 - 0.625));
  CHECK(score.values[0].second == 0.0);
  CHECK(score.values[1].second == 1.0);
  p.normalisation = Normalisation::tokens;
  CHECK(score_choice(p, item, options).chosen == 1);
}

TEST_CASE("score: a NaN never wins") {
  Protocol p;
  p.kind = ProtocolKind::choice;
  p.continuation = " {letter}";
  Item item;
  item.options = {"x", "y"};
  item.gold_index = 1;
  const std::vector<OptionScore> options = {{std::nan(""), 1}, {-9.0, 1}};
  CHECK(score_choice(p, item, options).chosen == 1);
}

TEST_CASE("score: rolling text in bits per byte, micro and macro") {
  Protocol p;
  p.kind = ProtocolKind::rolling;
  p.metrics = {"bits_per_byte"};
  p.aggregation = Aggregation::micro;
  Item a, b;
  a.text = "abcd";
  b.text = "ab";
  const double ln2 = 0.6931471805599453;
  const ItemScore first = score_rolling(p, a, -4 * ln2, 3), second = score_rolling(p, b, -6 * ln2, 2);
  CHECK(*first.score == Approx(1.0));
  CHECK(*second.score == Approx(3.0));
  CHECK_FALSE(first.correct.has_value());
  const std::vector<ScoredItem> items = {{&a, first}, {&b, second}};
  CHECK(aggregate(p, items)[0].value == Approx(10.0 / 6.0));
  p.aggregation = Aggregation::macro;
  const auto macro = aggregate(p, items);
  CHECK(macro[0].value == Approx(2.0));
  CHECK(*macro[0].se_population == Approx(1.0));
}

TEST_CASE("score: macro over sub-tasks weighs them alike") {
  Protocol p = generation({{"all", "", false, ""}}, "text");
  p.aggregation = Aggregation::macro;
  std::vector<Item> items(4);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].subset = i == 0 ? "small" : "large";
    items[i].gold = "x";
  }
  std::vector<ScoredItem> scored;
  for (std::size_t i = 0; i < items.size(); ++i)
    scored.push_back({&items[i], score_output(p, items[i], i == 0 ? "x" : "y")});
  CHECK(aggregate(p, scored)[0].value == Approx(0.5));
  p.aggregation = Aggregation::mean;
  CHECK(aggregate(p, scored)[0].value == Approx(0.25));
}

TEST_CASE("score: code points") {
  CHECK(count_code_points("") == 0);
  CHECK(count_code_points("Krënshea") == 8);
}

TEST_CASE("extract: letters are the same whatever stands around them, and no letter cannot be judged") {
  for (const char* given : {"B", "b", "(B)", "B.", " **B** ", "(b):"}) CHECK(equal_answers("letter", given, "B") == std::optional<bool>(true));
  for (const char* given : {"A", "BB", "(C)", "8", "B or C"}) CHECK(equal_answers("letter", given, "(B)") == std::optional<bool>(false));
  CHECK_FALSE(equal_answers("letter", "B", "1").has_value());
  CHECK_FALSE(equal_answers("letter", "B", "both").has_value());
}
