// One rule of tokenisation a test, on tokenizers of a few tokens. The expected ids follow from the rules by hand;
// tests/oracle/tokenizer_rules.py shows that the `tokenizers` library gives the same.
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/tokenizer.h"
#include "reference/text/utf8.h"
#include "tests/catch.h"

using namespace assay;

namespace {

using RuleIds = std::vector<int>;

const Json& rules() {
  static const Json kAll = [] {
    auto json = read_json_file(ASSAY_TREE "/tests/golden/data/tokenizer_rules.json");
    REQUIRE(json.ok());
    return std::move(*json);
  }();
  return kAll;
}

// Every case of one rule: text, whether special tokens are added, ids, and (but for one rule, see the script) what
// they decode to.
void check_rule(const std::string& name) {
  const Json& rule = rules().at(name);
  const auto tokenizer = Tokenizer::parse(rule.at("tokenizer").dump(), name);
  if (!tokenizer.ok()) FAIL(tokenizer.error().text());
  REQUIRE(!rule.at("cases").empty());
  for (const Json& each : rule.at("cases")) {
    const auto text = each.at("text").get<std::string>();
    INFO(name << ": " << text.substr(0, 60));
    const auto ids = tokenizer->try_encode(text, each.at("special").get<bool>());
    REQUIRE(ids.ok());
    CHECK(*ids == each.at("ids").get<RuleIds>());
    if (!each.contains("decoded")) continue;
    CHECK(tokenizer->decode(each.at("ids").get<RuleIds>(), false) == each.at("decoded").get<std::string>());
    CHECK(tokenizer->decode(each.at("ids").get<RuleIds>(), true) == each.at("plain").get<std::string>());
  }
}

}  // namespace

TEST_CASE("tokenizer rules: the lowest rank merges first, the leftmost of equal ones") {
  check_rule("merge order");
}
TEST_CASE("tokenizer rules: long pieces merge in the same order") { check_rule("long pieces"); }
TEST_CASE("tokenizer rules: bytes stand for characters as GPT-2 maps them") { check_rule("byte characters"); }
TEST_CASE("tokenizer rules: a whole piece in the vocabulary wins where merges are ignored") {
  check_rule("ignore merges");
}
TEST_CASE("tokenizer rules: unknown characters fall back to their bytes") { check_rule("byte fallback"); }
TEST_CASE("tokenizer rules: unknown characters become one unknown token, fused in a run or not") {
  check_rule("unknown");
  check_rule("unknown fused");
}
TEST_CASE("tokenizer rules: of added tokens the longest is taken, wherever it stands") {
  check_rule("added longest");
}
TEST_CASE("tokenizer rules: a single word stands alone") { check_rule("added single word"); }
TEST_CASE("tokenizer rules: added tokens swallow the blanks on their open side") {
  check_rule("added strip");
}
TEST_CASE("tokenizer rules: normalized added tokens are found after normalization") {
  check_rule("added normalized");
}
TEST_CASE("tokenizer rules: BOS and EOS stand where the template says") { check_rule("template"); }
TEST_CASE("tokenizer rules: digits one by one or together") {
  check_rule("digits alone");
  check_rule("digits together");
}
TEST_CASE("tokenizer rules: GPT-2's pattern leaves the last of several blanks to the next word") {
  check_rule("byte level");
}
TEST_CASE("tokenizer rules: matches are isolated, removed, or merged with a neighbour") {
  check_rule("split isolated");
  check_rule("split removed");
  check_rule("split previous");
  check_rule("split next");
  check_rule("split contiguous");
}
TEST_CASE("tokenizer rules: the first blank of a text is put in front always, first or never") {
  check_rule("metaspace always");
  check_rule("metaspace first");
  check_rule("metaspace never");
}
TEST_CASE("tokenizer rules: canonical composition keeps compatibility characters apart") {
  check_rule("nfc");
}

TEST_CASE("tokenizer rules: a stream gives no part of a character") {
  const auto tokenizer = Tokenizer::parse(rules().at("byte characters").at("tokenizer").dump(), "t");
  REQUIRE(tokenizer.ok());
  StreamDecoder stream(*tokenizer);
  CHECK(stream.add('a') == "a");
  for (const int byte : {0xF0, 0x9D, 0x84}) CHECK(stream.add(byte).empty());
  CHECK(stream.add(0x9E) == "\xF0\x9D\x84\x9E");
  CHECK(stream.add(0xE2).empty());
  CHECK(stream.add('b') ==
        "\xEF\xBF\xBD"
        "b");  // the open character cannot be finished any more
  CHECK(stream.add(0xC3).empty());
  CHECK(stream.finish() == "\xEF\xBF\xBD");
}

TEST_CASE("utf8: surrogates, overlong forms and what lies past U+10FFFF are no characters") {
  for (const char* good :
       {"\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xC2\x80", "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    INFO(good);
    CHECK(valid_utf8(good));
  }
  for (const char* bad : {"\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xC1\xBF", "\xE0\x9F\xBF",
                          "\xF0\x8F\xBF\xBF", "\xFF"}) {
    INFO(bad);
    CHECK_FALSE(valid_utf8(bad));
  }
}
