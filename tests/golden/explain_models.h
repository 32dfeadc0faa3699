// Small checkpoints of others whose published logits come from a known deviation, as folders that open_model reads.
#pragma once
#include <cstring>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"
#include "reference/weights/writer.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace other {

using namespace assay;

// Copies a checkpoint, with the experts that transformers keeps in one tensor, gate_up_proj (n, 2 inner, hidden) and
// down_proj (n, hidden, inner), written apart.
class Copy {
 public:
  explicit Copy(const std::string& path) {
    auto file = Checkpoint::open(path);
    REQUIRE(file.ok());
    for (const TensorView& view : file->tensors()) {
      auto values = load_f32(*file, view.name, view.shape);
      REQUIRE(values.ok());
      add(view.name, view.shape, std::move(*values));
    }
  }
  void append(const std::string& name, const std::vector<std::int64_t>& shape, std::vector<float> values) {
    keep(name, shape, std::move(values));
  }
  void write(const std::string& path) const { REQUIRE(write_safetensors(path, out_).ok()); }

 private:
  void keep(const std::string& name, std::vector<std::int64_t> shape, std::vector<float> values) {
    kept_.push_back(std::move(values));
    out_.push_back(tensor_out(name, std::move(shape), kept_.back()));
  }
  void add(const std::string& name, const std::vector<std::int64_t>& shape, std::vector<float> values) {
    const bool up = name.ends_with("experts.gate_up_proj"), down = name.ends_with("experts.down_proj");
    if (!up && !down) return keep(name, shape, std::move(values));
    REQUIRE(shape.size() == 3);
    const std::string block = name.substr(0, name.rfind('.'));
    const std::int64_t rows = up ? shape[1] / 2 : shape[1], step = rows * shape[2];
    const auto part = [&](std::int64_t first) {
      return std::vector<float>(values.begin() + first, values.begin() + first + step);
    };
    for (std::int64_t e = 0; e < shape[0]; ++e) {
      const std::string expert = block + "." + std::to_string(e) + ".";
      if (down) {
        keep(expert + "down_proj.weight", {rows, shape[2]}, part(e * step));
        continue;
      }
      keep(expert + "gate_proj.weight", {rows, shape[2]}, part(2 * e * step));
      keep(expert + "up_proj.weight", {rows, shape[2]}, part((2 * e + 1) * step));
    }
  }
  std::deque<std::vector<float>> kept_;
  std::vector<TensorOut> out_;
};

struct Fixture {
  std::string weights, config, logits;  // paths below ASSAY_SHARED/models
  std::vector<std::string> deviation;   // what gives the stored logits
};

inline bool present(const Fixture& fixture) {
  const std::string path = ASSAY_SHARED "/models/" + fixture.weights;
  if (std::filesystem::exists(path)) return true;
  WARN("skipped: no " << path);
  return false;
}

inline Json json_at(const std::string& path) {
  auto json = read_json_file(ASSAY_SHARED "/models/" + path);
  REQUIRE(json.ok());
  return std::move(*json);
}

// Writes MODEL (folder), ids.json and other.safetensors into `scratch`.
inline void unpack(const Fixture& fixture, const Scratch& scratch) {
  std::filesystem::create_directory(scratch / "model");
  Copy(ASSAY_SHARED "/models/" + fixture.weights).write(scratch / "model/model.safetensors");
  Json config = json_at(fixture.config);
  if (!config.contains("max_position_embeddings"))
    config["max_position_embeddings"] = 64;  // the class's default is 2,048; 5 are used
  scratch.write("model/config.json", dump_json(config));
  const Json stored = json_at(fixture.logits);
  const auto vocab = config["vocab_size"].get<std::int64_t>();
  Json ids = Json::array();
  std::deque<std::vector<double>> values;
  std::vector<TensorOut> out;
  const auto add = [&](const Json& prompt, std::vector<double> logits) {
    const auto n = static_cast<std::int64_t>(prompt.size());
    values.push_back(std::move(logits));
    out.push_back(tensor_out("logits." + std::to_string(ids.size()), {n, vocab}, values.back()));
    ids.push_back(prompt);
  };
  if (stored.contains("hf_logits")) {
    add(stored["input_ids"], stored["hf_logits"].get<std::vector<double>>());
  } else {
    for (std::size_t i = 0; i < stored["sequences"].size(); ++i) {
      std::vector<double> flat;
      for (const Json& row : stored["logits"][i]) {
        const auto one = row.get<std::vector<double>>();
        flat.insert(flat.end(), one.begin(), one.end());
      }
      add(stored["sequences"][i], std::move(flat));
    }
  }
  scratch.write("ids.json", dump_json(ids));
  REQUIRE(write_safetensors(scratch / "other.safetensors", out).ok());
}

inline const std::vector<Fixture> kFixtures = {{"atenia-moe-references/deepseek_full.safetensors",
                                                "atenia-moe-references/deepseek_full_config.json",
                                                "atenia-moe-references/deepseek_full.json",
                                                {"topk-weights=as-scored"}},
                                               {"atenia-moe-references/deepseek_scale.safetensors",
                                                "atenia-moe-references/deepseek_scale_config.json",
                                                "atenia-moe-references/deepseek_scale.json",
                                                {"topk-weights=as-scored"}},
                                               {"atenia-moe-references/deepseek_v2lite_mla0.safetensors",
                                                "atenia-moe-references/deepseek_v2lite_mla0_config.json",
                                                "atenia-moe-references/deepseek_v2lite_mla0.json",
                                                {"yarn-softmax-scale=plain"}},
                                               {"neural-api-tiny-fixtures/tiny_deepseek_v2_yarn.safetensors",
                                                "neural-api-tiny-fixtures/tiny_deepseek_v2_yarn_config.json",
                                                "neural-api-tiny-fixtures/tiny_deepseek_v2_yarn_logits.json",
                                                {"yarn-softmax-scale=plain"}}};

}  // namespace other
