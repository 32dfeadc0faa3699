// Small models with seeded random weights, made on the spot from a configuration: for tests that need a family
// or a switch that the bundled model does not have.
#pragma once
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/rng.h"
#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "reference/model/tensors.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace small {

using namespace assay;

// What every configuration below shares; `own` adds to it and wins. A large rms_norm_eps, so that a wrong one shows.
inline Json config_of(const std::string& own) {
  Json config =
      Json::parse(R"({"vocab_size": 40, "hidden_size": 24, "intermediate_size": 28, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 256, "rms_norm_eps": 0.02, "hidden_act": "silu"})");
  config.update(Json::parse(own));
  return config;
}

// One tensor: norms near 1, matrices that keep the size of what they multiply, biases and embeddings that matter.
inline std::vector<float> values_of(const TensorSpec& spec, std::uint32_t index) {
  std::size_t n = 1;
  for (const std::int64_t extent : spec.shape) n *= static_cast<std::size_t>(extent);
  const bool matrix = spec.shape.size() == 2 && spec.role != TensorRole::embedding;
  const double scale = matrix ? 1.4 / std::sqrt(static_cast<double>(spec.shape[1]))
                       : spec.role == TensorRole::embedding ? 1
                                                            : 0.3;
  Stream random(31, index);
  std::vector<float> out(n);
  for (float& x : out)
    x = static_cast<float>((spec.role == TensorRole::norm ? 1 : 0) + scale * random.normal());
  return out;
}

struct Model {
  Scratch folder;
  ModelFiles files;

  // `values`: how the numbers of a tensor are made.
  using Values = std::vector<float> (*)(const TensorSpec& spec, std::uint32_t index);
  explicit Model(const std::string& own, Values values = values_of)
      : files(write(folder, config_of(own), values)) {}

 private:
  static ModelFiles write(const Scratch& folder, const Json& json, Values make) {
    const auto config = parse_model_config(json, "config.json");
    if (!config.ok()) FAIL(config.error().text());
    const auto specs = tensors_of(*config);
    std::vector<std::vector<float>> values;
    std::vector<TensorOut> tensors;
    for (const TensorSpec& spec : specs)
      values.push_back(make(spec, static_cast<std::uint32_t>(values.size())));
    for (std::size_t i = 0; i < specs.size(); ++i)
      tensors.push_back(tensor_out(specs[i].name, specs[i].shape, std::span<const float>(values[i])));
    folder.write("config.json", json.dump());
    REQUIRE(write_safetensors(folder / "model.safetensors", tensors).ok());
    auto files = open_model(folder.path());
    if (!files.ok()) FAIL(files.error().text());
    return std::move(*files);
  }
};

inline std::vector<std::int32_t> prompt(std::size_t n, std::int64_t vocab) {
  Stream random(5);
  std::vector<std::int32_t> ids(n);
  for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab)));
  return ids;
}

}  // namespace small
