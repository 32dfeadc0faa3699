// The known families, each a row of choices and tensor names. Adding a family is adding a row.
#pragma once
#include <span>
#include <string_view>

#include "reference/model/config.h"

namespace assay {

enum class MoeStyle : std::uint8_t {
  dense,
  mixtral,
  qwen,
  olmoe,
  deepseek,
  granite,
  gpt_oss
};  // which keys name the experts
enum class WindowRule : std::uint8_t {
  none,
  all_layers,
  upper_layers,
  listed,  // layer_types says which; without the list layers 0, 2, 4, ...
  refused
};  // which layers `sliding_window` means

struct Family {
  std::string_view model_type, architecture;
  AttentionKind attention = AttentionKind::grouped;
  QkNorm qk_norm = QkNorm::none;
  bool qkv_bias_always = false;       // Qwen2: q, k and v have a bias whatever the configuration says
  bool reads_attention_bias = false;  // `attention_bias` puts one on q, k, v and o
  bool attention_bias_default = false;
  bool attention_sinks = false;
  // The configuration class fills in a number where the key is missing, and others compute one: it is refused.
  bool states_kv_heads = false, states_head_dim = false, states_window = false;
  WindowRule window = WindowRule::none;
  MoeStyle moe = MoeStyle::dense;
  double default_rope_theta = 1e4;  // of the family's configuration class
  bool multipliers = false;         // Granite's four
  ExpertStorage expert_storage = ExpertStorage::per_expert;
  std::string_view moe_block = "mlp";     // below model.layers.N
  std::string_view router_name = "gate";  // below the block
  std::string_view gate_name = "gate_proj", up_name = "up_proj", down_name = "down_proj";  // of one expert
  std::string_view shared_name;  // of the shared expert, below the block
};

// Null where the type is not known.
const Family* find_family(std::string_view model_type);
// The family of a configuration that was read and checked.
const Family& family_of(const ModelConfig& config);
std::span<const Family> families();

// What people call a family that is published and cannot be run here yet; "" where the type is not one of them.
std::string_view family_to_come(std::string_view model_type);

}  // namespace assay
