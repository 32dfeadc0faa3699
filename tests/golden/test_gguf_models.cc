// Tiny models of every family that GGUF is read for, as a Hugging Face checkpoint and as GGUF (tests/oracle/make_gguf_models.py):
// the same tensors, the same configuration, the same logits bit for bit.
#include <cmath>
#include <cstring>
#include <filesystem>

#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "reference/model/tensors.h"
#include "tests/catch.h"

using namespace assay;

namespace {

const std::string kModelData = ASSAY_TREE "/tests/golden/data/gguf/";

const char* const kModels[] = {
    "llama",       "llama-q8_0", "mixtral",          "mixtral-mxfp4", "qwen2",
    "qwen3",       "qwen2moe",   "qwen3moe",         "olmoe",         "deepseek-v2",
    "deepseek-v3", "granitemoe", "granitemoeshared", "gpt-oss"};

ModelFiles opened_model(const std::string& path) {
  auto files = open_model(path);
  if (!files.ok()) FAIL(files.error().text());
  return std::move(*files);
}

std::vector<std::vector<std::int32_t>> gguf_prompts() {
  std::vector<std::vector<std::int32_t>> out(3);
  for (std::int32_t i = 0; i < 60; ++i)
    out[static_cast<std::size_t>(i % 3)].push_back((i * i + 5 * i + 1) % 24);
  return out;
}

std::vector<std::vector<float>> logits(const std::string& path) {
  auto engine = Engine::load(path, {});
  if (!engine.ok()) FAIL(engine.error().text());
  auto out = (*engine)->logits(gguf_prompts());
  REQUIRE(out.ok());
  return std::move(*out);
}

TEST_CASE("gguf models: tensors and configuration are those of the checkpoint") {
  for (const char* name : kModels) {
    INFO(name);
    const ModelFiles hf = opened_model(kModelData + name), gguf = opened_model(kModelData + name + std::string("/model.gguf"));
    CHECK(gguf.config.model_type == hf.config.model_type);
    CHECK(gguf.config.rms_norm_eps == hf.config.rms_norm_eps);
    CHECK(gguf.config.tie_word_embeddings == hf.config.tie_word_embeddings);
    CHECK(gguf.config.bos_token_id == hf.config.bos_token_id);
    CHECK(gguf.config.eos_token_ids == hf.config.eos_token_ids);
    CHECK(gguf.config.rope.mscale_all_dim == hf.config.rope.mscale_all_dim);
    CHECK(gguf.config.router.scaling_factor == hf.config.router.scaling_factor);
    CHECK(gguf.config.router.topk_norm == hf.config.router.topk_norm);
    for (const TensorSpec& spec : tensors_of(hf.config)) {
      if (spec.all_experts || spec.name.find("_linear") != std::string::npos)
        continue;  // stored otherwise: the logits tell
      INFO(spec.name);
      const auto a = load_f32(hf.checkpoint, spec.name, spec.shape),
                 b = load_f32(gguf.checkpoint, spec.name, spec.shape);
      REQUIRE(a.ok());
      REQUIRE(b.ok());
      CHECK(std::memcmp(a->data(), b->data(), a->size() * 4) == 0);
      const auto exact = load_f64(gguf.checkpoint, spec.name, spec.shape);
      REQUIRE(exact.ok());
      CHECK(std::equal(exact->begin(), exact->end(), a->begin(), a->end()));
    }
  }
}

TEST_CASE("gguf models: rows can be read from any place, one by one too") {
  for (const char* name : {"llama-q8_0", "deepseek-v3"}) {
    const ModelFiles gguf = opened_model(kModelData + name + std::string("/model.gguf"));
    for (const TensorView& view : gguf.checkpoint.tensors()) {
      INFO(view.name);
      const auto whole = load_f32(gguf.checkpoint, view.name, view.shape);
      REQUIRE(whole.ok());
      const std::int64_t rows = view.shape[0], width = view.elements() / rows;
      for (std::int64_t row = 0; row < rows; ++row) {
        std::vector<float> one(static_cast<std::size_t>(width));
        REQUIRE(load_rows_f32(gguf.checkpoint, view, row, 1, one).ok());
        CHECK(std::memcmp(one.data(), whole->data() + row * width, one.size() * 4) == 0);
      }
    }
  }
}

TEST_CASE("gguf models: logits are those of the checkpoint") {
  for (const char* name : kModels) {
    INFO(name);
    const auto hf = logits(kModelData + name), gguf = logits(kModelData + name + std::string("/model.gguf"));
    double worst = 0, largest = 0;
    bool same = true;
    for (std::size_t p = 0; p < hf.size(); ++p) {
      REQUIRE(gguf[p].size() == hf[p].size());
      same = same && std::memcmp(hf[p].data(), gguf[p].data(), hf[p].size() * 4) == 0;
      for (std::size_t i = 0; i < hf[p].size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(hf[p][i]) - gguf[p][i]));
        largest = std::max(largest, std::abs(static_cast<double>(hf[p][i])));
      }
    }
    CHECK(largest > 1);
    if (std::string_view(name) ==
        "llama") {  // llama3 scaling is stored as f32 factors: 6e-8 of an angle below 64
      CHECK(worst <= 1e-5 * largest);
    } else {
      CHECK(same);
    }
  }
}

TEST_CASE("gguf models: the oracle path reads them too") {
  for (const char* name : {"llama", "deepseek-v3", "mixtral-mxfp4"}) {
    INFO(name);
    const ModelFiles hf = opened_model(kModelData + name), gguf = opened_model(kModelData + name + std::string("/model.gguf"));
    const auto a = Oracle::load(hf.checkpoint, hf.config), b = Oracle::load(gguf.checkpoint, gguf.config);
    REQUIRE(a.ok());
    REQUIRE(b.ok());
    const std::vector<double> x = a->logits(gguf_prompts()[0]), y = b->logits(gguf_prompts()[0]);
    REQUIRE(x.size() == y.size());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
    CHECK(worst <= (std::string_view(name) == "llama" ? 1e-5 : 0.0));
  }
}

}  // namespace
