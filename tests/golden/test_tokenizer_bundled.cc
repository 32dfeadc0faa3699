// The bundled tokenizer against the `tokenizers` library (tests/oracle/tokenizer_goldens.py).
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"

namespace assay {
namespace {

std::vector<Json> rows_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<Json> rows;
  for (std::string line; std::getline(file, line);) rows.push_back(*parse_json(line, path));
  return rows;
}

TEST_CASE("bundled tokenizer: ids and decoded text are the library's") {
  const auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  const auto rows = rows_of(ASSAY_TREE "/tests/golden/data/tokenizer_bundled.jsonl");
  REQUIRE(rows.size() == 300);
  for (const Json& row : rows) {
    const auto text = row.at("text").get<std::string>();
    const auto ids = row.at("ids").get<std::vector<int>>();
    INFO(text);
    REQUIRE(*tokenizer->try_encode(text, true) == ids);
    REQUIRE(tokenizer->encode(text, false) == std::vector<int>(ids.begin() + 1, ids.end()));
    REQUIRE(tokenizer->decode(ids, false) == row.at("decoded").get<std::string>());
    REQUIRE(tokenizer->decode(ids, false) == tokenizer->bos_token() + text);
  }
}

TEST_CASE("bundled tokenizer: special tokens come from the files beside it") {
  const auto tokenizer = Tokenizer::load(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->bos_id() == 0);
  CHECK(tokenizer->eos_id() == 1);
  CHECK(tokenizer->bos_token() == "<|bos|>");
  CHECK(tokenizer->eos_token() == "<|eos|>");
  CHECK(tokenizer->vocab_size() == 1024);
  CHECK(tokenizer->is_special(3));
  CHECK_FALSE(tokenizer->is_special(100));
  CHECK(tokenizer->decode({0, 46, 372, 85, 1}, true) == "Hello");
  CHECK(tokenizer->digest() == Tokenizer::load(ASSAY_TREE "/suites/data/demo/model-fp8")->digest());
}

}  // namespace
}  // namespace assay
