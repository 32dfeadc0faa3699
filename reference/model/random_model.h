// Models with random weights at named shapes, for measurements: what they say means nothing, how long they take does.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

struct RandomShape {
  std::string_view name;    // dsv2-s
  std::string_view about;   // what it stands for, in a line
  std::string_view config;  // its config.json
};
std::span<const RandomShape> random_shapes();
const RandomShape* find_random_shape(std::string_view name);

// Writes config.json and model.safetensors (BF16, one file) into `folder`, which is made where it is not there. Matrices are drawn
// from N(0, 1 / inputs), embeddings from N(0, 1 / hidden), biases are zero and norms one; a tensor's numbers depend on the seed, its
// place in tensors_of() and nothing else. Any configuration of plain numbers will do (MXFP4 experts: Code::unsupported).
Status write_random_model(std::string_view config_json, const std::string& folder, std::uint64_t seed);

}  // namespace assay
