#include "reference/model/mtp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace assay {
namespace {

struct Choice {
  std::string_view name;
  std::array<std::string_view, 2> values;  // the default first
  std::string_view source;
  std::int64_t least_modules;
  std::size_t (*get)(const MtpChoices&);
  void (*set)(MtpChoices&, std::size_t);
};

// A choice kept in an enum field whose enumerators stand in the order of the values.
#define ASSAY_MTP_FIELD(field)                                           \
  [](const MtpChoices& c) { return static_cast<std::size_t>(c.field); }, \
      [](MtpChoices& c, std::size_t i) { c.field = static_cast<decltype(c.field)>(i); }

constexpr Choice kChoices[] = {
    {"mtp-input-order",
     {"embedding-first", "hidden-first"},
     "eh_proj takes the embedding's half first in vLLM, SGLang and transformers; equation 21 of 2412.19437 "
     "prints the state first",
     1,
     ASSAY_MTP_FIELD(order)},
    {"mtp-hidden",
     {"normed", "raw"},
     "vLLM, SGLang and transformers hand over the state after the model's final norm; 2412.19437 section 2.2 "
     "does not say",
     1,
     ASSAY_MTP_FIELD(hidden)},
    {"mtp-first-position",
     {"kept", "masked"},
     "vLLM deepseek_mtp.py sets the embedding at position 0 to zero, SGLang and transformers do not",
     1,
     ASSAY_MTP_FIELD(first)},
    {"mtp-chain",
     {"raw", "normed"},
     "the next module takes the layer's output (2412.19437 section 2.2, vLLM), or that after the norm "
     "(SGLang, transformers)",
     2,
     ASSAY_MTP_FIELD(chain)},
};
#undef ASSAY_MTP_FIELD

Error wrong_tensor(std::string message, std::string expected, std::string_view got) {
  return Error{.code = Code::usage,
               .message = std::move(message),
               .field = "--convention",
               .expected = std::move(expected),
               .got = std::string(got.substr(0, 120))};
}

std::int64_t elements_of(const TensorSpec& spec) {
  std::int64_t n = 1;
  for (const std::int64_t extent : spec.shape) n *= extent;
  return n;
}

bool is_shared(const TensorSpec& spec) {
  return spec.role == TensorRole::embedding || spec.role == TensorRole::head;
}

// Everything of one module, its copies of embedding and head included.
std::vector<TensorSpec> module_tensors(const ModelConfig& c, std::int64_t module, const StackNames& names) {
  const std::string p = mtp_prefix(c, module);
  const std::int64_t layer = names.first_layer;
  std::vector<TensorSpec> out = {
      {p + ".enorm.weight", {c.hidden_size}, TensorRole::norm, layer, -1},
      {p + ".hnorm.weight", {c.hidden_size}, TensorRole::norm, layer, -1},
      {p + ".eh_proj.weight", {c.hidden_size, 2 * c.hidden_size}, TensorRole::matrix, layer, -1}};
  for (TensorSpec& spec : tensors_of(mtp_block(c, module), names)) out.push_back(std::move(spec));
  return out;
}

StackNames module_names(const ModelConfig& c, std::int64_t module) {
  const std::string p = mtp_prefix(c, module);
  return {.first_layer = c.num_hidden_layers + module,
          .embedding = p + ".embed_tokens",
          .norm = p + ".shared_head.norm",
          .head = p + ".shared_head.head"};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> mtp_conventions_of(const MtpChoices& choices,
                                                                    std::int64_t n_modules) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Choice& c : kChoices) {
    const std::size_t i = c.get(choices);
    ASSAY_CHECK(i < c.values.size());
    if (n_modules >= c.least_modules) out.emplace_back(c.name, c.values[i]);
  }
  return out;
}

bool is_mtp_convention(std::string_view assignment) { return assignment.starts_with("mtp-"); }

Status set_mtp_convention(MtpChoices& choices, std::int64_t n_modules, std::string_view assignment) {
  const std::size_t equals = std::min(assignment.find('='), assignment.size());
  const std::string_view name = assignment.substr(0, equals);
  std::string known;
  for (const Choice& c : kChoices) {
    if (n_modules < c.least_modules) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", c.name);
    if (c.name != name) continue;
    const std::string_view value = assignment.substr(std::min(equals + 1, assignment.size()));
    const auto at = std::find(c.values.begin(), c.values.end(), value);
    if (at == c.values.end())
      return wrong_tensor("the convention has no such value", fmt::format("{} | {}", c.values[0], c.values[1]),
                   assignment);
    c.set(choices, static_cast<std::size_t>(at - c.values.begin()));
    return {};
  }
  return wrong_tensor("no convention of that name concerns this model's MTP modules", known, assignment);
}

std::string mtp_convention_help() {
  std::string text;
  for (const Choice& c : kChoices)
    text += fmt::format("  {} = {} | {}\n      {}\n", c.name, c.values[0], c.values[1], c.source);
  return text;
}

std::string mtp_prefix(const ModelConfig& config, std::int64_t module) {
  ASSAY_CHECK(module >= 0 && module < config.num_nextn_predict_layers);
  return layer_prefix(config.num_hidden_layers + module);
}

ModelConfig mtp_block(const ModelConfig& config, std::int64_t module) {
  ASSAY_CHECK(module >= 0 && module < config.num_nextn_predict_layers);
  ASSAY_CHECK(static_cast<std::int64_t>(config.mtp_layers.size()) == config.num_nextn_predict_layers);
  ModelConfig block = config;
  block.num_hidden_layers = 1;
  block.layers = {config.mtp_layers[static_cast<std::size_t>(module)]};
  block.num_nextn_predict_layers = 0;
  block.mtp_layers.clear();
  return block;
}

StackNames mtp_names(const ModelConfig& config, const Checkpoint& checkpoint, std::int64_t module) {
  StackNames names = module_names(config, module);
  const StackNames shared;
  if (!checkpoint.find(names.embedding + ".weight")) names.embedding = shared.embedding;
  if (!checkpoint.find(names.head + ".weight")) names.head = shared.head;
  return names;
}

Status check_mtp(const ModelConfig& config, const Checkpoint& checkpoint) {
  if (config.num_nextn_predict_layers == 0) {
    return Error{.code = Code::usage,
                 .message = "this model has no multi-token prediction modules",
                 .file = checkpoint.path(),
                 .field = "--mtp",
                 .expected = "a configuration with num_nextn_predict_layers above 0"};
  }
  for (std::int64_t k = 0; k < config.num_nextn_predict_layers; ++k) {
    for (const TensorSpec& spec : module_tensors(config, k, mtp_names(config, checkpoint, k))) {
      ASSAY_TRY([[maybe_unused]] const TensorView* view, checkpoint.need(spec.name, spec.shape));
    }
  }
  return {};
}

std::vector<TensorSpec> mtp_tensors_of(const ModelConfig& config) {
  std::vector<TensorSpec> out;
  for (std::int64_t k = 0; k < config.num_nextn_predict_layers; ++k) {
    for (TensorSpec& spec : module_tensors(config, k, module_names(config, k))) {
      if (!is_shared(spec)) out.push_back(std::move(spec));
    }
  }
  return out;
}

MtpCounts count_mtp(const ModelConfig& config) {
  MtpCounts out;
  for (const TensorSpec& spec : mtp_tensors_of(config)) {
    const bool active = spec.role != TensorRole::expert || spec.expert < config.router.n_chosen;
    out.params += elements_of(spec);
    out.params_active += active ? elements_of(spec) : 0;
  }
  return out;
}

}  // namespace assay
