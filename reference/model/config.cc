#include "reference/model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "reference/model/config_defaults.h"
#include "reference/model/config_keys.h"
#include "reference/model/config_parts.h"
#include "reference/model/families.h"

namespace assay {
namespace {

// Ten times and more beyond every published model; products of them stay far below 2^63.
constexpr std::int64_t kMaxVocab = 1 << 24, kMaxWidth = 1 << 20, kMaxLayers = 4096, kMaxHeads = 1 << 14;
constexpr std::int64_t kMaxHeadDim = 1 << 14, kMaxContext = std::int64_t{1} << 31;

// Training, generation and bookkeeping: none of these changes a logit.
constexpr std::string_view kHarmless[] = {"architectures",
                                          "auto_map",
                                          "transformers_version",
                                          "use_cache",
                                          "initializer_range",
                                          "attention_dropout",
                                          "pretraining_tp",
                                          "pad_token_id",
                                          "ep_size",
                                          "aux_loss_alpha",
                                          "seq_aux",
                                          "output_router_logits",
                                          "router_aux_loss_coef",
                                          "router_jitter_noise",
                                          "hidden_dropout",
                                          "resid_dropout",
                                          "embd_dropout",
                                          "return_dict",
                                          "output_attentions",
                                          "output_hidden_states",
                                          "id2label",
                                          "label2id",
                                          "problem_type",
                                          "task_specific_params",
                                          "chunk_size_feed_forward",
                                          "num_return_sequences",
                                          "unsloth_fixed",
                                          "max_length",
                                          "min_length",
                                          "do_sample",
                                          "num_beams",
                                          "temperature",
                                          "top_k",
                                          "top_p",
                                          "decoder_start_token_id",
                                          "unsloth_version",
                                          "is_decoder",
                                          "cross_attention_hidden_size",
                                          "torchscript",
                                          "use_bfloat16",
                                          "sep_token_id",
                                          "tokenizer_class",
                                          "finetuning_task",
                                          "prefix",
                                          "length_penalty",
                                          "repetition_penalty",
                                          "diversity_penalty",
                                          "num_beam_groups",
                                          "typical_p",
                                          "no_repeat_ngram_size",
                                          "encoder_no_repeat_ngram_size",
                                          "early_stopping"};

Status read_context(ConfigKeys& keys, ModelConfig& c) {
  const std::int64_t fallback = default_context(c.model_type);
  if (fallback > 0) {
    ASSAY_TRY(c.max_position_embeddings,
              keys.integer_or("max_position_embeddings", fallback, 1, kMaxContext));
    return {};
  }
  ASSAY_TRY(c.max_position_embeddings, keys.integer("max_position_embeddings", 1, kMaxContext));
  return {};
}

Status read_sizes(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_TRY(c.vocab_size, keys.integer("vocab_size", 1, kMaxVocab));
  ASSAY_TRY(c.hidden_size, keys.integer("hidden_size", 1, kMaxWidth));
  ASSAY_TRY(c.num_hidden_layers, keys.integer("num_hidden_layers", 1, kMaxLayers));
  ASSAY_TRY(c.intermediate_size, keys.integer("intermediate_size", 1, kMaxWidth));
  ASSAY_OK(read_context(keys, c));
  ASSAY_TRY(c.rms_norm_eps, keys.number("rms_norm_eps", 1e-30, 1.0));
  ASSAY_TRY(c.tie_word_embeddings, keys.boolean_or("tie_word_embeddings", false));
  ASSAY_TRY(const std::string act, keys.text_or("hidden_act", "silu"));
  if (act != "silu" && act != "swish") {
    return keys.refuse(Code::unsupported, "hidden_act", "an activation that is not known here", "silu", act);
  }
  ASSAY_TRY(c.torch_dtype, keys.text_or("torch_dtype", ""));
  ASSAY_TRY(const std::string dtype, keys.text_or("dtype", c.torch_dtype));
  c.torch_dtype = dtype;
  return {};
}

// Counts of tensors and parameters that the rest may multiply and enumerate without asking again.
Status check_total(const ConfigKeys& keys, const ModelConfig& c) {
  constexpr std::int64_t kMaxExpertTensors = 1 << 20;  // DeepSeek-V3 has 47,000
  constexpr double kMaxParameters = 1e14;              // a hundred times the largest published
  const std::int64_t experts = c.num_hidden_layers * c.router.n_experts;
  if (experts > kMaxExpertTensors) {
    return keys.refuse(Code::too_large, "num_hidden_layers", "too many experts in all layers together",
                       fmt::format("at most {}", kMaxExpertTensors), std::to_string(experts));
  }
  const auto real = [](std::int64_t n) { return static_cast<double>(n); };
  const double heads = real(c.num_attention_heads) * 2 * real(c.key_dim() + c.value_dim());
  const double wide = real(c.hidden_size + c.q_lora_rank + c.kv_lora_rank);
  const double inner = real(c.intermediate_size + c.shared_intermediate_size) +
                       real(c.router.n_experts) * real(c.moe_intermediate_size);
  const double total =
      wide * (2 * real(c.vocab_size) + real(c.num_hidden_layers) * (heads + wide + 3 * inner));
  if (total <= kMaxParameters) return {};
  return keys.refuse(Code::too_large, "hidden_size", "the sizes together make an impossibly large model",
                     fmt::format("at most {:.0e} parameters", kMaxParameters), fmt::format("{:.1e}", total));
}

Status read_special_ids(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_TRY(const auto bos, keys.integers("bos_token_id", -1, c.vocab_size - 1));
  if (bos.size() > 1)
    return keys.refuse(Code::bad_value, "bos_token_id", "more than one first token", "one id", "a list");
  if (!bos.empty()) c.bos_token_id = bos[0];
  ASSAY_TRY(c.eos_token_ids, keys.integers("eos_token_id", -1, c.vocab_size - 1));
  std::erase(c.eos_token_ids, -1);
  return {};
}

Status read_grouped(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  const std::int64_t heads = c.num_attention_heads;
  for (const auto& [stated, key] : {std::pair(family.states_kv_heads, "num_key_value_heads"),
                                    std::pair(family.states_head_dim, "head_dim")}) {
    if (stated && !keys.has(key)) {
      return keys.refuse(Code::missing_field, key, "published codes fill in different numbers here",
                         "an integer", "nothing");
    }
  }
  ASSAY_TRY(c.num_key_value_heads, keys.integer_or("num_key_value_heads", heads, 1, kMaxHeads));
  if (heads % c.num_key_value_heads != 0) {
    return keys.refuse(Code::bad_value, "num_key_value_heads", "queries cannot be shared out evenly",
                       fmt::format("a divisor of {}", heads), std::to_string(c.num_key_value_heads));
  }
  ASSAY_TRY(c.head_dim, keys.integer_or("head_dim", 0, 1, kMaxHeadDim));
  if (c.head_dim == 0 && c.hidden_size % heads != 0) {
    return keys.refuse(Code::bad_value, "num_attention_heads",
                       "the hidden size is no multiple of the heads and head_dim is not given",
                       fmt::format("a divisor of {}", c.hidden_size), std::to_string(heads));
  }
  if (c.head_dim == 0) c.head_dim = c.hidden_size / heads;
  c.qk_norm = family.qk_norm;
  c.attention_sinks = family.attention_sinks;
  const bool normed = family.qk_norm != QkNorm::none;
  ASSAY_TRY(const bool use_qk_norm,
            keys.boolean_or("use_qk_norm", normed));  // in early Qwen3-MoE configurations
  if (use_qk_norm != normed) {
    return keys.refuse(Code::unsupported, "use_qk_norm", "this family has its query and key norms fixed",
                       normed ? "true" : "false", use_qk_norm ? "true" : "false");
  }
  if (family.model_type == "olmoe") {
    ASSAY_TRY(c.clip_qkv, keys.number_or("clip_qkv", 0, 1e-6, 1e6));
  }
  return {};
}

Status read_latent(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_TRY(c.num_key_value_heads,
            keys.integer_or("num_key_value_heads", c.num_attention_heads, 1, kMaxHeads));
  if (c.num_key_value_heads != c.num_attention_heads) {
    return keys.refuse(Code::unsupported, "num_key_value_heads",
                       "latent attention has as many key as query heads",
                       std::to_string(c.num_attention_heads), std::to_string(c.num_key_value_heads));
  }
  ASSAY_TRY(c.q_lora_rank, keys.integer_or("q_lora_rank", 0, 0, kMaxWidth));
  ASSAY_TRY(c.kv_lora_rank, keys.integer("kv_lora_rank", 1, kMaxWidth));
  ASSAY_TRY(c.qk_nope_head_dim, keys.integer("qk_nope_head_dim", 1, kMaxHeadDim));
  ASSAY_TRY(c.qk_rope_head_dim, keys.integer("qk_rope_head_dim", 2, kMaxHeadDim));
  ASSAY_TRY(c.v_head_dim, keys.integer("v_head_dim", 1, kMaxHeadDim));
  const std::int64_t whole = c.qk_nope_head_dim + c.qk_rope_head_dim;
  ASSAY_TRY(const std::int64_t stated, keys.integer_or("qk_head_dim", whole, 1, 2 * kMaxHeadDim));
  if (stated != whole) {
    return keys.refuse(Code::bad_value, "qk_head_dim", "the head is not the sum of its parts",
                       std::to_string(whole), std::to_string(stated));
  }
  // transformers writes the rotated part here; other values have been seen and none of them is used by
  // anybody.
  ASSAY_TRY(c.head_dim, keys.integer_or("head_dim", c.qk_rope_head_dim, 1, kMaxHeadDim));
  if (c.head_dim != c.qk_rope_head_dim && c.head_dim != whole) {
    return keys.refuse(Code::unsupported, "head_dim", "a head size that fits no part of the latent attention",
                       fmt::format("{} or {}", c.qk_rope_head_dim, whole), std::to_string(c.head_dim));
  }
  ASSAY_TRY(const bool pairs, keys.boolean_or("rope_interleave", true));
  c.rope.layout = pairs ? RopeLayout::pairs : RopeLayout::halves;
  return {};
}

Status read_biases(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  ASSAY_TRY(const bool bias,
            keys.boolean_or("attention_bias", family.qkv_bias_always || family.attention_bias_default));
  ASSAY_TRY(const bool qkv, keys.boolean_or("qkv_bias", bias));
  const bool fixed = !family.reads_attention_bias;
  if (fixed && (bias != family.qkv_bias_always || qkv != bias)) {
    return keys.refuse(Code::unsupported, qkv != bias ? "qkv_bias" : "attention_bias",
                       "this family has its biases fixed", family.qkv_bias_always ? "true" : "false",
                       bias ? "true" : "false");
  }
  c.qkv_bias = qkv;
  c.o_bias = family.reads_attention_bias && bias;
  if (family.reads_attention_bias && qkv != bias) {
    return keys.refuse(Code::unsupported, "qkv_bias", "this family has one switch for all biases",
                       bias ? "true" : "false", "the other");
  }
  ASSAY_TRY(c.mlp_bias, keys.boolean_or("mlp_bias", false));
  if (c.mlp_bias && family.model_type != "llama") {
    return keys.refuse(Code::unsupported, "mlp_bias", "this family has no bias there", "false", "true");
  }
  return {};
}

// GraniteMoeConfig: each is 1 where it is missing, the attention's too.
Status read_multipliers(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  constexpr double kLeast = 1e-9, kMost = 1e9;  // Granite's lie between 0.01 and 12
  if (!family.multipliers) return {};
  ASSAY_TRY(c.embedding_multiplier, keys.number_or("embedding_multiplier", 1, kLeast, kMost));
  ASSAY_TRY(c.residual_multiplier, keys.number_or("residual_multiplier", 1, kLeast, kMost));
  ASSAY_TRY(c.attention_multiplier, keys.number_or("attention_multiplier", 1, kLeast, kMost));
  ASSAY_TRY(c.logits_scaling, keys.number_or("logits_scaling", 1, kLeast, kMost));
  return {};
}

Status read_attention(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  c.attention = family.attention;
  ASSAY_TRY(c.num_attention_heads, keys.integer("num_attention_heads", 1, kMaxHeads));
  ASSAY_OK(c.attention == AttentionKind::latent ? read_latent(keys, c) : read_grouped(keys, family, c));
  if (c.rope_dim() % 2 != 0) {
    return keys.refuse(Code::bad_value,
                       c.attention == AttentionKind::latent ? "qk_rope_head_dim" : "head_dim",
                       "rotated elements come in pairs", "an even number", std::to_string(c.rope_dim()));
  }
  return read_biases(keys, family, c);
}

Result<const Family*> known_family(const Json& config, std::string_view file) {
  if (!config.contains("model_type") && config.contains("n_layers") && config.contains("dim")) {
    return Error{
        .code = Code::unsupported,
        .message =
            "this configuration is of another program (the inference demo of DeepSeek-V3, or llama2.c)",
        .file = std::string(file),
        .field = "model_type",
        .expected = "the config.json that was published with the weights",
        .got = "a configuration with dim and n_layers"};
  }
  ASSAY_TRY(const std::string type, json_string(config, "model_type", file));
  const Family* family = find_family(type);
  if (family) return family;
  const std::string_view name = family_to_come(type);
  std::string known;
  for (const Family& f : families()) known += (known.empty() ? "" : ", ") + std::string(f.model_type);
  return Error{.code = Code::unsupported,
               .message = name.empty() ? "a model type that this version does not know"
                                       : fmt::format("{} is not supported yet", name),
               .file = std::string(file),
               .field = "model_type",
               .expected = known,
               .got = type.substr(0, 80)};
}

Status read_architecture(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  c.model_type = family.model_type;
  c.architecture = family.architecture;
  const Json* named = keys.find("architectures");
  if (!named) return {};
  const bool one = named->is_array() && named->size() == 1 && (*named)[0].is_string();
  if (!one || (*named)[0].get<std::string>() != c.architecture) {
    return keys.refuse(Code::unsupported, "architectures",
                       "the architecture is not the one of the model type", c.architecture,
                       dump_json(*named).substr(0, 80));
  }
  return {};
}

}  // namespace

std::int64_t ModelConfig::n_moe_layers() const {
  return std::count_if(layers.begin(), layers.end(), [](const LayerChoice& layer) { return layer.is_moe; });
}

std::int64_t ModelConfig::window_of(std::size_t layer) const {
  const std::int64_t window = layers[layer].window;
  if (window == 0 || reading.window_keys == WindowKeys::all) return 0;
  return reading.window_keys == WindowKeys::one_more ? window + 1 : window;
}

double RouterConfig::routed_scale() const {
  if (reading.scale == RoutedScale::omitted) return 1;
  return reading.scale == RoutedScale::twice ? scaling_factor * scaling_factor : scaling_factor;
}

double ModelConfig::embedding_scale() const {
  if (reading.embedding_scale == EmbeddingScale::configured) return embedding_multiplier;
  if (reading.embedding_scale == EmbeddingScale::omitted) return 1;
  return std::sqrt(static_cast<double>(hidden_size));
}

double ModelConfig::residual_scale() const {
  return reading.residual_multiplier == Multiplier::configured ? residual_multiplier : 1;
}

double ModelConfig::logits_divisor() const {
  return reading.logits_scaling == Multiplier::configured ? logits_scaling : 1;
}

double ModelConfig::gate_alpha() const {
  return reading.swiglu_alpha == SwigluAlpha::configured ? swiglu_alpha : 1;
}

double ModelConfig::gate_limit() const {
  return reading.swiglu_limit == SwigluLimit::configured ? swiglu_limit
                                                         : std::numeric_limits<double>::infinity();
}

double ModelConfig::norm_eps() const {
  if (reading.norm_eps == NormEps::configured) return rms_norm_eps;
  return reading.norm_eps == NormEps::e5 ? 1e-5 : 1e-6;
}

Result<ModelConfig> parse_model_config(const Json& config, std::string_view file) {
  if (!config.is_object()) {
    return Error{.code = Code::bad_value,
                 .message = "the configuration is not an object",
                 .file = std::string(file),
                 .expected = "an object",
                 .got = config.type_name()};
  }
  ASSAY_TRY(const Family* family, known_family(config, file));
  ConfigKeys keys(config, file);
  keys.has("model_type");
  ModelConfig c;
  ASSAY_OK(read_architecture(keys, *family, c));
  ASSAY_OK(read_sizes(keys, c));
  ASSAY_OK(read_special_ids(keys, c));
  ASSAY_OK(read_attention(keys, *family, c));
  ASSAY_OK(read_multipliers(keys, *family, c));
  ASSAY_OK(read_rope(keys, *family, file, c));
  ASSAY_OK(read_experts(keys, *family, c));
  ASSAY_OK(read_windows(keys, *family, c));
  ASSAY_OK(read_quantisation(keys, file, c));
  ASSAY_OK(keys.refuse_rest(kHarmless));
  ASSAY_OK(check_total(keys, c));
  ASSAY_CHECK(static_cast<std::int64_t>(c.layers.size()) == c.num_hidden_layers);
  ASSAY_CHECK(c.rope_dim() % 2 == 0 && c.key_dim() > 0 && c.value_dim() > 0);
  return c;
}

Result<ModelConfig> read_model_config(const std::string& config_path) {
  constexpr JsonLimits kLimits{.max_bytes = std::size_t{4} << 20, .max_depth = 16, .max_values = 200'000};
  ASSAY_TRY(const Json config, read_json_file(config_path, kLimits));
  return parse_model_config(config, config_path);
}

}  // namespace assay
