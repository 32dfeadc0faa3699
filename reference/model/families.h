// The known families, each a row of choices and tensor names. Adding a family is adding a row.
#pragma once
#include <span>
#include <string_view>

#include "reference/model/config.h"

namespace assay {

enum class MoeStyle : std::uint8_t { dense, mixtral, qwen, olmoe, deepseek };  // which keys name the experts
enum class WindowRule : std::uint8_t {
  none,
  all_layers,
  upper_layers,
  refused
};  // which layers `sliding_window` means

struct Family {
  std::string_view model_type, architecture;
  AttentionKind attention;
  QkNorm qk_norm;
  bool qkv_bias_always;       // Qwen2: q, k and v have a bias whatever the configuration says
  bool reads_attention_bias;  // `attention_bias` puts one on q, k, v and o
  WindowRule window;
  MoeStyle moe;
  double default_rope_theta;                       // of the family's configuration class
  std::string_view moe_block;                      // "mlp" or "block_sparse_moe" below model.layers.N
  std::string_view gate_name, up_name, down_name;  // of one expert
  std::string_view shared_name;                    // of the shared expert
};

// Null where the type is not known.
const Family* find_family(std::string_view model_type);
std::span<const Family> families();

}  // namespace assay
