#include "reference/model/conventions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace assay {
namespace {

bool is_deepseek(const ModelConfig& c) { return c.attention == AttentionKind::latent; }
bool has_groups(const ModelConfig& c) { return c.n_moe_layers() > 0 && c.router.n_groups > 1; }

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
  std::array<std::string_view, 3> values;  // unused ones empty; what stands first is the authors' choice
  std::string_view source;
  bool (*applies)(const ModelConfig&);
  std::size_t (*get)(const ModelConfig&);
  void (*set)(ModelConfig&, std::size_t);
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
     "DeepSeek-V3 inference/model.py: -inf since commit 1398800 (2025-02-14), 0 before; V2 fills with 0",
     has_groups,
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
};
#undef ASSAY_ENUM_FIELD

std::string values_of(const Convention& convention) {
  std::string text;
  for (const std::string_view value : convention.values) {
    if (!value.empty()) text += fmt::format("{}{}", text.empty() ? "" : " | ", value);
  }
  return text;
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
    const auto at = std::find(c.values.begin(), c.values.end(), value);
    if (value.empty() || at == c.values.end())
      return wrong("the convention has no such value", values_of(c), assignment);
    c.set(config, static_cast<std::size_t>(at - c.values.begin()));
    return {};
  }
  return wrong("no convention of that name concerns this model", known, assignment);
}

std::string convention_help() {
  std::string text;
  for (const Convention& c : kConventions)
    text += fmt::format("  {} = {}\n      {}\n", c.name, values_of(c), c.source);
  return text;
}

}  // namespace assay
