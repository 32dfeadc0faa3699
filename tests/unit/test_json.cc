#include "base/json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/catch.h"

using namespace assay;

namespace {

Code code_of(std::string_view text, const JsonLimits& limits = {}) {
  const auto result = parse_json(text, "f.json", limits);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().file == "f.json");
  return result.error().code;
}

}  // namespace

TEST_CASE("json: what is no JSON is refused with the byte offset") {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,}", "NaN", "{\"eps\": NaN}", "[Infinity]", "[1] x",
                           "// c\n1", "'a'", "[01]", "tru", "\"\\ud800\""}) {
    INFO(text);
    CHECK(code_of(text) == Code::bad_json);
  }
  const auto result = parse_json("{\"a\": nope}", "f.json");
  CHECK(result.error().offset >= 6);
  const auto zero = parse_json(std::string_view("{}\0x", 4), "f.json");  // some parsers stop at a zero byte
  REQUIRE_FALSE(zero.ok());
  CHECK(zero.error().code == Code::bad_json);
  CHECK(zero.error().offset == 2);
}

TEST_CASE("json: broken UTF-8, duplicate keys, numbers beyond a double") {
  CHECK(code_of("\"\xff\xfe\"") == Code::bad_utf8);
  CHECK(code_of("{\"a\":1,\"a\":2}") == Code::duplicate);
  CHECK(code_of("{\"b\":{\"a\":1,\"c\":0,\"a\":2}}") == Code::duplicate);
  CHECK(code_of("[1e999]") == Code::bad_json);
  CHECK(parse_json("{\"a\":{\"x\":1},\"b\":{\"x\":1}}", "f").ok());
}

TEST_CASE("json: limits on bytes, depth and values") {
  CHECK(code_of("[1,2,3]", {.max_bytes = 3}) == Code::too_large);
  CHECK(code_of(std::string(100000, '['), {}) == Code::too_large);
  CHECK(code_of("[1,2,3,4]", {.max_values = 4}) == Code::too_large);
  const std::string nested = std::string(64, '[') + std::string(64, ']');
  CHECK(parse_json(nested, "f").ok());
  CHECK(code_of("[" + nested + "]") == Code::too_large);
}

TEST_CASE("json: typed members name the field and what was found") {
  const Json object = *parse_json(
      R"({"n": 3, "x": 1.5, "s": "t", "b": true, "big": 18446744073709551615, "nul": null})", "f");
  CHECK(*json_int(object, "n", "f") == 3);
  CHECK(*json_number(object, "n", "f") == 3.0);
  CHECK(*json_number(object, "x", "f") == 1.5);
  CHECK(*json_string(object, "s", "f") == "t");
  CHECK(*json_bool(object, "b", "f"));
  CHECK(json_int(object, "absent", "f").error().code == Code::missing_field);
  const auto wrong = json_int(object, "x", "f.json");
  CHECK(wrong.error().code == Code::bad_value);
  CHECK(wrong.error().field == "x");
  CHECK(wrong.error().got == "1.5");
  CHECK_FALSE(json_int(object, "big", "f").ok());
  CHECK_FALSE(json_number(object, "s", "f").ok());
  CHECK_FALSE(json_string(object, "nul", "f").ok());
  CHECK_FALSE(json_bool(object, "n", "f").ok());
  CHECK_FALSE(json_int(Json::array(), "n", "f").ok());
}

TEST_CASE("json: numbers round-trip, keys keep their order, NaN becomes null") {
  for (const double x : {0.1, 1.0 / 3, 1e-300, 4.9e-324, 1.7976931348623157e308, -0.0}) {
    CHECK(parse_json(dump_json(Json(x)), "f").value().get<double>() == x);
  }
  CHECK(dump_json(*parse_json(R"({"z":1,"a":2})", "f")) == R"({"z":1,"a":2})");
  CHECK(finite_or_null(std::nan("")).is_null());
  CHECK(finite_or_null(std::numeric_limits<double>::infinity()).is_null());
  CHECK(finite_or_null(2.5) == 2.5);
  CHECK(dump_json(Json("\xff")).find("\xff") == std::string::npos);
}
