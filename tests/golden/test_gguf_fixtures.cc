// GGUF files that others made (../shared/models) against the references that came with them.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"

using namespace assay;
namespace fs = std::filesystem;

namespace {

const std::string kTiny = ASSAY_SHARED "/models/neural-api-tiny-fixtures/";
const std::string kFerrox = ASSAY_SHARED "/models/ferrox-tiny-gguf/";

bool there(const std::string& path) {
  if (fs::exists(path)) return true;
  WARN("skipped: no " << path);
  return false;
}

Checkpoint opened(const std::string& path) {
  auto checkpoint = Checkpoint::open(path);
  if (!checkpoint.ok()) FAIL(checkpoint.error().text());
  return std::move(*checkpoint);
}

TEST_CASE("gguf fixtures: K-quants of another implementation, value by value") {
  if (!there(kTiny + "tiny_kquant.gguf")) return;
  const auto json = read_json_file(kTiny + "tiny_kquant_ref.json");
  REQUIRE(json.ok());
  const Checkpoint file = opened(kTiny + "tiny_kquant.gguf");
  const auto original = json->at("ref_f32").get<std::vector<float>>();
  const auto kept = load_f32(file, "ref.f32.weight", std::vector<std::int64_t>{4, 256});
  REQUIRE(kept.ok());
  CHECK(*kept == original);
  CHECK(json->at("dequant").size() == 4);
  for (const auto& [type, list] : json->at("dequant").items()) {
    INFO(type);
    const auto got = load_f32(file, "kq." + type + ".weight", std::vector<std::int64_t>{1024});
    REQUIRE(got.ok());
    CHECK(*got == list.get<std::vector<float>>());
    double error = 0, size = 0;
    for (std::size_t i = 0; i < got->size(); ++i) {
      error += std::pow((*got)[i] - original[i], 2);
      size += std::pow(original[i], 2);
    }
    const double relative = std::sqrt(error / size);  // 0.01 of Q6_K to 0.4 of Q2_K
    CHECK(relative < 0.4);
    CHECK(relative > 0.005);
  }
}

TEST_CASE("gguf fixtures: tiny Llama in F32, F16 and Q8_0") {
  if (!there(kTiny + "tiny_llama_f32.gguf")) return;
  const auto json = read_json_file(kTiny + "tiny_llama_logits.json");
  REQUIRE(json.ok());
  const auto sequences = json->at("sequences").get<std::vector<std::vector<std::int32_t>>>();
  const auto expected = json->at("logits").get<std::vector<std::vector<std::vector<double>>>>();
  // F16 rounds weights by up to 5e-4 of themselves and 48 products add up: seen to move logits by 2e-3.
  for (const auto& [name, bar] : {std::pair("tiny_llama_f32.gguf", 2e-5), {"tiny_llama_f16.gguf", 1e-2}}) {
    INFO(name);
    auto engine = Engine::load(kTiny + name, {});
    if (!engine.ok()) FAIL(engine.error().text());
    const auto logits = (*engine)->logits(sequences);
    REQUIRE(logits.ok());
    double worst = 0;
    for (std::size_t s = 0; s < expected.size(); ++s) {
      for (std::size_t i = 0; i < expected[s].size() * 11; ++i) {
        const double difference = std::abs((*logits)[s][i] - expected[s][i / 11][i % 11]);
        worst = difference <= worst ? worst : difference;
      }
    }
    CHECK(worst <= bar);
    CHECK(worst > 0);
    CHECK((worst > 2e-5) == (bar > 2e-5));
  }
  const Checkpoint exact = opened(kTiny + "tiny_llama_q8.safetensors"),
                   rounded = opened(kTiny + "tiny_llama_q8.gguf");
  int matrices = 0;
  for (const TensorView& view : rounded.tensors()) {
    INFO(view.name);
    const auto a = load_f32(exact, view.name, view.shape), b = load_f32(rounded, view.name, view.shape);
    REQUIRE(a.ok());
    REQUIRE(b.ok());
    std::vector<float> steps(a->size());
    REQUIRE(load_row_scales(rounded, view, 0, view.shape[0], steps).ok());
    const bool blocks = is_gguf_block(view.format);
    matrices += blocks ? 1 : 0;
    double most = 0;
    for (std::size_t i = 0; i < a->size(); ++i) {
      const double difference = std::abs((*a)[i] - (*b)[i]);
      if (!blocks) CHECK(difference == 0);
      most = std::max(most, difference / (blocks ? steps[i] : 1));
    }
    if (blocks) CHECK(most <= 0.57);  // half a step, and 127 of them with a scale rounded to f16
    if (blocks) CHECK(most > 0.3);
  }
  CHECK(matrices == 15);
  CHECK(Engine::load(kTiny + "tiny_llama_q8.gguf", {}).ok());
}

TEST_CASE("gguf fixtures: three parts are the whole; an unknown architecture is listed and not run") {
  if (!there(kFerrox + "ferrox_real_test.gguf")) return;
  const Checkpoint whole = opened(kFerrox + "ferrox_real_test.gguf"),
                   parts = opened(kFerrox + "ferrox_real_test_split-00001-of-00003.gguf");
  CHECK(parts.files().size() == 3);
  CHECK(whole.tensors().size() == 21);
  CHECK(parts.weights_digest() == whole.weights_digest());
  for (const char* name :
       {"ferrox_real_test.gguf", "ferrox_real_moe_test.gguf", "ferrox_real_mixed_test.gguf"}) {
    INFO(name);
    CHECK(opened(kFerrox + name).find("blk.0.attn_q.weight") != nullptr);
    const auto model = open_model(kFerrox + name);
    REQUIRE_FALSE(model.ok());
    CHECK(model.error().code == Code::unsupported);
    CHECK(model.error().field == "general.architecture");
  }
}

TEST_CASE("gguf fixtures: vocabularies without weights") {
  if (!there(kFerrox + "spm-special-tokens-test-vocab.gguf")) return;
  const auto pieces = Tokenizer::load(kFerrox + "spm-special-tokens-test-vocab.gguf");
  if (!pieces.ok()) FAIL(pieces.error().text());
  CHECK(pieces->decode(pieces->encode("hello, world!", false), false) == "hello, world!");
  CHECK(pieces->token_id("<s>") == 1);
  const auto unigram = Tokenizer::load(kFerrox + "unigram-test-vocab.gguf");
  if (!unigram.ok()) FAIL(unigram.error().text());
  CHECK(unigram->vocab_size() == 100);
}

}  // namespace
