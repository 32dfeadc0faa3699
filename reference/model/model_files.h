// A model as it lies on disk: its configuration and its weights, checked against each other.
#pragma once
#include <string>

#include "base/result.h"
#include "reference/model/config.h"
#include "reference/model/tensors.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"

namespace assay {

struct ModelFiles {
  ModelConfig config;
  Checkpoint checkpoint;
};

// `path`: a folder, a .safetensors file with config.json beside it, or a .gguf file. Reads headers only.
Result<ModelFiles> open_model(const std::string& path);

// Weights and configuration that lie apart: the same checks.
Result<ModelFiles> join_model(ModelConfig config, Checkpoint checkpoint);

// MXFP4 experts are known by their tensors where an export left quantization_config out.
void adopt_storage(const Checkpoint& checkpoint, ModelConfig& config);

// A tensor that the configuration asks for: there, of that shape, in a format that can be read, FP8 with its scales.
Status check_stored(const Checkpoint& checkpoint, const TensorSpec& spec);

// Every tensor that the configuration asks for is there with its shape, and none that it does not explain: a
// bias that nobody adds would change numbers. MTP modules, rotary buffers and the head of a tied model may
// lie there unused.
Status check_tensors(const Checkpoint& checkpoint, const ModelConfig& config);

// Ids of a prompt against the configuration: none out of range, at least one, and no more than the context holds besides the
// `not_fed` last ones.
Status check_ids(const ModelConfig& config, std::span<const std::int32_t> ids, std::int64_t prompt,
                 std::int64_t not_fed = 0);

BlockSize block_size_of(const ModelConfig& config);

}  // namespace assay
