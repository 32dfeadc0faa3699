#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reference/model/config_parts.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxInner = 1 << 20;

Status read_counts(ConfigKeys& keys, const std::string& n_key, RouterConfig& r) {
  // transformers 5 writes the count of several families under one name.
  const std::string renamed = "num_local_experts";
  const bool only_renamed = !keys.has(n_key) && keys.has(renamed);
  ASSAY_TRY(r.n_experts, keys.integer(only_renamed ? renamed : n_key, 1, kMaxConfigExperts));
  ASSAY_TRY(const std::int64_t other, keys.integer_or(renamed, r.n_experts, 1, kMaxConfigExperts));
  if (other != r.n_experts) {
    return keys.refuse(Code::bad_value, renamed, "the two counts of experts differ",
                       std::to_string(r.n_experts), std::to_string(other));
  }
  ASSAY_TRY(r.n_chosen, keys.integer("num_experts_per_tok", 1, r.n_experts));
  return {};
}

// Layers that `decoder_sparse_step` and `mlp_only_layers` leave to experts (Qwen2-MoE and Qwen3-MoE).
Status read_qwen_layers(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_TRY(const std::int64_t step, keys.integer_or("decoder_sparse_step", 1, 1, 1 << 20));
  ASSAY_TRY(const auto dense, keys.integers("mlp_only_layers", 0, c.num_hidden_layers - 1));
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const bool listed = std::find(dense.begin(), dense.end(), i) != dense.end();
    c.layers[static_cast<std::size_t>(i)].is_moe = !listed && (i + 1) % step == 0;
  }
  return {};
}

Status read_qwen(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  ASSAY_OK(read_counts(keys, "num_experts", c.router));
  ASSAY_TRY(c.moe_intermediate_size, keys.integer("moe_intermediate_size", 1, kMaxInner));
  ASSAY_TRY(const bool normalised, keys.boolean_or("norm_topk_prob", false));
  c.router.topk_norm = normalised ? TopkNorm::sum : TopkNorm::none;
  if (!family.shared_name.empty()) {
    ASSAY_TRY(c.shared_intermediate_size, keys.integer("shared_expert_intermediate_size", 1, kMaxInner));
    c.shared_gate = true;
    return read_qwen_layers(keys, c);
  }
  ASSAY_TRY(const std::int64_t shared, keys.integer_or("shared_expert_intermediate_size", 0, 0, kMaxInner));
  if (shared != 0) {
    return keys.refuse(Code::unsupported, "shared_expert_intermediate_size",
                       "this family has no shared expert", "0", std::to_string(shared));
  }
  return read_qwen_layers(keys, c);
}

Status read_flat(ConfigKeys& keys, const std::string& n_key, bool normalised, ModelConfig& c) {
  ASSAY_OK(read_counts(keys, n_key, c.router));
  c.moe_intermediate_size = c.intermediate_size;
  c.router.topk_norm = normalised ? TopkNorm::sum : TopkNorm::none;
  for (LayerChoice& layer : c.layers) layer.is_moe = true;
  return {};
}

// GraniteMoeMoE and openai/gpt-oss torch/model.py: the logits choose, the soft-max over the chosen ones weighs.
Status read_granite(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  constexpr std::int64_t kMaxShared = kMaxInner;
  ASSAY_OK(read_flat(keys, "num_local_experts", false, c));
  c.router.scoring = Scoring::softmax_of_chosen;
  ASSAY_TRY(c.shared_intermediate_size,
            keys.integer_or("shared_intermediate_size", 0, 0, family.shared_name.empty() ? 0 : kMaxShared));
  return {};
}

Status read_gpt_oss(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_OK(read_flat(keys, "num_local_experts", false, c));
  ASSAY_TRY(const std::int64_t other,
            keys.integer_or("experts_per_token", c.router.n_chosen, 1, kMaxConfigExperts));
  if (other != c.router.n_chosen) {
    return keys.refuse(Code::bad_value, "experts_per_token",
                       "the two names of the number of chosen experts differ",
                       std::to_string(c.router.n_chosen), std::to_string(other));
  }
  c.router.scoring = Scoring::softmax_of_chosen;
  c.router_bias = c.expert_bias = true;
  keys.has("initial_context_length");  // of training; original_max_position_embeddings says what YaRN takes
  c.activation = Activation::clamped_swiglu;
  ASSAY_TRY(c.swiglu_alpha, keys.number_or("swiglu_alpha", c.swiglu_alpha, 1e-3, 1e3));
  ASSAY_TRY(c.swiglu_limit, keys.number_or("swiglu_limit", c.swiglu_limit, 1e-3, 1e6));
  return {};
}

