// The whole forward pass in the GPU's kernels, run on the host in the GPU's place (and on the device where there is one): every family has
// the CPU engine's bits with the canonical arithmetic, whatever the passes, and stays near it with bf16.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "kernels/cuda.h"
#include "reference/model/cuda_check.h"
#include "tests/golden/hf_checks.h"

namespace {

using namespace assay;

std::vector<std::string> gpu_devices_here() {
  std::vector<std::string> out = {"emulated"};
  if (!cuda_devices().empty()) out.emplace_back("cuda");
  return out;
}

std::unique_ptr<CudaEngine> gpu_engine(const std::string& folder, const EngineOptions& options,
                                       const CudaOptions& cuda) {
  auto loaded = CudaEngine::load(folder, options, cuda);
  if (!loaded.ok()) FAIL(loaded.error().text());
  return std::move(*loaded);
}

const std::string kTreeFamilies = ASSAY_TREE "/tests/golden/data/families/";

// The tree's own checkpoints, and those of ../shared where it is.
std::vector<std::string> gpu_model_folders() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kTreeFamilies)) {
    if (entry.is_directory()) out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  for (const std::string& name : hf::kVariants) {
    if (std::filesystem::exists(hf::kRoot + "/" + name)) out.push_back(hf::kRoot + "/" + name);
  }
  if (!hf::present()) WARN("the tree's own checkpoints only");
  return out;
}

bool same(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() || std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0)
      return false;
  }
  return true;
}

std::vector<std::vector<std::int32_t>> prompts_of(const hf::Variant& v) {
  std::vector<std::vector<std::int32_t>> out;
  for (const hf::Case& c : v.cases) out.push_back(c.ids);
  return out;
}

TEST_CASE("cuda path: every family has the CPU's logits and decisions to the bit") {
  for (const std::string& folder : gpu_model_folders()) {
    DYNAMIC_SECTION(folder) {
      const hf::Variant v = hf::load_folder(folder);
      const auto prompts = prompts_of(v);
      auto cpu = Engine::load(v.folder, {.threads = 2});
      REQUIRE(cpu.ok());
      std::vector<RouterTrace> want_traces, traces;
      const auto want = (*cpu)->logits(prompts, {}, &want_traces);
      REQUIRE(want.ok());
      for (const std::string& device : gpu_devices_here()) {
        INFO(device);
        const auto engine = gpu_engine(v.folder, {.threads = 2}, {.device = device});
        const auto got = engine->logits(prompts, {}, &traces);
        REQUIRE(got.ok());
        CHECK(same(*got, *want));
        for (std::size_t i = 0; i < prompts.size(); ++i) {
          CHECK(traces[i].experts == want_traces[i].experts);
          CHECK(traces[i].weights == want_traces[i].weights);
          CHECK(traces[i].margins == want_traces[i].margins);
        }
      }
    }
  }
}

TEST_CASE("cuda path: tensor cores stay near the CPU, and are not it") {
  for (const std::string& folder : gpu_model_folders()) {
    DYNAMIC_SECTION(folder) {
      const hf::Variant v = hf::load_folder(folder);
      const auto prompts = prompts_of(v);
      auto cpu = Engine::load(v.folder, {.threads = 2});
      REQUIRE(cpu.ok());
      const auto want = (*cpu)->logits(prompts);
      REQUIRE(want.ok());
      for (const std::string& device : gpu_devices_here()) {
        const auto got =
            gpu_engine(v.folder, {.threads = 2}, {.device = device, .arithmetic = "bf16"})->logits(prompts);
        REQUIRE(got.ok());
        double square = 0, norm = 0;
        for (std::size_t i = 0; i < prompts.size(); ++i) {
          for (std::size_t j = 0; j < (*got)[i].size(); ++j) {
            const double difference = double{(*got)[i][j]} - double{(*want)[i][j]};
            square += difference * difference;
            norm += double{(*want)[i][j]} * double{(*want)[i][j]};
          }
        }
        INFO(device << ": relative error " << std::sqrt(square / norm));
        CHECK(
            square <=
            0.1 * 0.1 *
                norm);  // a flipped expert costs this much; each product is held to its bound by the layer check
        CHECK(square > 1e-7 * 1e-7 * norm);
      }
    }
  }
}

