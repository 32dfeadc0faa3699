// tokenizer.json files that lie, are broken, or ask for what is not supported: each refusal names its field.
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/file.h"
#include "base/json.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"

namespace assay {
namespace {

Json good_tokenizer() {
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
  Json json = good_tokenizer();
  change(json);
  check_refused(json, code, field);
}

TEST_CASE("the file that the others are made from is accepted") {
  const auto tokenizer = Tokenizer::parse(good_tokenizer().dump(), "t.json");
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
  refused_after([](Json& j) { j["model"]["type"] = "WordLevel"; }, Code::unsupported, "model.type");
  refused_after([](Json& j) { j["model"]["type"] = "Unigram"; }, Code::missing_field, "model.vocab");
  refused_after([](Json& j) { j["model"]["vocab"]["c"] = std::int64_t{1} << 31; }, Code::out_of_range, "model.vocab");
  refused_after([](Json& j) { j.erase("model"); }, Code::missing_field, "model");
}

TEST_CASE("a broken Unigram or WordPiece model is refused") {
  const auto unigram = [](Json vocab, const std::string& field, Code code) {
    refused_after(
        [&](Json& j) {
          j["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", std::move(vocab)}};
          j["added_tokens"] = Json::array();
        },
        code, field);
  };
  unigram(Json::parse(R"([["a"]])"), "model.vocab[0]", Code::bad_value);
  unigram(Json::parse(R"([["a", "b"]])"), "model.vocab[0]", Code::bad_value);
  unigram(Json::parse(R"([["a", 0], ["a", 1]])"), "model.vocab[1]", Code::duplicate);
  unigram(Json::array(), "model.vocab", Code::missing_field);
  refused_after([](Json& j) { j["model"] = {{"type", "Unigram"}, {"unk_id", 7}, {"vocab", Json::parse(R"([["a", 0]])")}}; }, Code::bad_value,
                "unk_id");
  const auto words = [](Json model, const std::string& field, Code code) {
    refused_after([&](Json& j) { j["model"] = std::move(model); }, code, field);
  };
  words(Json::parse(R"({"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "?"})"), "model.unk_token", Code::bad_value);
  words(Json::parse(R"({"type": "WordPiece", "vocab": {"a": 0}})"), "unk_token", Code::missing_field);
  words(Json::parse(R"({"type": "WordPiece", "vocab": {"a": -1}, "unk_token": "a"})"), "model.vocab", Code::out_of_range);
}

TEST_CASE("a text of one letter is no quadratic work") {
  Json json = good_tokenizer();
  std::string token = "a";
  for (int id = 4; id < 20; ++id) {  // a power of two each
    json["model"]["merges"].push_back(token + " " + token);
    token += token;
    if (token.size() > 2048) break;
    json["model"]["vocab"][token] = id;
  }
  json["model"]["merges"].erase(json["model"]["merges"].size() - 1);
  json["added_tokens"] = Json::array();
  json["model"]["vocab"]["x"] = 3;
  const auto tokenizer = Tokenizer::parse(json.dump(), "t");
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->encode(std::string(std::size_t{1} << 20, 'a'), false).size() == (std::size_t{1} << 20) / 2048);
}

std::string corpus(const std::string& name) { return *read_file(ASSAY_TREE "/tests/fuzz/corpus/tokenizer/" + name); }

TEST_CASE("broken SentencePiece models are refused with their field") {
  const std::tuple<const char*, Code, const char*> cases[] = {
      {"spm-no-byte.model", Code::missing_field, "tokens"},     {"spm-minus-byte.model", Code::bad_value, "tokens[3]"},
      {"spm-nan.model", Code::bad_value, "pieces[3].score"},    {"spm-word.model", Code::unsupported, "trainer_spec.model_type"},
      {"spm-unused.model", Code::unsupported, "pieces"}};
  for (const auto& [name, code, field] : cases) {
    const auto tokenizer = Tokenizer::parse(corpus(name), name);
    INFO(name);
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.error().code == code);
    CHECK(tokenizer.error().field == field);
    CHECK(tokenizer.error().file == name);
  }
}

