// How Python shows and reckons answers, ZeroEval's rules built on it, drawn letters, and documents read part by part.
#include <nlohmann/json.hpp>

#include "suites/arithmetic.h"
#include "suites/document.h"
#include "suites/extract.h"
#include "suites/guess.h"
#include "suites/input.h"
#include "suites/json_text.h"
#include "suites/python_random.h"
#include "suites/score.h"
#include "tests/catch.h"

namespace {

using namespace assay;

std::string first_field(const std::string& output) {
  const auto found = extract({{"first-json-field", "answer", false, ""}}, output);
  return found ? found->answer : "(nothing)";
}

std::string shown(const std::string& json) { return python_text(Json::parse(json)); }

// Parts as "section/key=text", documents ended by "|".
std::string parts_of(const std::string& text, std::size_t chunk, bool* unterminated = nullptr, bool* broken = nullptr) {
  std::string out;
  DocumentSplitter splitter(
      [&](const DocumentPart& part) -> Status {
        out += part.section + "/" + part.key + "=" + std::string(part.text) + " ";
        return {};
      },
      [&]() -> Status {
        out += "|";
        return {};
      });
  for (std::size_t i = 0; i < text.size(); i += chunk) REQUIRE(splitter.add(std::string_view(text).substr(i, chunk)).ok());
  REQUIRE(splitter.finish().ok());
  if (unterminated != nullptr) *unterminated = splitter.unterminated();
  if (broken != nullptr) *broken = splitter.broken();
  return out;
}

Protocol guessing(const std::string& letters) {
  Protocol p;
  p.kind = ProtocolKind::generate;
  p.extractors = {{"first-regex", "answer is ([A-J])", false, ""}, {"guess", letters, false, ""}};
  p.equality = "text";
  p.metrics = {"accuracy", "no_answer"};
  return p;
}

std::vector<ScoredItem> scored(const Protocol& p, const std::vector<Item>& items, const std::vector<std::string>& outputs) {
  std::vector<ScoredItem> out;
  for (std::size_t i = 0; i < items.size(); ++i) out.push_back({&items[i], score_output(p, items[i], outputs[i])});
  return out;
}

Item lettered(const std::string& gold) {
  Item item;
  item.id = gold;
  item.gold = gold;
  return item;
}

}  // namespace

TEST_CASE("answer forms: JSON values as Python's str shows them") {
  CHECK(shown("\"plain 'text'\"") == "plain 'text'");
  CHECK(shown("[1, \"a\", true, null, 2.0]") == "[1, 'a', True, None, 2.0]");
  CHECK(shown("{\"b\": [\"it's\"], \"a\": false}") == "{'b': [\"it's\"], 'a': False}");
  CHECK(shown("{}") == "{}");
  CHECK(shown("-7") == "-7");
  CHECK(python_quoted("a'b\"c") == "'a\\'b\"c'");
  CHECK(python_quoted("a\nb\\\x01") == "'a\\nb\\\\\\x01'");
  CHECK(python_quoted("\xC3\xA9") == "'\xC3\xA9'");
  for (const auto& [value, text] : std::vector<std::pair<double, std::string>>{
           {1.0, "1.0"}, {0.1, "0.1"}, {1e16, "1e+16"}, {123456789012345.0, "123456789012345.0"}, {1e-5, "1e-05"}, {0.0001, "0.0001"}, {-2.5, "-2.5"}}) {
    CHECK(python_float(value) == text);
  }
}

TEST_CASE("answer forms: arithmetic as Python evaluates it") {
  const std::vector<std::pair<std::string, double>> right = {
      {"3/4", 0.75}, {"1/2 + 3", 3.5}, {"80/100 * 5", 4}, {"-2**2", -4}, {"2**-1", 0.5}, {"(1+2)*3/9", 1}, {"7//2", 3}, {"-7//2", -4}, {"00/1", 0}, {".5/5.", 0.1}, {"--3/1", 3}};
  for (const auto& [text, value] : right) {
    INFO(text);
    REQUIRE(arithmetic_value(text));
    CHECK(*arithmetic_value(text) == Approx(value));
  }
  for (const char* text : {"", "60/2 miles", "1/0", "05/10", "1//0", "3/", "(1/2", "1 2", "2*", "a/b", "50%/2", "9**9**9**9/1"}) {
    INFO(text);
    CHECK_FALSE(arithmetic_value(text));
  }
  CHECK_FALSE(arithmetic_value(std::string(2000, '(')));
  CHECK_FALSE(arithmetic_value(std::string(200, '-') + "1/1"));
}

