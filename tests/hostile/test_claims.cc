// A ledger that cannot be used is refused with the claim's field; nothing of it is taken.
#include <nlohmann/json.hpp>

#include "eval/claims/claim.h"
#include "tests/catch.h"

namespace {

using namespace assay;

struct Bad {
  const char* text;
  Code code;
  const char* field;
};

const Bad kBad[] = {
    {R"([])", Code::bad_value, "claims"},
    {R"(7)", Code::bad_value, "claims"},
    {R"({"claims": "none"})", Code::bad_value, "claims"},
    {R"([{"model": "m", "suite": "s", "value": 1}])", Code::missing_field, "id"},
    {R"([{"id": "", "model": "m", "suite": "s", "value": 1}])", Code::bad_value, "id"},
    {R"([{"id": 5, "model": "m", "suite": "s", "value": 1}])", Code::bad_value, "id"},
    {R"([{"id": "a", "suite": "s", "value": 1}])", Code::missing_field, "model"},
    {R"([{"id": "a", "model": "m", "value": 1}])", Code::missing_field, "suite"},
    {R"([{"id": "a", "model": "m", "suite": "s"}])", Code::missing_field, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": null}])", Code::missing_field, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": "high"}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": true}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": []}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": [1, 2]}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": -3}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": "3/0"}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": "5/4"}])", Code::bad_value, "value"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "n": 0}])", Code::bad_value, "n"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "n": "many"}])", Code::bad_value, "n"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "samples": -1}])", Code::bad_value, "samples"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "scale": 7}])", Code::bad_value, "scale"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "relation": "near"}])", Code::bad_value,
     "relation"},
    {R"([{"id": "a", "model": "m", "suite": 4, "value": 1}])", Code::bad_value, "suite"},
    {R"([{"id": "a", "model": "m", "suite": "s", "value": 1}, {"id": "a", "model": "m", "suite": "s", "value": 2}])",
     Code::duplicate, "id"},
};

TEST_CASE("claims: a ledger that cannot be used is refused with its field") {
  for (const Bad& bad : kBad) {
    INFO(bad.text);
    const auto document = parse_json(bad.text, "ledger.json");
    REQUIRE(document.ok());
    const auto claims = parse_claims(*document, "ledger.json");
    REQUIRE_FALSE(claims.ok());
    CHECK(claims.error().code == bad.code);
    CHECK(claims.error().field == bad.field);
    CHECK(claims.error().file == "ledger.json");
  }
}

TEST_CASE("claims: overlong texts are refused") {
  const std::string text =
      R"([{"id": "a", "model": "m", "suite": "s", "value": 1, "source": ")" + std::string(5000, 'x') + "\"}]";
  const auto claims = parse_claims(*parse_json(text, "l"), "l");
  REQUIRE_FALSE(claims.ok());
  CHECK(claims.error().code == Code::too_large);
}

TEST_CASE("claims: printed figures keep their digits, unit and interval") {
  const auto figure = [](const char* text) { return *parse_figure(*parse_json(text, "f"), "f", "value"); };
  CHECK(figure("76.4").decimal.digits == 1);
  CHECK(figure("70.0").decimal.digits == 1);
  CHECK(figure("\"76.40 %\"").decimal.digits == 2);
  CHECK(figure("\"76.4\"").low == Approx(76.35));
  CHECK(figure("\"76.4\"").high == Approx(76.5));
  CHECK(figure("\"2.03M\"").value == Approx(2.03e6));
  CHECK(figure("\"2.03M\"").low == Approx(2.025e6));
  CHECK(figure("\"382/500\"").right == 382);
  CHECK(figure("\"382 / 500\"").of == 500);
}

}  // namespace
