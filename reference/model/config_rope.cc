#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reference/model/config_parts.h"

namespace assay {
namespace {

constexpr double kMaxTheta = 1e12, kMaxFactor = 1e6, kMaxLength = 1e10;

Status read_yarn(ConfigKeys& keys, bool deepseek, RopeConfig& r) {
  ASSAY_TRY(r.factor, keys.number("factor", 1.0, kMaxFactor));
  ASSAY_TRY(r.original_length, keys.number("original_max_position_embeddings", 1, kMaxLength));
  ASSAY_TRY(r.beta_fast, keys.number_or("beta_fast", 32, 1e-3, 1e6));
  ASSAY_TRY(r.beta_slow, keys.number_or("beta_slow", 1, 1e-3, 1e6));
  ASSAY_TRY(r.truncate, keys.boolean_or("truncate", true));
  if (!deepseek) return {};
  r.has_mscale = keys.has("mscale");
  ASSAY_TRY(r.mscale, keys.number_or("mscale", 1, 0, 1e3));
  ASSAY_TRY(r.mscale_all_dim, keys.number_or("mscale_all_dim", 0, 0, 1e3));
  r.has_mscale_all_dim = r.mscale_all_dim != 0;  // the authors' code tests it for truth: 0 is absent
  return {};
}

Status read_llama3(ConfigKeys& keys, RopeConfig& r) {
  ASSAY_TRY(r.factor, keys.number("factor", 1.0, kMaxFactor));
  ASSAY_TRY(r.original_length, keys.number("original_max_position_embeddings", 1, kMaxLength));
  ASSAY_TRY(r.low_freq_factor, keys.number("low_freq_factor", 1e-6, kMaxFactor));
  ASSAY_TRY(r.high_freq_factor, keys.number("high_freq_factor", 1e-6, kMaxFactor));
  if (!(r.low_freq_factor < r.high_freq_factor)) {
    return keys.refuse(Code::bad_value, "high_freq_factor", "the bands of llama3 rope are empty",
                       fmt::format("more than {}", r.low_freq_factor), fmt::format("{}", r.high_freq_factor));
  }
  return {};
}

Status read_factors(ConfigKeys& keys, std::int64_t n_pairs, RopeConfig& r) {
  ASSAY_TRY(r.factors, keys.numbers("factors", 1e-6, kMaxFactor));
  if (static_cast<std::int64_t>(r.factors.size()) == n_pairs) return {};
  return keys.refuse(Code::bad_value, "factors", "there is not one factor for each rotated pair",
                     std::to_string(n_pairs), std::to_string(r.factors.size()));
}

Result<RopeKind> kind_named(const ConfigKeys& keys, const std::string& name) {
  if (name == "default") return RopeKind::plain;
  if (name == "linear") return RopeKind::linear;
  if (name == "llama3") return RopeKind::llama3;
  if (name == "yarn") return RopeKind::yarn;
  if (name == "frequency_factors") return RopeKind::factors;  // of config_of_gguf
  return keys.refuse(Code::unsupported, "rope_type", "a rope type that this version does not know",
                     "default, linear, llama3 or yarn", name.substr(0, 80));
}

// Families that turn a part of each head only come under other model types.
Status whole_head(ConfigKeys& keys) {
  ASSAY_TRY(const double share, keys.number_or("partial_rotary_factor", 1, 0, 1));
  if (share == 1) return {};
  return keys.refuse(Code::unsupported, "partial_rotary_factor", "this family turns whole heads", "1",
                     fmt::format("{}", share));
}

Status read_scaling(const Json& object, std::string_view name, std::string_view file, bool deepseek,
                    std::int64_t n_pairs, RopeConfig& r) {
  ConfigKeys keys(object, file, std::string(name) + ".");
  ASSAY_TRY(const std::string old_name, keys.text_or("type", "default"));
  ASSAY_TRY(const std::string kind, keys.text_or("rope_type", old_name));
  if (keys.has("type") && kind != old_name) {
    return keys.refuse(Code::bad_value, "type", "the two names of the rope type differ", kind, old_name);
  }
  ASSAY_TRY(r.kind, kind_named(keys, kind));
  if (keys.has("rope_theta")) {  // transformers 5 keeps theta here
    ASSAY_TRY(r.theta, keys.number("rope_theta", 1.0 + 1e-9, kMaxTheta));
  }
  if (r.kind == RopeKind::yarn) ASSAY_OK(read_yarn(keys, deepseek, r));
  if (r.kind == RopeKind::llama3) ASSAY_OK(read_llama3(keys, r));
  if (r.kind == RopeKind::factors) ASSAY_OK(read_factors(keys, n_pairs, r));
  if (r.kind == RopeKind::linear) {
    ASSAY_TRY(r.factor, keys.number("factor", 1.0, kMaxFactor));
  }
  ASSAY_OK(whole_head(keys));
  return keys.refuse_rest({});
}

// A description under one of its two names. Code::bad_value where it is no object.
Status read_described(ConfigKeys& keys, const std::string& name, std::string_view file, bool deepseek,
                      std::int64_t n_pairs, RopeConfig& r) {
  const Json* described = keys.find(name);
  ASSAY_CHECK(described);
  if (!described->is_object())
    return keys.refuse(Code::bad_value, name, "rope is not described", "an object", described->type_name());
  return read_scaling(*described, name, file, deepseek, n_pairs, r);
}

// transformers 5 writes rope_parameters; files that keep rope_scaling beside it must mean the same.
Status read_both(ConfigKeys& keys, std::string_view file, bool deepseek, std::int64_t n_pairs, RopeConfig& r) {
  RopeConfig old = r;
  ASSAY_OK(read_described(keys, "rope_parameters", file, deepseek, n_pairs, r));
  old.theta = r.theta;
  ASSAY_OK(read_described(keys, "rope_scaling", file, deepseek, n_pairs, old));
  if (old == r) return {};
  return keys.refuse(Code::bad_value, "rope_parameters", "rope is described twice and differently",
                     "rope_scaling or rope_parameters", "both");
}

}  // namespace

Status read_rope(ConfigKeys& keys, const Family& family, std::string_view file, ModelConfig& c) {
  RopeConfig& r = c.rope;
  const bool deepseek = family.moe == MoeStyle::deepseek;
  ASSAY_TRY(const double theta,
            keys.number_or("rope_theta", family.default_rope_theta, 1.0 + 1e-9, kMaxTheta));
  r.theta = theta;
  ASSAY_OK(whole_head(keys));
  const bool old_style = keys.has("rope_scaling"), new_style = keys.has("rope_parameters");
  if (!old_style && !new_style) return {};
  const std::string name = old_style ? "rope_scaling" : "rope_parameters";
  const std::int64_t n_pairs = c.rope_dim() / 2;
  ASSAY_OK(old_style && new_style ? read_both(keys, file, deepseek, n_pairs, r)
                                  : read_described(keys, name, file, deepseek, n_pairs, r));
  if (keys.has("rope_theta") && r.theta != theta) {
    return keys.refuse(Code::bad_value, "rope_theta", "theta is given twice", fmt::format("{}", theta),
                       fmt::format("{}", r.theta));
  }
  if (deepseek && r.kind == RopeKind::yarn && r.has_mscale_all_dim)
    c.softmax_scale = SoftmaxScale::mscale_squared;
  return {};
}

}  // namespace assay
