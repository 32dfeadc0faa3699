// Published and tiny tokenizers with expected ids (../shared/tokenizers), read from where they lie.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"

namespace assay {
namespace {

TEST_CASE("tiny tokenizers give the expected ids and text, other kinds are refused by name") {
  const std::string folder = ASSAY_SHARED "/tokenizers/neural-api-tiny/";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: " << folder << " is not here");
    return;
  }
  const auto table = read_json_file(folder + "hf_tokenizer_cases.json");
  REQUIRE(table.ok());
  int same = 0, refused = 0;
  for (const auto& [name, entry] : table->items()) {
    INFO(name);
    const auto tokenizer = Tokenizer::load(folder + entry.at("tokenizer").get<std::string>());
    if (!tokenizer.ok()) {
      CHECK(tokenizer.error().code == Code::unsupported);
      ++refused;
      continue;
    }
    for (const Json& one : entry.at("cases")) {
      const auto text = one.at("text").get<std::string>();
      INFO(text);
      const auto ids = one.at("ids").get<std::vector<int>>();
      REQUIRE(tokenizer->encode(text, false) == ids);
      if (one.contains("decoded")) CHECK(tokenizer->decode(ids, true) == one.at("decoded").get<std::string>());
      ++same;
    }
  }
  CHECK(refused == 5);  // Unigram, WordPiece and three SentencePiece models
  CHECK(same > 100);
}

TEST_CASE("OLMoE's tokenizer gives the ids of transformers' test") {
  const std::string path = ASSAY_SHARED "/tokenizers/olmo/allenai_gpt-neox-olmo-dolma-v1_5.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: " << path << " is not here");
    return;
  }
  const auto tokenizer = Tokenizer::load(path);
  REQUIRE(tokenizer.ok());
  const std::vector<std::pair<std::string, std::vector<int>>> cases = {
      {"This is a test", {1552, 310, 247, 1071}}, {"A sample test", {34, 3410, 1071}}, {"Hi  Hello", {12764, 50276, 12092}},
      {"Hi   Hello", {12764, 50275, 12092}},      {" ", {209}},                        {"  ", {50276}},
      {" Hello", {24387}},                        {"", {}},                            {"生活的真谛是", {20025, 46549, 5225, 48561, 33656, 238, 12105}}};
  for (const auto& [text, ids] : cases) CHECK(tokenizer->encode(text, false) == ids);
}

}  // namespace
}  // namespace assay