TEST_CASE("cuda path: passes, chunks, reuse and streamed weights do not show") {
  for (const std::string name : {"deepseek_v3-e5m2", "gpt_oss-mxfp4-w63", "mistral-window65"}) {
    const hf::Variant v = hf::load_folder(kTreeFamilies + name);
    auto prompts = prompts_of(v);
    std::vector<std::int32_t> long_one;
    while (long_one.size() < 150) long_one.insert(long_one.end(), prompts[0].begin(), prompts[0].end());
    long_one.resize(std::min<std::size_t>(long_one.size(),
                                          static_cast<std::size_t>(v.files.config.max_position_embeddings)));
    prompts.push_back(long_one);
    prompts.push_back(long_one);
    prompts.back().back() = (prompts.back().back() + 1) % 40;
    auto cpu = Engine::load(v.folder, {.threads = 2});
    REQUIRE(cpu.ok());
    const auto want = (*cpu)->logits(prompts);
    REQUIRE(want.ok());
    for (const EngineOptions& way :
         {EngineOptions{.threads = 1}, EngineOptions{.threads = 2, .wave_tokens = 20},
          EngineOptions{.threads = 2, .prefill_chunk = 7},
          EngineOptions{.threads = 2, .prefix_reuse = false}}) {
      const auto engine = gpu_engine(v.folder, way, {.device = "emulated"});
      const auto got = engine->logits(prompts);
      REQUIRE(got.ok());
      CHECK(same(*got, *want));
      CHECK(engine->weights_resident());
      if (way.wave_tokens == 0 && way.prefix_reuse)
        CHECK(engine->stats().tokens_computed < engine->stats().tokens_asked);
    }
    const auto streamed = gpu_engine(v.folder, {.threads = 2, .wave_tokens = 16},
                                     {.device = "emulated", .stream_weights = true});
    INFO(name);
    CHECK_FALSE(streamed->weights_resident());
    const auto got = streamed->logits(prompts);
    REQUIRE(got.ok());
    CHECK(same(*got, *want));
  }
}

TEST_CASE("cuda path: on tensor cores too a prompt's bits do not depend on what else is computed") {
  for (const std::string name : {"deepseek_v3-e5m2", "gpt_oss-mxfp4-w63", "mixtral-top1", "qwen3_moe-top1"}) {
    const hf::Variant v = hf::load_folder(kTreeFamilies + name);
    const auto prompts = prompts_of(v);
    for (const char* arithmetic : {"bf16", "fp8"}) {
      INFO(name << " " << arithmetic);
      const CudaOptions cuda{.device = "emulated", .arithmetic = arithmetic};
      const auto engine = gpu_engine(v.folder, {.threads = 2}, cuda);
      const auto want = engine->logits(prompts);
      REQUIRE(want.ok());
      std::vector<std::vector<float>> alone;
      for (const auto& prompt : prompts) {
        auto one = engine->logits(std::vector<std::vector<std::int32_t>>{prompt});
        REQUIRE(one.ok());
        alone.push_back(std::move((*one)[0]));
      }
      CHECK(same(alone, *want));
      for (const std::int64_t chunk : {1, 5}) {  // passes of one token: one expert alone, one query alone
        const auto cut =
            gpu_engine(v.folder, {.threads = 2, .wave_tokens = chunk, .prefill_chunk = chunk}, cuda)
                ->logits(prompts);
        REQUIRE(cut.ok());
        CHECK(same(*cut, *want));
      }
    }
  }
}

TEST_CASE("cuda path: the layer check finds every product within its bound") {
  for (const std::string name :
       {"deepseek_v3-e5m2", "deepseek_v3-fp8-tensor", "gpt_oss-mxfp4-w63", "mixtral-top1"}) {
    const hf::Variant v = hf::load_folder(kTreeFamilies + name);
    for (const char* arithmetic : {"canonical", "bf16", "fp8"}) {
      INFO(name << " " << arithmetic);
      const auto engine =
          gpu_engine(v.folder, {.threads = 2}, {.device = "emulated", .arithmetic = arithmetic});
      const auto rows = check_layers(*engine, v.cases[0].ids);
      REQUIRE(rows.ok());
      CHECK(rows->size() > 8);
      CHECK(rows->back().name == "head");
      double worst = 0;
      for (const ProductError& row : *rows) {
        INFO(row.layer << " " << row.name << ": " << row.worst_of_bound);
        CHECK(row.within);
        CHECK(row.n_numbers > 0);
        worst = std::max(worst, row.worst_of_bound);
      }
      CHECK((worst == 0) == (std::string(arithmetic) == "canonical"));
    }
  }
}