Status check_groups(const ConfigKeys& keys, bool top2, const RouterConfig& r) {
  if (r.n_experts % r.n_groups != 0) {
    return keys.refuse(Code::bad_value, "n_group", "experts cannot be grouped evenly",
                       fmt::format("a divisor of {}", r.n_experts), std::to_string(r.n_groups));
  }
  const std::int64_t size = r.n_experts / r.n_groups;
  if (r.n_groups > 1 && top2 && size < 2) {
    return keys.refuse(Code::bad_value, "n_group", "a group is ranked by its two best experts",
                       "groups of 2 or more", std::to_string(size));
  }
  if (r.n_chosen > size * r.n_open_groups) {
    return keys.refuse(Code::bad_value, "topk_group", "the open groups have too few experts",
                       fmt::format("at least {} experts", r.n_chosen),
                       std::to_string(size * r.n_open_groups));
  }
  return {};
}

Status read_groups(ConfigKeys& keys, const std::string& method, RouterConfig& r) {
  ASSAY_TRY(const std::int64_t groups, keys.integer_or("n_group", 1, 1, r.n_experts));
  ASSAY_TRY(const std::int64_t open, keys.integer_or("topk_group", groups, 1, groups));
  if (method == "greedy" || groups == 1) return {};
  r.n_groups = groups;
  r.n_open_groups = open;
  r.group_score = method == "noaux_tc" ? GroupScore::top2_sum : GroupScore::max;
  return check_groups(keys, method == "noaux_tc", r);
}

// What the router does: DeepSeek-V3 inference/model.py Gate, modeling_deepseek.py MoEGate of V2.
Status read_deepseek_router(ConfigKeys& keys, bool v3, RouterConfig& r) {
  ASSAY_TRY(const std::string scoring, keys.text_or("scoring_func", v3 ? "sigmoid" : "softmax"));
  ASSAY_TRY(const std::string method, keys.text_or("topk_method", v3 ? "noaux_tc" : "greedy"));
  if (scoring != (v3 ? "sigmoid" : "softmax")) {
    return keys.refuse(Code::unsupported, "scoring_func", "this family does not score experts so",
                       v3 ? "sigmoid" : "softmax", scoring);
  }
  const bool known = v3 ? method == "noaux_tc" : method == "greedy" || method == "group_limited_greedy";
  if (!known) {
    return keys.refuse(Code::unsupported, "topk_method", "this family does not choose experts so",
                       v3 ? "noaux_tc" : "greedy or group_limited_greedy", method);
  }
  r.scoring = v3 ? Scoring::sigmoid : Scoring::softmax;
  r.correction_bias = v3;
  r.closed_groups = v3 ? ClosedGroups::minus_infinity : ClosedGroups::zero;
  r.epsilon = 1e-20;
  for (const char* key : {"n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor"}) {
    if (!v3 || keys.has(key))
      continue;  // DeepSeek's configuration class and that of transformers fill in different ones
    return keys.refuse(Code::missing_field, key, "published codes fill in different numbers here", "a value",
                       "nothing");
  }
  ASSAY_TRY(r.scaling_factor, keys.number_or("routed_scaling_factor", 1.0, -1e6, 1e6));
  ASSAY_TRY(const bool normalised, keys.boolean_or("norm_topk_prob", v3));
  if (normalised) r.topk_norm = v3 ? TopkNorm::sum : TopkNorm::sum_unscaled;
  return read_groups(keys, method, r);
}

