// What config.json says about a model, as plain data: a family is a table of choices
// (reference/model/families.h), read and checked once. Everything that changes a number is a field here or
// the configuration is refused.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "reference/model/readings.h"
#include "reference/weights/dequant.h"

namespace assay {

enum class AttentionKind : std::uint8_t {
  grouped,
  latent
};  // latent: MLA, DeepSeek-V2 2405.04434 section 2.1
enum class QkNorm : std::uint8_t { none, per_head, whole };  // Qwen3 per head, OLMoE over the whole width
enum class RopeKind : std::uint8_t { plain, linear, llama3, yarn, factors };
enum class RopeLayout : std::uint8_t { halves, pairs };  // element j turns with j + d/2, or 2j with 2j + 1
enum class Scoring : std::uint8_t {
  softmax,
  sigmoid,
  softmax_of_chosen
};  // softmax_of_chosen: logits choose, their soft-max over the chosen weighs (Granite, gpt-oss)
enum class Activation : std::uint8_t {
  silu,
  clamped_swiglu
};  // clamped: openai/gpt-oss torch/model.py swiglu
enum class GroupScore : std::uint8_t { none, max, top2_sum };     // how an expert group is ranked
enum class ClosedGroups : std::uint8_t { minus_infinity, zero };  // score of experts outside the open groups
enum class MixingWeight : std::uint8_t { unbiased, biased };      // which score becomes the weight
enum class TopkNorm : std::uint8_t {
  none,
  sum,
  sum_unscaled
};  // unscaled: no routed_scaling_factor after the sum
enum class SoftmaxScale : std::uint8_t {
  plain,
  mscale_squared
};  // DeepSeek's YaRN multiplies the scale by mscale²
enum class RopeGain : std::uint8_t { authors, transformers };     // factor on cos and sin under YaRN
enum class LatentEps : std::uint8_t { fixed, rms_norm_eps };      // fixed: 1e-6 whatever rms_norm_eps says
// What MLA computes with: keys and values of every head, or the latent that all heads share (recipes.h, mla-absorbed).
enum class LatentForm : std::uint8_t { expanded, absorbed };
enum class ClipOrder : std::uint8_t { before_norm, after_norm };  // OLMoE clip_qkv
enum class ExpertStorage : std::uint8_t {
  per_expert,    // each expert's gate, up and down apart
  input_output,  // all experts in input_linear (n_experts, 2 inner, hidden), gate rows first, and output_linear
  interleaved    // gate_up_proj with gate and up in turn, down_proj, and a bias of each; MXFP4 or transposed
};

inline constexpr double kLatentNormEps = 1e-6;  // default of DeepSeek's RMSNorm class, which the latents use

struct RopeConfig {
  RopeKind kind = RopeKind::plain;
  RopeLayout layout = RopeLayout::halves;
  RopeGain gain = RopeGain::authors;
  double theta = 10000;
  double factor = 1;           // linear, llama3, yarn
  double original_length = 0;  // original_max_position_embeddings
  double beta_fast = 32, beta_slow = 1;
  bool truncate = true;  // YaRN bounds rounded outward
  bool has_mscale = false, has_mscale_all_dim = false;
  double mscale = 1, mscale_all_dim = 0;
  double low_freq_factor = 1, high_freq_factor = 4;
  std::vector<double>
      factors;  // (rope_dim / 2): what divides each frequency, as GGUF files keep llama3 scaling
  RopeReading reading;
  bool operator==(const RopeConfig&) const = default;
};

struct RouterConfig {
  Scoring scoring = Scoring::softmax;
  bool correction_bias = false;  // e_score_correction_bias, added for the choice only
  GroupScore group_score = GroupScore::none;
  ClosedGroups closed_groups = ClosedGroups::minus_infinity;
  MixingWeight mixing_weight = MixingWeight::unbiased;
  TopkNorm topk_norm = TopkNorm::none;
  double epsilon = 0;         // added to the sum before the division; DeepSeek 1e-20
  double scaling_factor = 1;  // routed_scaling_factor
  std::int64_t n_experts = 0, n_chosen = 0, n_groups = 1, n_open_groups = 1;
  RouterReading reading;
  double routed_scale() const;  // scaling_factor as the reading applies it
};

struct LayerChoice {
  bool is_moe = false;
  std::int64_t window = 0;  // keys a query sees, itself included; 0: all
};

struct QuantConfig {
  std::string method;                           // "" where the configuration names none, "fp8", "mxfp4"
  std::int64_t block_rows = 0, block_cols = 0;  // 0: one scale a tensor
  bool ue8m0 = false;
  Recipe recipe = Recipe::dequant_f32;  // of FP8 weights
};

struct ModelConfig {
  std::string model_type, architecture;
  std::string torch_dtype;  // "" where absent
  std::int64_t vocab_size = 0, hidden_size = 0, num_hidden_layers = 0, intermediate_size = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 0;
  bool tie_word_embeddings = false;

