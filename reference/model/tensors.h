// Which tensors a configuration asks for, with names and shapes, and what follows from them: parameters,
// bytes, operations.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "reference/model/config.h"
#include "reference/model/weight_ref.h"

namespace assay {

enum class TensorRole : std::uint8_t { embedding, head, norm, bias, matrix, router, expert };
enum class TensorStore : std::uint8_t { numbers, mxfp4_blocks, mxfp4_scales };

struct TensorSpec {
  std::string name;                 // in the file
  std::vector<std::int64_t> shape;  // {n_out, n_in} or {n}; experts together: {n_experts, ...}
  TensorRole role = TensorRole::matrix;
  std::int64_t layer = -1;   // -1: outside the layers
  std::int64_t expert = -1;  // routed expert, -1: none
  bool all_experts = false;  // of the layer, in one tensor
  TensorStore store = TensorStore::numbers;
};

struct LinearRef {  // y = W x + b
  WeightRef weight, bias;
  bool has_bias() const { return !bias.name.empty(); }
};
struct MlpRef {
  LinearRef gate, up, down;
};
// A matrix and bias of their own, "NAME.weight" and "NAME.bias".
LinearRef linear_ref(const std::string& name, std::int64_t n_out, std::int64_t n_in, bool bias = false);
// The parts of a layer, as this family stores them.
LinearRef router_ref(const ModelConfig& config, std::int64_t layer);
MlpRef expert_ref(const ModelConfig& config, std::int64_t layer, std::int64_t expert);
MlpRef shared_ref(const ModelConfig& config, std::int64_t layer);
MlpRef dense_ref(const ModelConfig& config, std::int64_t layer);

// Where a stack of layers lies in the files: the model itself, or an MTP module, whose one layer is numbered on after the model's.
struct StackNames {
  std::int64_t first_layer = 0;
  std::string embedding = "model.embed_tokens", norm = "model.norm", head = "lm_head";
};

// In the order of the layers; MTP modules are not among them (mtp.h).
std::vector<TensorSpec> tensors_of(const ModelConfig& config, const StackNames& names = {});

// "model.layers.3.self_attn"
std::string layer_prefix(std::int64_t layer);
// "model.layers.3.mlp.experts.5"
std::string expert_prefix(const ModelConfig& config, std::int64_t layer, std::int64_t expert);

struct ModelCounts {
  std::int64_t params_total = 0;        // without MTP modules
  std::int64_t params_active = 0;       // of one token: chosen experts only, embedding and head included
  std::int64_t kv_bytes_per_token = 0;  // latent: the latent and the rotated key, as the authors cache it
  // Matrix products of one token, two operations per weight; scores over earlier tokens are not in it.
  std::int64_t forward_flops_per_token = 0;
  // What each earlier token that is attended to adds: q·k and the product with v, all layers and heads.
  std::int64_t attention_flops_per_key = 0;
};
ModelCounts count_model(const ModelConfig& config);

}  // namespace assay
