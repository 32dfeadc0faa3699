#include "reference/model/conventions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace assay {
namespace {

bool is_deepseek(const ModelConfig& c) { return c.attention == AttentionKind::latent; }
bool has_experts(const ModelConfig& c) { return c.n_moe_layers() > 0; }
bool has_groups(const ModelConfig& c) { return has_experts(c) && c.router.n_groups > 1; }
bool has_window(const ModelConfig& c) {
  return std::any_of(c.layers.begin(), c.layers.end(), [](const LayerChoice& l) { return l.window > 0; });
}

// Lets the layers below max_window_layers slide, or those from it on.
void slide_layers(ModelConfig& c, bool below) {
  std::int64_t window = 0;
  for (const LayerChoice& layer : c.layers) window = std::max(window, layer.window);
  ASSAY_CHECK(window > 0);
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    c.layers[static_cast<std::size_t>(i)].window = (i < c.window_split) == below ? window : 0;
  }
}

struct Convention {
  std::string_view name;
  std::array<std::string_view, 8> values;  // unused ones empty; what stands first is the authors' choice
  std::string_view source;
  bool (*applies)(const ModelConfig&);
  std::size_t (*get)(const ModelConfig&);
  void (*set)(ModelConfig&, std::size_t);
  std::size_t oracle_only = 8;                            // values from here on run on the f64 path alone
  std::size_t (*n_values)(const ModelConfig&) = nullptr;  // of this model; null: all of them

  std::size_t all() const {
    return static_cast<std::size_t>(std::find(values.begin(), values.end(), std::string_view()) -
                                    values.begin());
  }
  std::size_t count(const ModelConfig& c) const { return n_values ? std::min(all(), n_values(c)) : all(); }
};

// A convention kept in an enum field whose enumerators stand in the order of the values.
#define ASSAY_ENUM_FIELD(field)                                           \
  [](const ModelConfig& c) { return static_cast<std::size_t>(c.field); }, \
      [](ModelConfig& c, std::size_t i) { c.field = static_cast<decltype(c.field)>(i); }