  AttentionKind attention = AttentionKind::grouped;
  std::int64_t num_attention_heads = 0, num_key_value_heads = 0;
  std::int64_t head_dim = 0;  // grouped: of q, k and v
  std::int64_t q_lora_rank = 0, kv_lora_rank = 0, qk_nope_head_dim = 0, qk_rope_head_dim = 0,
               v_head_dim = 0;  // latent
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool attention_sinks = false;  // a logit per head that takes part in the soft-max and has no value
  QkNorm qk_norm = QkNorm::none;
  double clip_qkv = 0;  // 0: none
  ClipOrder clip_order = ClipOrder::before_norm;
  LatentEps latent_eps = LatentEps::fixed;
  LatentForm latent_form = LatentForm::expanded;
  SoftmaxScale softmax_scale = SoftmaxScale::plain;
  RopeConfig rope;

  // Granite: on the embeddings, in place of 1 / sqrt(key_dim), on what a block adds, and dividing the logits.
  double embedding_multiplier = 1, residual_multiplier = 1, logits_scaling = 1;
  double attention_multiplier = 0;  // 0: 1 / sqrt(key_dim)

  RouterConfig router;
  std::int64_t moe_intermediate_size = 0, shared_intermediate_size = 0;  // shared 0: no shared expert
  bool shared_gate = false;  // Qwen2-MoE: sigmoid gate on the shared expert
  ExpertStorage expert_storage = ExpertStorage::per_expert;
  bool router_bias = false, expert_bias = false;
  Activation activation = Activation::silu;
  double swiglu_alpha = 1.702, swiglu_limit = 7;  // of clamped_swiglu
  std::int64_t num_nextn_predict_layers = 0;  // MTP modules stored after the layers (mtp.h)
  std::vector<LayerChoice> mtp_layers;        // (num_nextn_predict_layers)
  std::int64_t window_split = 0;              // max_window_layers where it decides which layers slide, else 0
  std::vector<LayerChoice> layers;            // (num_hidden_layers)

  QuantConfig quant;
  ModelReading reading;
  std::int64_t bos_token_id = -1;  // -1: none
  std::vector<std::int64_t> eos_token_ids;

  std::int64_t key_dim() const {
    return attention == AttentionKind::latent ? qk_nope_head_dim + qk_rope_head_dim : head_dim;
  }
  std::int64_t value_dim() const { return attention == AttentionKind::latent ? v_head_dim : head_dim; }
  std::int64_t rope_dim() const { return attention == AttentionKind::latent ? qk_rope_head_dim : head_dim; }
  bool absorbs() const { return attention == AttentionKind::latent && latent_form == LatentForm::absorbed; }
  std::int64_t n_moe_layers() const;
  // Keys that a query of this layer sees, itself included; 0: all.
  std::int64_t window_of(std::size_t layer) const;
  // What every norm over the hidden size, and over whole heads, adds to the mean square.
  double norm_eps() const;
  double embedding_scale() const;  // what a row of the embedding is multiplied with
  // Granite's and gpt-oss's numbers as the reading applies them.
  double residual_scale() const;
  double logits_divisor() const;
  double gate_alpha() const;
  double gate_limit() const;
};

// Reads the parsed config.json. `file` is only for errors. An unknown model_type, rope type, quantisation or
// key that could change a number is Code::unsupported; a value outside its range Code::bad_value or
// Code::too_large; a missing one Code::missing_field.
Result<ModelConfig> parse_model_config(const Json& config, std::string_view file);
Result<ModelConfig> read_model_config(const std::string& config_path);

}  // namespace assay
