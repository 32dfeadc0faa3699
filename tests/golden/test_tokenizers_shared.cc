// Published and tiny tokenizers with expected ids (../shared/tokenizers), read from where they lie.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "reference/text/mistral_chat.h"
#include "reference/text/tokenizer.h"
#include "suites/input.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

namespace assay {
namespace {

const std::string kTokenizersFolder = ASSAY_SHARED "/tokenizers/";

bool present(const std::string& path) {
  if (std::filesystem::exists(path)) return true;
  WARN("skipped: " << path << " is not here");
  return false;
}

std::vector<int> ints_of(const Json& list) { return list.get<std::vector<int>>(); }

TEST_CASE("tokenizers: all 18 tiny ones give the expected ids and text") {
  const std::string folder = kTokenizersFolder + "neural-api-tiny/";
  if (!present(folder)) return;
  const auto table = read_json_file(folder + "hf_tokenizer_cases.json");
  REQUIRE(table.ok());
  int files = 0, same = 0;
  for (const auto& [name, entry] : table->items()) {
    INFO(name);
    const auto tokenizer = Tokenizer::load(folder + entry.at("tokenizer").get<std::string>());
    REQUIRE(tokenizer.ok());
    ++files;
    for (const Json& one : entry.at("cases")) {
      const auto text = one.at("text").get<std::string>();
      INFO(text);
      const auto ids = ints_of(one.at("ids"));
      REQUIRE(tokenizer->encode(text, false) == ids);
      if (one.contains("decoded")) CHECK(tokenizer->decode(ids, true) == one.at("decoded").get<std::string>());
      ++same;
    }
  }
  CHECK(files == 18);
  CHECK(same == 291);
}

// ggerganov/llama.cpp, models/ggml-vocab-*.gguf.inp and .out: texts between marks, a line of ids for each.
std::vector<std::pair<std::string, std::vector<int>>> llama_cpp_cases(const std::string& name) {
  const std::string path = kTokenizersFolder + "llama.cpp-vocab/ggml-vocab-" + name + ".gguf";
  const std::string texts = *read_file(path + ".inp"), ids = *read_file(path + ".out");
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  std::vector<std::pair<std::string, std::vector<int>>> out;
  std::istringstream lines(ids);
  std::string line;
  for (std::size_t at = 0; at < texts.size() && std::getline(lines, line);) {
    const std::size_t end = std::min(texts.find(kMark, at), texts.size());
    std::istringstream numbers(line);
    out.emplace_back(texts.substr(at, end - at),
                     std::vector<int>(std::istream_iterator<int>(numbers), std::istream_iterator<int>()));
    at = end + kMark.size();
  }
  return out;
}

TEST_CASE("tokenizers: Qwen2, R1-Qwen, Llama 3 and Llama 2 give the ids of llama.cpp's tests") {
  const std::pair<std::string, std::string> files[] = {{"qwen2", "qwen/qwen.tiktoken"},
                                                       {"deepseek-r1-qwen", "qwen/qwen.tiktoken"},
                                                       {"llama-bpe", "llama/llama3-tokenizer.model"},
                                                       {"llama-spm", "llama/llama2-tokenizer.model"}};
  if (!present(kTokenizersFolder + "llama.cpp-vocab")) return;
  for (const auto& [name, file] : files) {
    const auto tokenizer = Tokenizer::load(kTokenizersFolder + file);
    REQUIRE(tokenizer.ok());
    const auto cases = llama_cpp_cases(name);
    CHECK(cases.size() == 46);
    for (const auto& [text, ids] : cases) {
      INFO(name << ": " << text);
      CHECK(tokenizer->encode(text, false) == ids);
      CHECK(tokenizer->decode(ids, false) == text);
    }
  }
}

// The vocabularies that lie beside those texts, plain or compressed, in the form in which engines ship them.
std::string vocabulary(const std::string& name, const test::Folder& scratch) {
  const std::string path = kTokenizersFolder + "llama.cpp-vocab/ggml-vocab-" + name + ".gguf";
  if (std::filesystem::exists(path)) return path;
  std::string bytes;
  const Status read = read_input(path + ".gz", [&](std::string_view, std::string_view chunk, bool) {
    bytes += chunk;
    return Status();
  });
  REQUIRE(read.ok());
  const std::string plain = scratch.file(name + ".gguf");
  REQUIRE(write_file_atomic(plain, bytes).ok());
  return plain;
}

TEST_CASE("tokenizers: vocabularies in GGUF files give the ids of llama.cpp's tests") {
  if (!present(kTokenizersFolder + "llama.cpp-vocab")) return;
  const test::Folder scratch;
  for (const std::string name : {"gpt-2", "deepseek-llm", "deepseek-coder", "llama-spm", "falcon", "mpt", "phi-3", "refact", "starcoder"}) {
    const auto tokenizer = Tokenizer::load(vocabulary(name, scratch));
    INFO(name << (tokenizer.ok() ? "" : tokenizer.error().text()));
    REQUIRE(tokenizer.ok());
    const auto cases = llama_cpp_cases(name);
    CHECK(cases.size() == 46);
    for (const auto& [text, ids] : cases) {
      INFO(text);
      CHECK(tokenizer->encode(text, false) == ids);
    }
  }
}

constexpr const char* kSamples[] = {"no_tools",          "get_weather_full", "get_weather_no_history", "get_weather_no_system_prompt",
                                    "parallel_calls", "several_calls"};

TEST_CASE("tokenizers: what Mistral's samples say") {
  if (!present(kTokenizersFolder + "mistral/samples") || !present(ASSAY_SHARED "/configs/chat-templates-mistral-common")) return;
  const std::pair<std::string, std::string> models[] = {{"v1", "tokenizer.model.v1"},
                                                        {"v2", "mistral_instruct_tokenizer_240216.model.v2"},
                                                        {"v3", "mistral_instruct_tokenizer_240323.model.v3"}};
  int same = 0;
  for (const auto& [version, model] : models) {
    const auto tokenizer = Tokenizer::load(kTokenizersFolder + "mistral/" + model);
    REQUIRE(tokenizer.ok());
    for (const char* sample : kSamples) {
      const std::string path = kTokenizersFolder + "mistral/samples/" + sample + "__";
      const std::string expected = path + "tokens_" + version + ".json";
      if (!std::filesystem::exists(expected)) continue;
      INFO(version << " " << sample);
      const auto request = read_json_file(path + "sample.json");
      const auto version_number = *mistral_version(version);
      const auto ids = mistral_chat(*tokenizer, version_number, dump_json(*request), sample);
      REQUIRE(ids.ok());
      CHECK(*ids == ints_of(read_json_file(expected)->at("tokens")));
      ++same;
    }
  }
  CHECK(same == 13);
}

TEST_CASE("OLMoE's tokenizer gives the ids of transformers' test") {
  const std::string path = kTokenizersFolder + "olmo/allenai_gpt-neox-olmo-dolma-v1_5.json";
  if (!present(path)) return;
  const auto tokenizer = Tokenizer::load(path);
  REQUIRE(tokenizer.ok());
  const std::vector<std::pair<std::string, std::vector<int>>> cases = {
      {"This is a test", {1552, 310, 247, 1071}}, {"A sample test", {34, 3410, 1071}}, {"Hi  Hello", {12764, 50276, 12092}},
      {"Hi   Hello", {12764, 50275, 12092}},      {" ", {209}},                        {"  ", {50276}},
      {" Hello", {24387}},                        {"", {}},                            {"生活的真谛是", {20025, 46549, 5225, 48561, 33656, 238, 12105}}};
  for (const auto& [text, ids] : cases) CHECK(tokenizer->encode(text, false) == ids);
}

TEST_CASE("tokenizers: random strings give the ids of tiktoken, sentencepiece and tokenizers") {
  if (!present(kTokenizersFolder)) return;
  std::ifstream rows(ASSAY_TREE "/tests/golden/data/tokenizers_shared.jsonl");
  std::map<std::string, Tokenizer> loaded;
  int same = 0;
  for (std::string line; std::getline(rows, line);) {
    const Json row = *parse_json(line, "tokenizers_shared.jsonl");
    const auto file = row.at("file").get<std::string>();
    if (!loaded.contains(file)) {
      const auto tokenizer = Tokenizer::load(kTokenizersFolder + file);
      REQUIRE(tokenizer.ok());
      loaded.emplace(file, *tokenizer);
    }
    const Tokenizer& tokenizer = loaded.at(file);
    const auto text = row.at("text").get<std::string>();
    INFO(file << ": " << text);
    const auto ids = ints_of(row.at("ids"));
    REQUIRE((row.at("ordinary") == true ? tokenizer.encode_ordinary(text) : tokenizer.encode(text, false)) == ids);
    REQUIRE(tokenizer.decode(ids, false) == row.at("decoded").get<std::string>());
    ++same;
  }
  CHECK(same == 360);
  CHECK(loaded.size() == 4);
}

}  // namespace
}  // namespace assay
