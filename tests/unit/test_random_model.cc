// Models with random weights: what is written is a model that opens, its numbers have the spread that is promised, and the seed
// alone decides them.
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "reference/model/model_files.h"
#include "reference/model/random_model.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

constexpr const char* kTiny =
    R"({"model_type": "mixtral", "vocab_size": 64, "hidden_size": 256, "intermediate_size": 96,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 3, "num_experts_per_tok": 2,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "sliding_window": null})";

std::string weights_of(const Scratch& folder, std::uint64_t seed) {
  REQUIRE(write_random_model(kTiny, folder.path(), seed).ok());
  return read_file(folder / "model.safetensors").value();
}

TEST_CASE("random models: every tensor is there, norms are one and matrices have the variance 1 / inputs") {
  const Scratch folder;
  weights_of(folder, 1);
  const auto files = open_model(folder.path());
  if (!files.ok()) FAIL(files.error().text());
  for (const TensorSpec& spec : tensors_of(files->config)) {
    INFO(spec.name);
    const auto values = load_f32(files->checkpoint, spec.name, spec.shape, Recipe::dequant_f32, {});
    REQUIRE(values.ok());
    double sum = 0, squares = 0;
    for (const float x : *values) {
      sum += x;
      squares += double{x} * x;
    }
    const auto n = static_cast<double>(values->size());
    if (spec.role == TensorRole::norm) {
      CHECK(std::set<float>(values->begin(), values->end()) == std::set<float>{1.0f});
      continue;
    }
    const double variance = 1 / static_cast<double>(spec.shape.back());
    CHECK(std::abs(sum / n) < 5 * std::sqrt(variance / n));
    CHECK(std::abs(squares / n / variance - 1) <
          5 * std::sqrt(2 / n) + 0.01);  // bf16 rounds, the table has no far tail
  }
}

TEST_CASE("random models: the seed decides the weights and nothing else does") {
  const Scratch a, b, c;
  const std::string first = weights_of(a, 7);
  CHECK(first == weights_of(b, 7));
  CHECK(first != weights_of(c, 8));
}

TEST_CASE("random models: the named shapes have the parameters of their tables") {
  const std::pair<const char*, std::int64_t> expected[] = {{"dsv2-s", 459'800'000},
                                                           {"dsv2l-x3", 1'674'900'000},
                                                           {"mixtral-s", 487'100'000},
                                                           {"qwen3moe-s", 457'700'000},
                                                           {"dense-s", 155'200'000}};
  CHECK(random_shapes().size() == std::size(expected));
  for (const auto& [name, params] : expected) {
    INFO(name);
    const RandomShape* shape = find_random_shape(name);
    REQUIRE(shape != nullptr);
    const auto config = parse_model_config(parse_json(shape->config, name).value(), name);
    if (!config.ok()) FAIL(config.error().text());
    CHECK(std::abs(count_model(*config).params_total - params) <= 50'000);
  }
  CHECK(find_random_shape("dsv2") == nullptr);
}

}  // namespace
