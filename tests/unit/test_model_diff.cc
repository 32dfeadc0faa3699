// `diff`: each class from a pair made to be it, and the files beside the weights.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "eval/compare/model_diff.h"
#include "eval/compare/text_diff.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

constexpr std::size_t kDiffRows = 32, kCols = 40;  // of every up-projection

struct Made {
  std::uint64_t seed = 1;
  double full_noise = 0;  // added to every element
  int rank = 0;           // outer products added to every matrix
  std::int64_t vocabulary = 8;
  std::string layer_name = "mlp";
  std::string config = R"({"model_type": "x", "rope": {"factor": 4}})";
  std::string tokenizer = R"({"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";
  std::string chat = "line one\nline two\n";
};

std::vector<float> normals(std::uint64_t seed, std::uint64_t stream, std::size_t n, double sd) {
  Stream random(seed, stream);
  std::vector<float> out(n);
  for (float& value : out) value = static_cast<float>(sd * random.normal());
  return out;
}

void add_outer(std::vector<float>& matrix, std::uint64_t stream) {
  const auto u = normals(50, stream, kDiffRows, 0.1), v = normals(51, stream, kCols, 0.05);
  for (std::size_t i = 0; i < kDiffRows; ++i) {
    for (std::size_t j = 0; j < kCols; ++j) matrix[i * kCols + j] += u[i] * v[j];
  }
}

std::string make(const Scratch& scratch, const std::string& name, const Made& recipe) {
  fs::create_directories(scratch / name);
  std::vector<std::vector<float>> values;
  values.reserve(8);
  std::vector<TensorOut> tensors;
  for (std::uint64_t layer = 0; layer < 6; ++layer) {
    auto& matrix = values.emplace_back(normals(recipe.seed, layer, kDiffRows * kCols, 0.02));
    const auto noise = normals(60, layer, matrix.size(), recipe.full_noise);
    for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] += noise[i];
    for (int r = 0; r < recipe.rank; ++r) add_outer(matrix, layer * 16 + static_cast<std::uint64_t>(r));
    tensors.push_back(
        tensor_out("model.layers." + std::to_string(layer) + "." + recipe.layer_name + ".up_proj.weight",
                   {kDiffRows, kCols}, matrix));
  }
  values.push_back(normals(7, 0, static_cast<std::size_t>(recipe.vocabulary) * 4, 1));
  tensors.push_back(tensor_out("model.embed_tokens.weight", {recipe.vocabulary, 4}, values.back()));
  REQUIRE(write_safetensors(scratch / (name + "/model.safetensors"), tensors).ok());
  scratch.write(name + "/config.json", recipe.config);
  scratch.write(name + "/tokenizer.json", recipe.tokenizer);
  scratch.write(name + "/chat_template.jinja", recipe.chat);
  return scratch / name;
}

Json diff(const std::string& a, const std::string& b, int siblings = 199) {
  ThreadPool pool(1);
  auto result = diff_models(a, b, {.siblings = siblings}, pool);
  REQUIRE(result.ok());
  return *result;
}

TEST_CASE("diff: each class from a pair that was made to be it") {
  Scratch scratch;
  const std::string base = make(scratch, "base", {});
  CHECK(diff(base, make(scratch, "copy", {})).at("class") == "identical");
  CHECK(diff(base, make(scratch, "config", {.config = R"({"model_type": "x", "rope": {"factor": 8}})"}))
            .at("class") == "same-weights");
  CHECK(diff(base, make(scratch, "tuned", {.full_noise = 0.005})).at("class") == "fine-tuned");
  CHECK(diff(base, make(scratch, "lora", {.rank = 2})).at("class") == "low-rank-update");
  CHECK(diff(base, make(scratch, "stranger", {.seed = 9})).at("class") == "unrelated");
  CHECK(diff(base, make(scratch, "longer", {.vocabulary = 9})).at("class") == "vocabulary-changed");
  CHECK(diff(base, make(scratch, "other", {.layer_name = "ffn"})).at("class") == "different-architecture");
  CHECK(diff(base, make(scratch, "stranger", {.seed = 9}), 0).at("class") == "inconclusive");
}

TEST_CASE("diff: rank95 tells a low-rank update from a full one") {
  Scratch scratch;
  const std::string base = make(scratch, "base", {});
  const Json lora = diff(base, make(scratch, "lora", {.rank = 2})),
             full = diff(base, make(scratch, "full", {.full_noise = 0.005}));
  for (std::size_t i = 0; i < lora.at("tensors").size(); ++i) {
    const Json &few = lora.at("tensors")[i], &many = full.at("tensors")[i];
    if (few.at("status") != "changed") {
      CHECK(few.at("rank95").is_null());
      continue;
    }
    CHECK(few.at("rank95").get<int>() >= 1);
    CHECK(few.at("rank95").get<int>() <= 2);
    CHECK(many.at("rank95").get<int>() > 16);
  }
}

