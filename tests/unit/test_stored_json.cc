// Records as they are found in files of stored outputs: JSON as Python writes it, dotted paths, and several outputs of one item.
#include <nlohmann/json.hpp>

#include "eval/replay/stored_parts.h"
#include "tests/catch.h"

namespace {

using namespace assay;

StoredOutput one_of(const std::string& id, std::optional<std::int64_t> sample, std::optional<std::string> text, double value) {
  StoredOutput out;
  out.id = id;
  out.sample = sample;
  out.output = std::move(text);
  out.values = {{"accuracy,scorer", value}};
  return out;
}

}  // namespace

TEST_CASE("stored json: what Python writes and what no parser should build") {
  CHECK(parse_stored(R"({"a": NaN, "b": [-Infinity, Infinity], "NaN": "NaN \" Infinity"})") ==
        Json::parse(R"({"a": null, "b": [null, null], "NaN": "NaN \" Infinity"})"));
  CHECK(parse_stored("NaN").is_null());
  CHECK(parse_stored("Nan").is_discarded());
  CHECK(parse_stored("{broken").is_discarded());
  CHECK(parse_stored("\"\xFF\"").is_discarded());
  CHECK(parse_stored(std::string(90, '[') + std::string(90, ']')).is_array());
  CHECK(parse_stored(std::string(101, '[') + std::string(101, ']')).is_discarded());
  CHECK(parse_stored(std::string(5'000'000, '[')).is_discarded());
  CHECK(parse_stored("\"" + std::string(200, '[') + "\"").is_string());
}

// Two parsers work on a record, and nobody may see which: values, kinds of numbers and what is refused.
TEST_CASE("stored json: the fast parser reads what the other reads") {
  const char* const texts[] = {
      R"({"a": 1, "b": -1, "c": 0, "d": -0, "e": 1.0, "f": -0.0, "g": 1e3, "h": 18446744073709551615, "i": -9223372036854775808})",
      "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "1e400", "-1e400", "1e-400", "0.1", "2.2250738585072011e-308",
      R"({"a": 1, "b": 2, "a": [3]})", R"({"": {"": []}})", "[]", "{}", "[[], {}, [null, true, false]]", " \r\n\t 7 ", "7 8", "", " ", "[1,]", "{\"a\":}", "01", "+1", ".5", "1.",
      R"("\u0041\u00e9\u20ac")", R"("\ud83d\ude00")", R"("\uD83D\uDE00")", R"("\ud83d")", R"("\udc00")", R"("\ud83d\u0041")", R"("a\u0000b")", R"("\x")", R"("\/\b\f\n\r\t\"\\")",
      "\"a\tb\"", "\"a\nb\"", "\"\x7f\"", "\"\xc3\xa9\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\xef\xbb\xbf{}", "tru", "nul", "truex", "'a'", "{a: 1}", "[1 2]", "/**/1", "\"a", "[", "]"};
  for (const char* const text : texts) {
    INFO(text);
    const Json expected = Json::parse(text, nullptr, false), got = parse_stored(text);
    REQUIRE(got.is_discarded() == expected.is_discarded());
    if (expected.is_discarded()) continue;
    CHECK(got.type() == expected.type());
    CHECK(got.dump() == expected.dump());
  }
  const Json numbers = parse_stored("[1, -1, 1.0, 18446744073709551615]");
  CHECK(numbers[0].is_number_unsigned());
  CHECK(numbers[1].type() == Json::value_t::number_integer);
  CHECK(numbers[2].is_number_float());
  CHECK(numbers[3].get<std::uint64_t>() == 18446744073709551615u);
}

TEST_CASE("stored json: dotted paths reach into objects and arrays, a member of that very name wins") {
  const Json record = Json::parse(R"({"a": {"b": [{"c": 7}, "x"]}, "a.b": "own", "d": [], "e": {"0": "zero"}})");
  const std::pair<const char*, std::optional<std::string>> cases[] = {
      {"a.b", "own"}, {"a.b.0.c", "7"}, {"a.b.1", "x"}, {"a.b.2", std::nullopt}, {"a.b.-1", std::nullopt}, {"a.b.x", std::nullopt},
      {"a.", std::nullopt}, {"", std::nullopt}, {"d", std::nullopt}, {"d.0", std::nullopt}, {"e.0", "zero"}, {"a.b.0.c.d", std::nullopt}};
  for (const auto& [path, expected] : cases) {
    INFO(path);
    CHECK(record_text(record, path) == expected);
  }
}

TEST_CASE("stored samples: records of one item become one, what cannot be one stays") {
  std::vector<StoredOutput> got;
  const StoredSink sink([&](StoredOutput output) -> Status {
    got.push_back(std::move(output));
    return {};
  });
  SampleFolder folder(sink);
  for (auto& output : {one_of("a", 0, "x", 1), one_of("b", 0, "only", 1), one_of("a", 1, "y", 0), one_of("a", 1, "again", 1),
                       one_of("c", 0, std::nullopt, 0), one_of("d", std::nullopt, "plain", 0), one_of("a", 2, "z", 0)}) {
    REQUIRE(folder.add(output).ok());
  }
  REQUIRE(got.size() == 2);  // no text, no sample: handed on at once
  CHECK(got[0].id == "c");
  CHECK(got[1].id == "d");
  REQUIRE(folder.finish().ok());
  REQUIRE(got.size() == 5);
  REQUIRE(got[2].samples.size() == 3);
  CHECK(got[2].samples[1].output == "y");
  CHECK(got[2].samples[2].output == "z");
  CHECK_FALSE(got[2].output);
  CHECK(got[2].values == std::vector<std::pair<std::string, double>>{{"accuracy,scorer", 1.0 / 3}});
  CHECK(got[3].output == "only");
  CHECK(got[3].samples.empty());
  CHECK(got[4].output == "again");  // sample 1 a second time
}