TEST_CASE("answer forms: the first JSON object that closes counts") {
  CHECK(first_field("x {\"answer\": \"a\"} then {\"answer\": \"b\"}") == "a");
  CHECK(first_field("{broken} {\"answer\": \"b\"}") == "(nothing)");
  CHECK(first_field("{\"answer\": [\"a\", 'b']") == "(nothing)");
  CHECK(first_field("} {\"reasoning\": \"{x}\", \"answer\":\n {\"k\": [1, \"v\"]}}") == "{'k': [1, 'v']}");
  CHECK(first_field("{\"answer\": null}") == "None");
  CHECK(first_field("{\"answer\": \"\"}").empty());
  CHECK(first_field("{\"reasoning\": 1}") == "(nothing)");
  CHECK(first_field("no braces") == "(nothing)");
}

TEST_CASE("answer forms: ZeroEval's equalities") {
  const auto same = [](const char* how, const char* a, const char* b) { return equal_answers(how, a, b).value_or(false); };
  CHECK(same("quoted-text", "'abc'", "\"abc\""));
  CHECK(same("quoted-text", "a\nb", "'a\\nb'"));
  CHECK(same("quoted-text", "", "''"));
  CHECK_FALSE(same("quoted-text", "abc ", "'abc'"));
  CHECK_FALSE(same("quoted-text", "1.0", "1"));
  CHECK(same("first-number", "$1,234.50 dollars", "1234.5"));
  CHECK(same("first-number", "3/4", "0.75"));
  CHECK(same("first-number", "60/2 miles", "60"));
  CHECK(same("first-number", "p-2", "-2"));
  CHECK_FALSE(same("first-number", "none", "2"));
  CHECK_FALSE(same("first-number", "", "2"));
  CHECK_FALSE(equal_answers("first-number", "2", "two").has_value());
  CHECK_FALSE(equal_answers("stored", "2", "2").has_value());
}

TEST_CASE("answer forms: lone letters from either end") {
  const auto found = [](const char* function, const char* text) {
    const auto result = extract({{function, "", false, ""}}, text);
    return result ? result->answer : "-";
  };
  CHECK(found("first-letter", "I think (B) or C") == "I");
  CHECK(found("last-letter", "so B, or C.") == "C");
  CHECK(found("last-letter", "so B, or C_ and CD D1") == "B");
  CHECK(found("last-letter", "K to Z") == "-");
  CHECK(found("first-letter", "A") == "A");
  // Letters of other scripts are letters: \xCE\x94 is a delta, \xC2\xB0 a degree sign, \xC2\xB5 micro.
  CHECK(found("last-letter", "\xCE\x94H A\xCE\xB1 \xC2\xB5""C") == "-");
  CHECK(found("last-letter", "25\xC2\xB0""C, \xE2\x80\x9C""B\xE2\x80\x9D x") == "B");
  CHECK(found("last-letter", "25\xC2\xB0""C") == "C");
  CHECK(found("first-letter", "\x80""D\x80") == "D");
}

TEST_CASE("answer forms: letters are drawn as Python's random.Random(seed).choice draws them") {
  // python3 -c 'import random; r = random.Random(0); print("".join(r.choice("ABCDEFGHIJ") for _ in range(12)))'
  for (const auto& [seed, letters] : std::vector<std::pair<int, std::string>>{{0, "GGAEIHGEHFJD"}, {1, "CJBEBHHHGDBH"}, {49, "BFGBFIIAAECH"}}) {
    PythonRandom random(static_cast<std::uint64_t>(seed));
    std::string drawn;
    for (int i = 0; i < 12; ++i) drawn += static_cast<char>('A' + random.below(10));
    CHECK(drawn == letters);
  }
}