TEST_CASE("a SentencePiece model that ends anywhere is refused or whole") {
  const std::string whole = corpus("spm-charsmap.model");
  int accepted = 0;
  for (std::size_t n = 5; n < whole.size(); n += n < 200 ? 1 : 97) {
    const auto tokenizer = Tokenizer::parse(whole.substr(0, n), "t");
    if (tokenizer.ok())
      ++accepted;
    else
      CHECK_FALSE(tokenizer.error().message.empty());
  }
  CHECK(accepted > 0);  // cut between pieces it is a smaller model
  CHECK(accepted < 20);
}

TEST_CASE("broken tiktoken files are refused with their line") {
  const std::string good_ranks = corpus("bytes.tiktoken");
  const auto refused = [&](const std::string& text, Code code, const std::string& field) {
    const auto tokenizer = Tokenizer::parse(text, "t.tiktoken");
    INFO(text.substr(0, 60));
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.error().code == code);
    CHECK(tokenizer.error().field == field);
  };
  refused(good_ranks, Code::unsupported, "ranks");
  refused(good_ranks + "YWI= 256\n", Code::duplicate, "line 258");
  refused(good_ranks + "YWI= -1\n", Code::bad_value, "line 258");
  refused(good_ranks + "YWI= 2147483648\n", Code::out_of_range, "line 258");
  refused(good_ranks + "YWI= 99999999999999\n", Code::bad_value, "line 258");
  refused(good_ranks + "YWI 300\n", Code::bad_value, "line 258");
  refused(good_ranks + "YWI=\n", Code::bad_value, "line 258");
  refused(good_ranks + " 300\n", Code::bad_value, "line 258");
  refused(good_ranks.substr(0, 96), Code::bad_value, "line 14");
  refused(good_ranks.substr(0, good_ranks.find('\n') + 1), Code::missing_field, "ranks");
  refused("", Code::missing_field, "ranks");
}

TEST_CASE("broken tekken files are refused with their field") {
  const Json whole = Json::parse(corpus("tekken.json"));
  const auto refused = [&](auto change, const std::string& field) {
    Json json = whole;
    change(json);
    const auto tokenizer = Tokenizer::parse(json.dump(), "tekken.json");
    INFO(field);
    REQUIRE_FALSE(tokenizer.ok());
    CHECK(tokenizer.error().field == field);
    CHECK(tokenizer.error().file == "tekken.json");
  };
  refused([](Json& j) { j["config"]["default_vocab_size"] = 5000000; }, "config.default_vocab_size");
  refused([](Json& j) { j["config"]["default_num_special_tokens"] = -1; }, "config.default_vocab_size");
  refused([](Json& j) { j["config"]["default_vocab_size"] = 300; }, "vocab");
  refused([](Json& j) { j["config"]["version"] = "v11"; }, "special_tokens");
  refused([](Json& j) { j["config"]["pattern"] = "(a"; }, "pre_tokenizer");
  refused([](Json& j) { j["vocab"][3]["rank"] = 4; }, "vocab[3]");
  refused([](Json& j) { j["vocab"][3]["token_bytes"] = "A"; }, "vocab[3]");
  refused([](Json& j) { j["vocab"][3]["token_bytes"] = "AA=="; }, "tokens[8]");
  refused([](Json& j) { j["special_tokens"] = Json::parse(R"([{"rank": 9, "token_str": "<s>"}])"); }, "special_tokens[0]");
}

TEST_CASE("a table of normalizations that points anywhere is harmless") {
  std::string whole = corpus("spm-charsmap.model");
  const std::size_t table = whole.size() - 4096;  // within the trie
  for (std::size_t i = 0; i < 600; ++i) {
    std::string broken = whole;
    for (std::size_t k = 0; k < 4; ++k) broken[table + (i * 5 + k) % 4000] = static_cast<char>(0xFF - i % 7 * k);
    const auto tokenizer = Tokenizer::parse(broken, "t");
    if (tokenizer.ok()) CHECK(tokenizer->encode("ABab \tA\xC3\xA9", false).size() < 64);
  }
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
  Json json = good_tokenizer();
  json["normalizer"] = nested;
  CHECK(Tokenizer::parse(json.dump(), "t").error().code == Code::too_large);
}

Json with_regex(const std::string& regex) {
  Json json = good_tokenizer();
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
  Json json = good_tokenizer();
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
