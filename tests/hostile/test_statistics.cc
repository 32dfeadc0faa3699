// Every fault of the input of `assay stats` is refused with its code and field.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/statistics.h"
#include "tests/catch.h"

namespace {

struct BadCall {
  const char* name;
  const char* text;
  assay::Code code;
  const char* field;
};

constexpr auto kValue = assay::Code::bad_value;
constexpr auto kMissing = assay::Code::missing_field;

const BadCall kBadCalls[] = {
    {"proportion", R"({"n": 10, "method": "wilson"})", kMissing, "k"},
    {"proportion", R"({"k": 1, "method": "wilson"})", kMissing, "n"},
    {"proportion", R"({"k": 1, "n": 10})", kMissing, "method"},
    {"proportion", R"({"k": 11, "n": 10, "method": "wilson"})", kValue, "k"},
    {"proportion", R"({"k": -1, "n": 10, "method": "wilson"})", kValue, "k"},
    {"proportion", R"({"k": 0, "n": 0, "method": "wilson"})", kValue, "n"},
    {"proportion", R"({"k": 1.5, "n": 10, "method": "wilson"})", kValue, "k"},
    {"proportion", R"({"k": "1", "n": 10, "method": "wilson"})", kValue, "k"},
    {"proportion", R"({"k": 1, "n": 10000000000, "method": "wilson"})", kValue, "n"},
    {"proportion", R"({"k": 1, "n": 10, "method": "wald"})", kValue, "method"},
    {"proportion", R"({"k": 1, "n": 10, "method": "wilson", "level": 1})", kValue, "level"},
    {"proportion", R"({"k": 1, "n": 10, "method": "wilson", "level": 0})", kValue, "level"},
    {"proportion", R"({"k": 1, "n": 10, "method": "wilson", "level": null})", kValue, "level"},
    {"proportion", R"([1, 10])", kValue, "n"},
    {"binomial", R"({"k": 1, "n": 10, "alternative": "less"})", kMissing, "p0"},
    {"binomial", R"({"k": 1, "n": 10, "p0": 1.5, "alternative": "less"})", kValue, "p0"},
    {"binomial", R"({"k": 1, "n": 10, "p0": -0.1, "alternative": "less"})", kValue, "p0"},
    {"binomial", R"({"k": 1, "n": 10, "p0": 0.5, "alternative": "smaller"})", kValue, "alternative"},
    {"binomial", R"({"k": 1, "n": 10, "p0": 0.5})", kMissing, "alternative"},
    {"mcnemar", R"({"b": 1})", kMissing, "c"},
    {"mcnemar", R"({"b": -1, "c": 0})", kValue, "b"},
    {"paired", R"({"a": [1, 0]})", kMissing, "b"},
    {"paired", R"({"a": [], "b": []})", kValue, "a"},
    {"paired", R"({"a": [1], "b": [1, 0]})", kValue, "b"},
    {"paired", R"({"a": [1, null], "b": [1, 0]})", kValue, "a[1]"},
    {"paired", R"({"a": [1, true], "b": [1, 0]})", kValue, "a[1]"},
    {"paired", R"({"a": [1, 1e300], "b": [1, 0]})", kValue, "a[1]"},
    {"paired", R"({"a": [1, 0], "b": [1, 0], "cluster": [1]})", kValue, "cluster"},
    {"paired", R"({"a": [1, 0], "b": [1, 0], "cluster": [1, 0.5]})", kValue, "cluster[1]"},
    {"paired", R"({"a": 1, "b": [1, 0]})", kValue, "a"},
    {"cluster", R"({"value": [1, 2]})", kMissing, "cluster"},
    {"cluster", R"({"cluster": [1, 2]})", kMissing, "value"},
    {"tost", R"({"delta": 0, "se": -1, "margin": 1, "alpha": 0.05})", kValue, "se"},
    {"tost", R"({"delta": 0, "se": 1, "margin": -1, "alpha": 0.05})", kValue, "margin"},
    {"tost", R"({"delta": 0, "se": 1, "margin": 1, "alpha": 0})", kValue, "alpha"},
    {"tost", R"({"delta": 0, "se": 1, "margin": 1})", kMissing, "alpha"},
    {"holm", R"({"p": []})", kValue, "p"},
    {"holm", R"({"p": [0.5, 1.5]})", kValue, "p[1]"},
    {"bh", R"({"p": [0.5, "x"]})", kValue, "p[1]"},
    {"bh", R"({})", kMissing, "p"},
    {"power", R"({"p0": 0.5, "p1": 0.4, "alpha": 0.05, "power": 0.8, "alternative": "greater"})", kValue,
     "p1"},
    {"power", R"({"p0": 0.5, "p1": 0.5, "alpha": 0.05, "power": 0.8, "alternative": "less"})", kValue, "p1"},
    {"power", R"({"p0": 0.5, "p1": 0.6, "alpha": 0.05, "power": 1, "alternative": "greater"})", kValue,
     "power"},
    {"power", R"({"p0": 0.5, "p1": 0.6, "alpha": 0.05, "power": 0.8, "alternative": "two-sided"})", kValue,
     "alternative"},
    {"power", R"({"p0": 0.5, "p1": 0.5000001, "alpha": 0.05, "power": 0.8, "alternative": "greater"})",
     assay::Code::too_large, "p1"},
    {"passk", R"({"n": [5], "c": [6], "k": 1})", kValue, "c[0]"},
    {"passk", R"({"n": [5], "c": [1], "k": 6})", kValue, "k"},
    {"passk", R"({"n": [5], "c": [1, 2], "k": 1})", kValue, "c"},
    {"passk", R"({"n": [5, 0], "c": [1, 0], "k": 1})", kValue, "n[1]"},
    {"passk", R"({"n": [], "c": [], "k": 1})", kValue, "n"},
    {"possible", R"({"published": 89.3, "n": 10})", kValue, "published"},
    {"possible", R"({"published": "-1", "n": 10})", kValue, "published"},
    {"possible", R"({"published": "1e2", "n": 10})", kValue, "published"},
    {"possible", R"({"published": ".", "n": 10})", kValue, "published"},
    {"possible", R"({"published": "", "n": 10})", kValue, "published"},
    {"possible", R"({"published": "1.2.3", "n": 10})", kValue, "published"},
    {"possible", R"({"published": "0.1234567890123", "n": 10})", kValue, "published"},
    {"possible", R"({"published": "50", "n": 0})", kValue, "n"},
    {"possible", R"({"published": "50", "n": 10, "samples": 0})", kValue, "samples"},
    {"possible", R"({"published": "50", "n": 10, "scale": 2.5})", kValue, "scale"},
    {"possible", R"({"n": 10})", kMissing, "published"},
};

TEST_CASE("statistics: every bad input is refused, with its field") {
  for (const BadCall& bad : kBadCalls) {
    INFO(bad.name << " " << bad.text);
    const auto in = assay::parse_json(bad.text, "in.json");
    REQUIRE(in.ok());
    const auto out = assay::run_statistic(bad.name, *in, "in.json", 1);
    REQUIRE_FALSE(out.ok());
    CHECK(out.error().code == bad.code);
    CHECK(out.error().field == bad.field);
    CHECK(out.error().file == (bad.code == assay::Code::too_large ? "" : "in.json"));
    CHECK_FALSE(out.error().got.empty());
  }
}

TEST_CASE("statistics: an unknown name is a fault of usage that lists the known ones") {
  const auto out = assay::run_statistic("anova", assay::Json::object(), "in.json", 1);
  REQUIRE_FALSE(out.ok());
  CHECK(out.error().code == assay::Code::usage);
  CHECK(out.error().expected.find("proportion") != std::string::npos);
}

}  // namespace