const Convention kConventions[] = {
    {"yarn-softmax-scale",
     {"plain", "mscale-squared"},
     "DeepSeek-V3 inference/model.py MLA multiplies the scale by mscale(mscale_all_dim)²; transformers <= "
     "5.6.2 left it out",
     [](const ModelConfig& c) {
       return is_deepseek(c) && c.rope.kind == RopeKind::yarn && c.rope.has_mscale_all_dim;
     },
     ASSAY_ENUM_FIELD(softmax_scale)},
    {"yarn-gain",
     {"authors", "transformers"},
     "modeling_deepseek.py: mscale(mscale) / mscale(mscale_all_dim) on cos and sin; transformers uses "
     "mscale(1) unless both are given",
     [](const ModelConfig& c) { return is_deepseek(c) && c.rope.kind == RopeKind::yarn; },
     ASSAY_ENUM_FIELD(rope.gain)},
    {"rope-layout",
     {"halves", "pairs"},
     "DeepSeek rotates neighbours (2j, 2j + 1), Llama in Hugging Face layout j and j + d/2",
     [](const ModelConfig&) { return true; },
     ASSAY_ENUM_FIELD(rope.layout)},
    {"latent-norm-eps",
     {"1e-6", "rms_norm_eps"},
     "DeepSeek's latent norms take the default of their class, 1e-6",
     is_deepseek,
     ASSAY_ENUM_FIELD(latent_eps)},
    {"closed-groups",
     {"minus-infinity", "zero"},
     "DeepSeek-V3 inference/model.py: -inf since commit 1398800 (2025-02-14), 0 before; the positive scores "
     "of V2 "
     "do not show it",
     [](const ModelConfig& c) { return has_groups(c) && c.router.correction_bias; },
     ASSAY_ENUM_FIELD(router.closed_groups)},
    {"group-score",
     {"none", "max", "top2-sum"},
     "V3 ranks a group by the sum of its two best biased scores, V2 by the best one (vLLM PR 13474)",
     has_groups,
     ASSAY_ENUM_FIELD(router.group_score)},
    {"mixing-weight",
     {"unbiased", "biased"},
     "the correction bias chooses and does not weigh (vLLM PR 12002)",
     [](const ModelConfig& c) { return c.n_moe_layers() > 0 && c.router.correction_bias; },
     ASSAY_ENUM_FIELD(router.mixing_weight)},
    {"topk-weights",
     {"as-scored", "divided-by-sum", "divided-by-sum-unscaled"},
     "norm_topk_prob: V2's own code does not scale after dividing, DeepSeek-VL2 does, transformers ignores "
     "the key for V2",
     [](const ModelConfig& c) { return c.n_moe_layers() > 0; },
     ASSAY_ENUM_FIELD(router.topk_norm)},
    {"window-layers",
     {"above", "below"},
     "max_window_layers: layers at or above it slide (transformers since 2024); the first Qwen2 code let "
     "those below slide",
     [](const ModelConfig& c) { return c.window_split > 0 && c.window_split < c.num_hidden_layers; },
     [](const ModelConfig& c) { return static_cast<std::size_t>(c.layers[0].window > 0); },
     [](ModelConfig& c, std::size_t i) { slide_layers(c, i == 1); }},
    {"clip-qkv",
     {"before-norm", "after-norm"},
     "allenai/OLMo clips before the q and k norms, transformers after",
     [](const ModelConfig& c) { return c.clip_qkv > 0; },
     ASSAY_ENUM_FIELD(clip_order)},
    {"router-softmax",
     {"before-topk", "after-topk", "after-mask"},
     "over all experts (modeling_deepseek.py, Qwen2-MoE, OLMoE); over the chosen logits (Granite, gpt-oss); "
     "over "
     "the open groups only (lmdeploy before PR 3030)",
     [](const ModelConfig& c) { return has_experts(c) && c.router.scoring != Scoring::sigmoid; },
     [](const ModelConfig& c) {
       if (c.router.scoring == Scoring::softmax_of_chosen) return std::size_t{1};
       return c.router.reading.softmax == RouterSoftmax::over_open ? std::size_t{2} : std::size_t{0};
     },
     [](ModelConfig& c, std::size_t i) {
       c.router.scoring = i == 1 ? Scoring::softmax_of_chosen : Scoring::softmax;
       c.router.reading.softmax = i == 2 ? RouterSoftmax::over_open : RouterSoftmax::over_all;
     },
     2,
     [](const ModelConfig& c) { return has_groups(c) ? std::size_t{3} : std::size_t{2}; }},
    {"router-numbers",
     {"full", "bf16-logits", "bf16-input", "bf16-scores"},
     "the authors' routers run in float32 (DeepSeek-V3 inference/model.py Gate); engines that round logits, "
     "input or scores to bf16: vLLM before PR 14027",
     has_experts,
     ASSAY_ENUM_FIELD(router.reading.numbers),
     3},
    {"correction-bias",
     {"full", "bf16", "omitted"},
     "e_score_correction_bias is float32; loaders that cast it to bf16: transformers issue 42580",
     [](const ModelConfig& c) { return has_experts(c) && c.router.correction_bias; },
     ASSAY_ENUM_FIELD(router.reading.correction)},
    {"routed-scale",
     {"once", "omitted", "twice"},
     "routed_scaling_factor multiplies the weights of the routed experts once",
     [](const ModelConfig& c) { return has_experts(c) && c.router.scaling_factor != 1; },
     ASSAY_ENUM_FIELD(router.reading.scale)},
    {"topk-epsilon",
     {"published", "omitted"},
     "DeepSeek adds 1e-20 to the sum of the chosen scores, without which vanishing scores give 0/0 "
     "(flashinfer issue 3803)",
     [](const ModelConfig& c) {
       return has_experts(c) && c.router.topk_norm != TopkNorm::none && c.router.epsilon > 0;
     },
     ASSAY_ENUM_FIELD(router.reading.epsilon)},
    {"shared-expert",
     {"added", "omitted"},
     "every token goes through the shared experts besides the routed ones (DeepSeekMoE 2401.06066 section "
     "3.2)",
     [](const ModelConfig& c) { return has_experts(c) && c.shared_intermediate_size > 0; },
     ASSAY_ENUM_FIELD(reading.shared_expert)},
    {"shared-gate",
     {"sigmoid", "omitted"},
     "Qwen2-MoE weighs the shared expert with a sigmoid of its own (modeling_qwen2_moe.py)",
     [](const ModelConfig& c) { return has_experts(c) && c.shared_gate; },
     ASSAY_ENUM_FIELD(reading.shared_gate)},
    {"window-keys",
     {"window", "one-more", "all"},
     "a query sees sliding_window keys, itself included; mistral-src one_file_ref.py masks one diagonal "
     "later; "
     "engines without windows see all",
     has_window,
     ASSAY_ENUM_FIELD(reading.window_keys)},
    {"rope-scaling",
     {"applied", "ignored"},
     "rope_scaling: an engine that does not know its type leaves frequencies, gain and soft-max scale plain",
     [](const ModelConfig& c) { return c.rope.kind != RopeKind::plain; },
     ASSAY_ENUM_FIELD(rope.reading.scaling)},
    {"yarn-bounds",
     {"rounded", "exact"},
     "the bounds of YaRN's ramp are rounded outward unless `truncate` is false, as in gpt-oss's "
     "configurations",
     [](const ModelConfig& c) { return c.rope.kind == RopeKind::yarn; },
     [](const ModelConfig& c) { return static_cast<std::size_t>(!c.rope.truncate); },
     [](ModelConfig& c, std::size_t i) { c.rope.truncate = i == 0; }},
    {"rope-theta",
     {"configured", "10000"},
     "rope_theta: 10000 is what libraries take where they do not find the key",
     [](const ModelConfig& c) { return c.rope.theta != 10000; },
     ASSAY_ENUM_FIELD(rope.reading.theta)},
    {"qk-norm",
     {"before-rope", "after-rope"},
     "Qwen3 and OLMoE norm queries and keys before they turn; Hunyuan's code norms after",
     [](const ModelConfig& c) { return c.qk_norm != QkNorm::none; },
     ASSAY_ENUM_FIELD(reading.qk_norm_order)},
    {"attention-scale",
     {"key-dim", "hidden-per-head", "unrotated-dim"},
     "1 / sqrt of the width of q and k; engines that take hidden_size / heads, or for latent attention the "
     "unrotated part alone",
     [](const ModelConfig& c) {
       return is_deepseek(c) || c.hidden_size != c.num_attention_heads * c.head_dim;
     },
     ASSAY_ENUM_FIELD(reading.scale_width),
     8,
     [](const ModelConfig& c) { return is_deepseek(c) ? std::size_t{3} : std::size_t{2}; }},
    {"embedding-scale",
     {"configured", "sqrt-hidden", "omitted"},
     "Granite multiplies embeddings by embedding_multiplier (modeling_granitemoe.py), Gemma by "
     "sqrt(hidden_size)",
     [](const ModelConfig&) { return true; },
     ASSAY_ENUM_FIELD(reading.embedding_scale),
     8,
     [](const ModelConfig& c) { return c.embedding_multiplier != 1 ? std::size_t{3} : std::size_t{2}; }},
    {"residual-multiplier",
     {"configured", "omitted"},
     "Granite multiplies what each block adds to the residual (modeling_granitemoe.py)",
     [](const ModelConfig& c) { return c.residual_multiplier != 1; },
     ASSAY_ENUM_FIELD(reading.residual_multiplier)},
    {"attention-multiplier",
     {"configured", "omitted"},
     "Granite's attention_multiplier stands in place of 1 / sqrt(head_dim) (modeling_granitemoe.py)",
     [](const ModelConfig& c) { return c.attention_multiplier > 0; },
     ASSAY_ENUM_FIELD(reading.attention_multiplier)},
    {"logits-scaling",
     {"configured", "omitted"},
     "Granite divides the logits by logits_scaling (modeling_granitemoe.py)",
     [](const ModelConfig& c) { return c.logits_scaling != 1; },
     ASSAY_ENUM_FIELD(reading.logits_scaling)},
    {"attention-sinks",
     {"added", "omitted"},
     "a learned logit per head takes part in each soft-max (openai/gpt-oss torch/model.py sdpa)",
     [](const ModelConfig& c) { return c.attention_sinks; },
     ASSAY_ENUM_FIELD(reading.sinks)},
    {"swiglu-limit",
     {"configured", "ignored"},
     "gate and up are clamped at 7 (openai/gpt-oss torch/model.py swiglu)",
     [](const ModelConfig& c) { return c.activation == Activation::clamped_swiglu; },
     ASSAY_ENUM_FIELD(reading.swiglu_limit)},
    {"swiglu-alpha",
     {"configured", "1"},
     "the gate's sigmoid takes 1.702 times the gate (openai/gpt-oss torch/model.py swiglu), a plain SiLU "
     "once",
     [](const ModelConfig& c) { return c.activation == Activation::clamped_swiglu; },
     ASSAY_ENUM_FIELD(reading.swiglu_alpha)},
    {"norm-eps",
     {"configured", "1e-5", "1e-6"},
     "rms_norm_eps: the defaults of libraries stand in where the key is not read",
     [](const ModelConfig&) { return true; },
     ASSAY_ENUM_FIELD(reading.norm_eps)},
    {"head",
     {"own", "embedding"},
     "tie_word_embeddings says whether the head is the embedding; some files hold both and some loaders do "
     "not ask",
     [](const ModelConfig&) { return true; },
     ASSAY_ENUM_FIELD(tie_word_embeddings)},
    {"weights",
     {"dequant-f32", "dequant-bf16", "dequant-bf16-scale", "dequant-divided", "dequant-first-scale",
      "dequant-floor-stride", "dequant-unscaled"},
     "code times block scale in float32 (DeepSeek-V3 inference/kernel.py); what the others do: "
     "reference/weights/dequant.h",
     [](const ModelConfig& c) { return c.quant.method == "fp8"; },
     ASSAY_ENUM_FIELD(quant.recipe)},
    {"weights",
     {"dequant-f32", "mxfp4-high-first"},
     "MXFP4 keeps the earlier of two inputs in the low nibble (openai/gpt-oss torch/weights.py)",
     [](const ModelConfig& c) { return c.quant.method == "mxfp4"; },
     [](const ModelConfig& c) {
       return static_cast<std::size_t>(c.quant.recipe == Recipe::mxfp4_high_first);
     },
     [](ModelConfig& c, std::size_t i) {
       c.quant.recipe = i == 1 ? Recipe::mxfp4_high_first : Recipe::dequant_f32;
     }},
};
#undef ASSAY_ENUM_FIELD

