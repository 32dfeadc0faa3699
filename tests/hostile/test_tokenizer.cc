// tokenizer.json files that lie, are broken, or ask for what is not supported: each refusal names its field.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"

namespace assay {
namespace {

Json good() {
  return Json::parse(R"({"added_tokens": [{"id": 3, "content": "<x>", "special": true}], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}

void check_refused(const Json& json, Code code, const std::string& field) {
  const auto tokenizer = Tokenizer::parse(json.dump(), "t.json");
  INFO(json.dump().substr(0, 300));
  REQUIRE_FALSE(tokenizer.ok());
  CHECK(tokenizer.error().code == code);
  CHECK(tokenizer.error().field == field);
  CHECK(tokenizer.error().file == "t.json");
}

template <class Change>
void refused_after(Change change, Code code, const std::string& field) {
  Json json = good();
  change(json);
  check_refused(json, code, field);
}

TEST_CASE("the file that the others are made from is accepted") {
  const auto tokenizer = Tokenizer::parse(good().dump(), "t.json");
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->encode("ab<x>a", true) == std::vector<int>{2, 3, 0});
  CHECK(tokenizer->vocab_size() == 4);
  CHECK_FALSE(tokenizer->has_id(4));
  CHECK_FALSE(tokenizer->has_id(-1));
}

TEST_CASE("a broken model is refused") {
  refused_after([](Json& j) { j["model"]["merges"] = Json::array({"a c"}); }, Code::bad_value, "model.merges[0]");
  refused_after([](Json& j) { j["model"]["merges"] = Json::array({"b a"}); }, Code::bad_value, "model.merges[0]");
  refused_after([](Json& j) { j["model"]["merges"] = Json::array({"ab"}); }, Code::bad_value, "model.merges[0]");
  refused_after([](Json& j) { j["model"]["merges"] = Json::array({Json::array({"a", 1})}); }, Code::bad_value, "model.merges[0]");
  refused_after([](Json& j) { j["model"].erase("merges"); }, Code::missing_field, "model.merges");
  refused_after([](Json& j) { j["model"].erase("vocab"); }, Code::missing_field, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"]["c"] = 2; }, Code::duplicate, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"]["c"] = -1; }, Code::out_of_range, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"]["c"] = 4000000000; }, Code::out_of_range, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"]["c"] = "5"; }, Code::out_of_range, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"][std::string(5000, 'x')] = 9; }, Code::too_large, "model.vocab");
  refused_after([](Json& j) { j["model"]["unk_token"] = "?"; }, Code::bad_value, "model.unk_token");
  refused_after([](Json& j) { j["model"]["dropout"] = 0.1; }, Code::unsupported, "model.dropout");
  refused_after([](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, Code::unsupported, "model.end_of_word_suffix");
  refused_after([](Json& j) { j["model"]["type"] = "Unigram"; }, Code::unsupported, "model.type");
  refused_after([](Json& j) { j.erase("model"); }, Code::missing_field, "model");
}

TEST_CASE("added tokens that do not fit are refused") {
  refused_after([](Json& j) { j["added_tokens"][0]["id"] = 9; }, Code::out_of_range, "added_tokens");
  refused_after([](Json& j) { j["added_tokens"][0]["id"] = -3; }, Code::out_of_range, "added_tokens[0]");
  refused_after([](Json& j) { j["added_tokens"][0].erase("content"); }, Code::missing_field, "added_tokens[0].content");
  refused_after([](Json& j) { j["added_tokens"] = 5; }, Code::bad_value, "added_tokens");
  refused_after([](Json& j) { j["added_tokens"][0]["content"] = std::string(2000, 'x'); }, Code::too_large, "added_tokens[0]");
}

TEST_CASE("unknown kinds are refused by name") {
  for (const char* part : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    refused_after([&](Json& j) { j[part] = {{"type", "Mystery"}}; }, Code::unsupported, part);
    refused_after([&](Json& j) { j[part] = {{"kind", "x"}}; }, Code::missing_field, std::string(part) + ".type");
    refused_after([&](Json& j) { j[part] = 5; }, Code::bad_value, std::string(part) + ".type");
  }
  Json nested = Json::object({{"type", "NFC"}});
  for (int i = 0; i < 20; ++i) nested = Json::object({{"type", "Sequence"}, {"normalizers", Json::array({nested})}});
  Json json = good();
  json["normalizer"] = nested;
  CHECK(Tokenizer::parse(json.dump(), "t").error().code == Code::too_large);
}

Json with_regex(const std::string& regex) {
  Json json = good();
  json["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}};
  return json;
}

TEST_CASE("regular expressions are checked and bounded") {
  check_refused(with_regex("(a"), Code::bad_value, "pre_tokenizer.pattern");
  check_refused(with_regex("a\\"), Code::unsupported, "pre_tokenizer.pattern");
  check_refused(with_regex("\\p{Klingon}"), Code::unsupported, "pre_tokenizer.pattern");
  check_refused(with_regex("(a)\\1"), Code::unsupported, "pre_tokenizer.pattern");
  check_refused(with_regex("[a&&b]"), Code::unsupported, "pre_tokenizer.pattern");
  check_refused(with_regex(std::string(20000, 'a')), Code::too_large, "pre_tokenizer.pattern");
  const auto slow = Tokenizer::parse(with_regex("(?:a+)+[bc]").dump(), "t");
  REQUIRE(slow.ok());
  const std::string text(64, 'a');
  CHECK(slow->try_encode(text, false).error().code == Code::too_large);
  CHECK(slow->encode(text, false).size() == 64);
}

TEST_CASE("long and ill-formed texts are encoded") {
  Json json = good();
  json["model"]["vocab"]["aa"] = 4;
  json["model"]["merges"] = Json::array({"a a"});
  json["added_tokens"] = Json::array();
  const auto tokenizer = Tokenizer::parse(json.dump(), "t");
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->encode(std::string(100001, 'a'), false).size() == 50001);
  CHECK(tokenizer->encode("\xff\x80 a", false) == std::vector<int>{0});
  CHECK(tokenizer->encode("", true).empty());
  CHECK(tokenizer->decode({0, 99, -5, 1}, false) == "a b");  // no decoder: joined with spaces, as the library does
}

TEST_CASE("files that are no tokenizer.json are refused") {
  CHECK(Tokenizer::parse("{", "t").error().code == Code::bad_json);
  CHECK(Tokenizer::parse("[]", "t").error().code == Code::missing_field);
  CHECK(Tokenizer::parse(R"({"model": {"vocab": {"\ud800": 1}}})", "t").error().file == "t");
  CHECK(Tokenizer::load("/nonexistent").error().code == Code::not_found);
  CHECK(Tokenizer::load(ASSAY_TREE "/base").error().code == Code::not_found);
}

}  // namespace
}  // namespace assay