TEST_CASE("diff: configuration, tokenizer and template say what differs") {
  Scratch scratch;
  const std::string a = make(scratch, "a", {});
  const std::string b =
      make(scratch, "b",
           {.config = R"({"model_type": "x", "rope": {"factor": 8}, "new": true})",
            .tokenizer = R"({"model": {"vocab": {"a": 1, "b": 0, "c": 2, "d": 3}, "merges": []}})",
            .chat = "line one\nline 2\nline three\n"});
  const Json d = diff(a, b);
  CHECK(d.at("class") == "same-weights");
  CHECK(d.at("config") ==
        Json::parse(R"([{"key": "/rope/factor", "a": 4, "b": 8}, {"key": "/new", "a": null, "b": true}])"));
  CHECK(d.at("tokenizer") == Json::parse(R"([{"key": "vocabulary size", "a": 3, "b": 4},
      {"key": "tokens on one side only", "a": 1, "b": 2}, {"key": "tokens with another id", "a": 2, "b": 2},
      {"key": "merges after the first 0, which agree", "a": 1, "b": 0}])"));
  CHECK(d.at("template") == Json::parse(R"([{"key": "line 2", "a": "line two", "b": "line 2"},
      {"key": "line 3", "a": null, "b": "line three"}])"));
  CHECK(diff_text(d).find("/rope/factor: 4 | 8") != std::string::npos);
}

TEST_CASE("diff: files that only one side has") {
  Scratch scratch;
  const std::string a = make(scratch, "a", {}), b = make(scratch, "b", {});
  for (const char* name : {"/config.json", "/tokenizer.json", "/chat_template.jinja"}) fs::remove(b + name);
  const Json d = diff(a, b);
  for (const char* part : {"config", "tokenizer", "template"}) {
    REQUIRE(d.at(part).size() == 1);
    CHECK(d.at(part)[0].at("a") == "there");
    CHECK(d.at(part)[0].at("b") == "not there");
  }
}

TEST_CASE("diff: JSON differences of scalars, empty objects and lists") {
  const auto differ = [](const char* a, const char* b) {
    return json_differences(Json::parse(a), Json::parse(b)).size();
  };
  CHECK(differ("{}", "{}") == 0);
  CHECK(differ("1", "1") == 0);
  CHECK(differ("1", "2") == 1);
  CHECK(differ(R"({"a": [1, 2]})", R"({"a": [1, 2, 3]})") == 1);
  CHECK(differ(R"({"a": null})", R"({})") >= 1);
  CHECK(differ(R"({"a": 1, "b": 2})", R"({"b": 2, "a": 1})") == 0);  // the order of keys is no difference
}

TEST_CASE("diff: hostile neighbours are refused") {
  Scratch scratch;
  const std::string a = make(scratch, "a", {});
  ThreadPool pool(1);
  const auto code = [&](const Made& recipe) {
    auto result = diff_models(a, make(scratch, "bad", recipe), {}, pool);
    REQUIRE_FALSE(result.ok());
    return result.error().code;
  };
  CHECK(code({.config = "{"}) == Code::bad_json);
  CHECK(code({.config = R"({"quantization_config": {"weight_block_size": [0, 128]}})"}) == Code::bad_value);
  CHECK(code({.config = R"({"quantization_config": {"weight_block_size": "big"}})"}) == Code::bad_value);
  CHECK(code({.tokenizer = "[[["}) == Code::bad_json);
  CHECK(code({.chat = std::string(std::size_t{2} << 20, 'x')}) == Code::too_large);
}

TEST_CASE("diff: on the command line") {
  Scratch scratch;
  const std::string demo = std::string(ASSAY_TREE) + "/suites/data/demo/";
  const auto run =
      run_assay({"diff", demo + "model", demo + "model-fp8", "--json", "--siblings", "99"}, scratch.path());
  REQUIRE(run.code == 0);
  const auto document = parse_json(run.out, "stdout");
  REQUIRE(document.ok());
  CHECK(document->at("class") == "requantised");
  CHECK(document->at("tensors").size() == 221);
  for (const char* field : {"evidence", "config", "tokenizer", "template"})
    CHECK(document->at(field).is_array());
  CHECK(run_assay({"diff", demo + "model", "/no/such"}, scratch.path()).code == 3);
  CHECK(fs::is_empty(scratch.path()));
}

}  // namespace