std::string values_of(const Convention& convention, std::size_t count) {
  return fmt::format("{}", fmt::join(convention.values.begin(),
                                     convention.values.begin() + static_cast<std::ptrdiff_t>(count), " | "));
}

Error wrong(std::string message, std::string expected, std::string_view got) {
  return Error{.code = Code::usage,
               .message = std::move(message),
               .field = "--convention",
               .expected = std::move(expected),
               .got = std::string(got.substr(0, 120))};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> conventions_of(const ModelConfig& config) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Convention& c : kConventions) {
    if (!c.applies(config)) continue;
    const std::size_t i = c.get(config);
    ASSAY_CHECK(i < c.values.size() && !c.values[i].empty());
    out.emplace_back(c.name, c.values[i]);
  }
  return out;
}

Status set_convention(ModelConfig& config, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos)
    return wrong("a convention is given as a name and a value", "NAME=VALUE", assignment);
  const std::string_view name = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  std::string known;
  for (const Convention& c : kConventions) {
    if (!c.applies(config)) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", c.name);
    if (c.name != name) continue;
    const auto end = c.values.begin() + static_cast<std::ptrdiff_t>(c.count(config));
    const auto at = std::find(c.values.begin(), end, value);
    if (at == end)
      return wrong("the convention has no such value", values_of(c, c.count(config)), assignment);
    c.set(config, static_cast<std::size_t>(at - c.values.begin()));
    return {};
  }
  return wrong("no convention of that name concerns this model", known, assignment);
}

Status check_f32_conventions(const ModelConfig& config) {
  for (const Convention& c : kConventions) {
    if (!c.applies(config)) continue;
    const std::size_t i = c.get(config);
    if (i < c.oracle_only) continue;
    return Error{.code = Code::unsupported,
                 .message = "this convention runs on the f64 path only; add --oracle",
                 .field = std::string(c.name),
                 .expected = values_of(c, c.oracle_only),
                 .got = std::string(c.values[i])};
  }
  return {};
}

std::vector<std::string> other_conventions(const ModelConfig& config) {
  std::vector<std::string> out;
  for (const Convention& c : kConventions) {
    for (std::size_t i = 0; c.applies(config) && i < c.count(config); ++i) {
      if (i != c.get(config)) out.push_back(fmt::format("{}={}", c.name, c.values[i]));
    }
  }
  return out;
}

std::string_view source_of_convention(std::string_view name) {
  for (const Convention& c : kConventions) {
    if (c.name == name) return c.source;
  }
  return {};
}

std::string convention_help() {
  std::string text;
  for (const Convention& c : kConventions)
    text += fmt::format("  {} = {}\n      {}\n", c.name, values_of(c, c.all()), c.source);
  return text;
}

}  // namespace assay