Status read_deepseek(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  const bool v3 = family.model_type == "deepseek_v3";
  ASSAY_OK(read_counts(keys, "n_routed_experts", c.router));
  ASSAY_TRY(c.moe_intermediate_size, keys.integer("moe_intermediate_size", 1, kMaxInner));
  ASSAY_TRY(const std::int64_t n_shared, keys.integer_or("n_shared_experts", 0, 0, 64));
  c.shared_intermediate_size = n_shared * c.moe_intermediate_size;  // several shared experts are one wide one
  // transformers 5 has a second name for the modules.
  const std::string mtp_key =
      keys.has("num_nextn_predict_layers") ? "num_nextn_predict_layers" : "num_mtp_layers";
  ASSAY_TRY(c.num_nextn_predict_layers, keys.integer_or(mtp_key, 0, 0, 64));
  ASSAY_TRY(const std::int64_t first, keys.integer_or("first_k_dense_replace", 0, 0, 1 << 20));
  ASSAY_TRY(const std::int64_t step, keys.integer_or("moe_layer_freq", 1, 1, 1 << 20));
  // The modules are numbered on after the layers, and the rule goes on with them (vLLM deepseek_mtp.py builds the same decoder layer).
  c.mtp_layers.resize(static_cast<std::size_t>(c.num_nextn_predict_layers));
  for (std::int64_t i = 0; i < c.num_hidden_layers + c.num_nextn_predict_layers; ++i) {
    LayerChoice& layer = i < c.num_hidden_layers
                             ? c.layers[static_cast<std::size_t>(i)]
                             : c.mtp_layers[static_cast<std::size_t>(i - c.num_hidden_layers)];
    layer.is_moe = i >= first && i % step == 0;
  }
  return read_deepseek_router(keys, v3, c.router);
}

}  // namespace

Status read_experts(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  c.layers.assign(static_cast<std::size_t>(c.num_hidden_layers), LayerChoice{});
  c.expert_storage = family.expert_storage;
  switch (family.moe) {
    case MoeStyle::dense:
      return {};
    case MoeStyle::mixtral:
      return read_flat(keys, "num_local_experts", true, c);
    case MoeStyle::qwen:
      return read_qwen(keys, family, c);
    case MoeStyle::deepseek:
      return read_deepseek(keys, family, c);
    case MoeStyle::granite:
      return read_granite(keys, family, c);
    case MoeStyle::gpt_oss:
      return read_gpt_oss(keys, c);
    case MoeStyle::olmoe: {
      ASSAY_TRY(const bool normalised, keys.boolean_or("norm_topk_prob", false));
      return read_flat(keys, "num_experts", normalised, c);
    }
  }
  return {};
}

// transformers 5 also lists what each layer does; the list must say what the other keys say.
Status check_layer_types(ConfigKeys& keys, const ModelConfig& c) {
  const Json* list = keys.find("layer_types");
  if (!list) return {};
  bool same = list->is_array() && list->size() == c.layers.size();
  for (std::size_t i = 0; same && i < c.layers.size(); ++i) {
    same = (*list)[i] == (c.layers[i].window > 0 ? "sliding_attention" : "full_attention");
  }
  if (same) return {};
  return keys.refuse(Code::unsupported, "layer_types", "the layers are not what the other keys make them",
                     "full_attention or sliding_attention as sliding_window says",
                     dump_json(*list).substr(0, 80));
}

// Layers that slide where the configuration lists them: those that `layer_types` names, without it every other one.
Status apply_listed_windows(ConfigKeys& keys, ModelConfig& c) {
  ASSAY_TRY(const std::int64_t window, keys.integer("sliding_window", 1, std::int64_t{1} << 40));
  const Json* list = keys.find("layer_types");
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    const bool listed =
        list && list->is_array() && i < list->size();  // check_layer_types refuses a wrong list
    const bool slides = listed ? (*list)[i] == "sliding_attention" : i % 2 == 0;
    c.layers[i].window = slides ? window : 0;
  }
  return {};
}

Status apply_windows(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  if (family.window == WindowRule::none) return {};
  if (family.states_window && !keys.mentions("sliding_window")) {
    return keys.refuse(Code::missing_field, "sliding_window",
                       "published codes fill in different numbers here", "an integer or null", "nothing");
  }
  if (family.window == WindowRule::listed) return apply_listed_windows(keys, c);
  const bool switched = family.window != WindowRule::all_layers || family.moe == MoeStyle::qwen;
  ASSAY_TRY(const std::int64_t window, keys.integer_or("sliding_window", 0, 1, std::int64_t{1} << 40));
  ASSAY_TRY(const bool on, keys.boolean_or("use_sliding_window", !switched));
  const bool needs_upper = on && window > 0 && family.window == WindowRule::upper_layers;
  if (needs_upper && !keys.has("max_window_layers")) {
    return keys.refuse(Code::missing_field, "max_window_layers",
                       "a window is on and nothing says for which layers", "an integer", "nothing");
  }
  ASSAY_TRY(const std::int64_t upper, keys.integer_or("max_window_layers", 0, 0, 1 << 20));
  if (!on || window == 0) return {};
  if (family.window == WindowRule::refused) {
    return keys.refuse(Code::unsupported, "use_sliding_window",
                       "published codes disagree on which layers of this family slide", "false", "true");
  }
  if (needs_upper) c.window_split = upper;
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const bool slides = family.window == WindowRule::all_layers || i >= upper;
    c.layers[static_cast<std::size_t>(i)].window = slides ? window : 0;
  }
  return {};
}