TEST_CASE("answer forms: what is drawn counts by its share and shows its range") {
  const Protocol p = guessing("AB");
  const std::vector<Item> items = {lettered("A"), lettered("A"), lettered("B"), lettered("C")};
  auto rows = scored(p, items, {"the answer is A", "the answer is B", "who knows", "who knows"});
  const auto range = guess_answers(p, rows);
  REQUIRE(range);
  CHECK(range->guessed == 2);
  CHECK(range->low == 0.25);   // C is never drawn
  CHECK(range->high == 0.5);
  CHECK(*rows[0].score.score == 1);
  CHECK(*rows[1].score.score == 0);
  CHECK(*rows[2].score.score > 0.2);
  CHECK(*rows[2].score.score < 0.8);
  CHECK(*rows[3].score.score == 0);
  CHECK(rows[2].score.correct == false);
  CHECK_FALSE(rows[2].score.extracted);
  const auto metrics = aggregate(p, rows);
  CHECK(metrics[0].value == Approx((1 + *rows[2].score.score) / 4));
  CHECK(metrics[1].value == 0.5);
  Protocol plain = p;
  plain.extractors.pop_back();
  auto others = scored(plain, items, {"the answer is A", "x", "x", "x"});
  CHECK_FALSE(guess_answers(plain, others));
  CHECK(*others[1].score.score == 0);
}

TEST_CASE("documents: two levels deep, in any chunks") {
  const std::string text = R"({"canary": "a,b:{", "outputs": [{"x": [1, {"y": 2}]}, "s,]", 3], "eval": {"H/0": {"d": null}, "H\/1": [true, "}"]}, "n": 3.50, "none": {}, "nil": []})";
  const std::string expected =
      R"(canary/="a,b:{" outputs/0={"x": [1, {"y": 2}]} outputs/1="s,]" outputs/2=3 eval/H/0={"d": null} eval/H/1=[true, "}"] n/=3.50 |)";
  for (std::size_t chunk = 1; chunk <= text.size(); chunk += 5) CHECK(parts_of(text, chunk) == expected);
  CHECK(parts_of("\xEF\xBB\xBF {\n\"a\" : 1 }\n{\"b\": {\"c\" : \"\\\"\" } }\n", 3) == R"(a/=1 |b/c="\"" |)");
  CHECK(parts_of("[{\"a\": 1}, {\"a\": 2}]", 4) == "a/=1 |a/=2 |");
}

TEST_CASE("documents: what is cut or no object says so") {
  bool cut = false, broken = false;
  CHECK(parts_of(R"({"eval": {"a": 1, "b": {"c")", 100, &cut, &broken) == "eval/a=1 |");
  CHECK(cut);
  CHECK_FALSE(broken);
  CHECK(parts_of("nonsense", 100, &cut, &broken).empty());
  CHECK_FALSE(cut);
  CHECK(broken);
  CHECK(parts_of("", 1, &cut).empty());
  DocumentSplitter small([](const DocumentPart&) -> Status { return {}; }, []() -> Status { return {}; }, 8);
  CHECK(small.add(R"({"a": {"b": "0123456789"}})").error().code == Code::too_large);
}

TEST_CASE("input: tables come row by row in any chunks") {
  const std::string text = "a,\"b \"\"c\"\"\",\"d\r\ne\"\r\n\r\n1,,\"3\"\n\"x\"y,2,";
  for (std::size_t chunk = 1; chunk <= text.size(); chunk += 2) {
    std::vector<CsvSplitter::Row> rows;
    CsvSplitter splitter([&](CsvSplitter::Row row) -> Status {
      rows.push_back(std::move(row));
      return {};
    });
    for (std::size_t i = 0; i < text.size(); i += chunk) REQUIRE(splitter.add(std::string_view(text).substr(i, chunk)).ok());
    REQUIRE(splitter.finish().ok());
    CHECK(rows == std::vector<CsvSplitter::Row>{{"a", "b \"c\"", "d\r\ne"}, {"1", "", "3"}, {"xy", "2", ""}});
    CHECK_FALSE(splitter.unterminated());
  }
  CsvSplitter small([](CsvSplitter::Row) -> Status { return {}; }, ',', 4);
  CHECK(small.add("123456").error().code == Code::too_large);
}