TEST_CASE("cuda path: scores, likeliest tokens and generated texts are the CPU's") {
  for (const std::string name : {"qwen3_moe-top1", "deepseek_v3-fp8-tensor"}) {
    const hf::Variant v = hf::load_folder(kTreeFamilies + name);
    auto cpu = Engine::load(v.folder, {.threads = 2});
    REQUIRE(cpu.ok());
    std::vector<ScoreRequest> requests;
    std::vector<GenerateRequest> prompts;
    for (const hf::Case& c : v.cases) {
      if (c.ids.size() < 2) continue;
      requests.push_back({.ids = c.ids, .scored_from = static_cast<std::int64_t>(c.ids.size() / 2)});
      requests.back().scored_from = std::max<std::int64_t>(1, requests.back().scored_from);
      requests.push_back(requests.back());
      requests.back().top_logprobs = 3;
      prompts.push_back(
          {.ids = {c.ids.begin(), c.ids.begin() + static_cast<std::ptrdiff_t>(c.ids.size() / 2 + 1)},
           .item = prompts.size()});
    }
    const auto want = (*cpu)->score(requests);
    REQUIRE(want.ok());
    GenerateOptions options{
        .max_tokens = 9, .samples = 3, .temperature = 0.8, .top_p = 0.9, .top_logprobs = 2};
    const auto want_texts = (*cpu)->generate(prompts, options);
    REQUIRE(want_texts.ok());
    (*cpu)->reset_stats();
    REQUIRE((*cpu)->score(requests).ok());
    for (const EngineOptions& way :
         {EngineOptions{.threads = 2}, EngineOptions{.threads = 2, .wave_tokens = 5, .prefill_chunk = 3}}) {
      const auto engine = gpu_engine(v.folder, way, {.device = "emulated"});
      const auto got = engine->score(requests);
      REQUIRE(got.ok());
      for (std::size_t i = 0; i < got->size(); ++i) {
        const ScoreAnswer &a = (*got)[i], &b = (*want)[i];
        CHECK(a.logprob == b.logprob);
        CHECK(a.greedy == b.greedy);
        CHECK(a.near_ties == b.near_ties);
        REQUIRE(a.tokens.size() == b.tokens.size());
        for (std::size_t t = 0; t < a.tokens.size(); ++t) {
          CHECK(a.tokens[t].top_token == b.tokens[t].top_token);
          CHECK(a.tokens[t].top_logprob == b.tokens[t].top_logprob);
        }
        REQUIRE(a.top.size() == b.top.size());
        for (std::size_t t = 0; t < a.top.size(); ++t) {
          for (std::size_t j = 0; j < 3; ++j)
            CHECK((a.top[t][j].token == b.top[t][j].token && a.top[t][j].logprob == b.top[t][j].logprob));
        }
      }
      CHECK(engine->stats().expert_tokens == (*cpu)->stats().expert_tokens);
      const auto texts = engine->generate(prompts, options);
      REQUIRE(texts.ok());
      REQUIRE(texts->size() == want_texts->size());
      for (std::size_t i = 0; i < texts->size(); ++i) {
        CHECK((*texts)[i].ids == (*want_texts)[i].ids);
        CHECK((*texts)[i].logprobs == (*want_texts)[i].logprobs);
        CHECK((*texts)[i].finish_reason == (*want_texts)[i].finish_reason);
        CHECK((*texts)[i].near_ties == (*want_texts)[i].near_ties);
      }
    }
  }
}

// What tests/cuda/device_check.sh runs under compute-sanitizer: every kernel once, in little time.
TEST_CASE("cuda: sanitized: small models in both arithmetics on the device") {
  if (cuda_devices().empty()) {
    std::puts("skipped: no CUDA device");
    return;
  }
  for (const std::string& folder : gpu_model_folders()) {
    if (!folder.starts_with(ASSAY_TREE)) continue;
    const hf::Variant v = hf::load_folder(folder);
    const auto prompts = prompts_of(v);
    for (const char* arithmetic : {"canonical", "bf16"}) {
      const auto engine =
          gpu_engine(folder, {}, {.device = "cuda", .arithmetic = arithmetic, .stream_weights = true});
      CHECK(engine->logits(std::span(prompts).first(1)).ok());
      const std::vector<ScoreRequest> request = {{.ids = prompts[0], .scored_from = 1}};
      CHECK(engine->score(request).ok());
    }
  }
}

TEST_CASE("cuda path: what cannot be is refused by name") {
  const std::string model = ASSAY_TREE "/suites/data/demo/model";
  auto device = CudaEngine::load(model, {}, {.device = "tpu"});
  REQUIRE_FALSE(device.ok());
  CHECK(device.error().code == Code::usage);
  auto arithmetic = CudaEngine::load(model, {}, {.device = "emulated", .arithmetic = "int4"});
  REQUIRE_FALSE(arithmetic.ok());
  CHECK(arithmetic.error().code == Code::usage);
  auto memory = CudaEngine::load(model, {.wave_tokens = 16}, {.device = "emulated", .device_bytes = 100000});
  REQUIRE_FALSE(memory.ok());
  CHECK(memory.error().code == Code::memory_limit);
  if (!cuda_devices().empty()) return;
  auto absent = CudaEngine::load(model, {}, {.device = "cuda"});
  REQUIRE_FALSE(absent.ok());
  CHECK(absent.error().code == Code::unsupported);
}

}  // namespace