Status read_windows(ConfigKeys& keys, const Family& family, ModelConfig& c) {
  ASSAY_OK(apply_windows(keys, family, c));
  return check_layer_types(keys, c);
}

namespace {

// A text key that may have only one value here; absent counts as that value.
Status only_value(ConfigKeys& keys, const std::string& key, const std::string& only,
                  const std::string& message) {
  ASSAY_TRY(const std::string got, keys.text_or(key, only));
  if (got == only) return {};
  return keys.refuse(Code::unsupported, key, message, only, got);
}

Status read_block_size(ConfigKeys& keys, QuantConfig& quant) {
  ASSAY_TRY(const auto block, keys.integers("weight_block_size", 1, 1 << 20));
  if (block.empty()) return {};
  if (block.size() != 2) {
    return keys.refuse(Code::bad_value, "weight_block_size", "a block has two sides", "[rows, columns]",
                       std::to_string(block.size()));
  }
  quant.block_rows = block[0];
  quant.block_cols = block[1];
  return {};
}

// MXFP4 is how the experts of gpt-oss are published; all else stays as it is.
Status read_mxfp4(ConfigKeys& q, const ModelConfig& c) {
  if (c.expert_storage != ExpertStorage::interleaved) {
    return q.refuse(Code::unsupported, "quant_method", "this family is not published so", "fp8", "mxfp4");
  }
  constexpr std::int64_t kBlock = 32;  // OCP Microscaling Formats 1.0: inputs that share a scale
  if (c.hidden_size % kBlock != 0 || c.moe_intermediate_size % kBlock != 0) {
    return q.refuse(Code::bad_value, "quant_method", "MXFP4 needs inputs in blocks of 32",
                    "hidden_size and intermediate_size divisible by 32",
                    fmt::format("{} and {}", c.hidden_size, c.moe_intermediate_size));
  }
  static constexpr std::string_view kHarmlessQuantKeys[] = {"modules_to_not_convert", "dequantize"};
  return q.refuse_rest(kHarmlessQuantKeys);
}

}  // namespace

Status read_quantisation(ConfigKeys& keys, std::string_view file, ModelConfig& c) {
  const Json* object = keys.find("quantization_config");
  if (!object) return {};
  if (!object->is_object()) {
    return keys.refuse(Code::bad_value, "quantization_config", "the quantisation is not described",
                       "an object", object->type_name());
  }
  ConfigKeys q(*object, file, "quantization_config.");
  ASSAY_TRY(c.quant.method, q.text_or("quant_method", ""));
  if (c.quant.method.empty())
    return q.refuse(Code::missing_field, "quant_method", "the quantisation has no name", "fp8 or mxfp4",
                    "nothing");
  if (c.quant.method == "mxfp4") return read_mxfp4(q, c);
  ASSAY_OK(only_value(q, "quant_method", "fp8", "a quantisation that this version does not know"));
  ASSAY_TRY(const std::string fmt, q.text_or("fmt", "e4m3"));
  if (fmt != "e4m3" && fmt != "e5m2")  // what a matrix is stored in, its own format says
    return q.refuse(Code::unsupported, "fmt", "a number format that is not known here", "e4m3 or e5m2", fmt);
  c.quant.ue8m0 = q.has("scale_fmt");
  ASSAY_OK(only_value(q, "scale_fmt", "ue8m0", "a scale format that is not known here"));
  ASSAY_OK(read_block_size(q, c.quant));
  static constexpr std::string_view kHarmlessQuantKeys[] = {"activation_scheme", "modules_to_not_convert",
                                                   "ignored_layers", "dequantize"};
  return q.refuse_rest(kHarmlessQuantKeys);
}

}  // namespace assay
