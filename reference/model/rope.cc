#include "reference/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace assay {
namespace {

using std::numbers::pi;

double theta_of(const RopeConfig& rope) {
  return rope.reading.theta == RopeTheta::configured ? rope.theta : 10000.0;
}

double plain_frequency(const RopeConfig& rope, std::int64_t dim, std::int64_t pair) {
  return std::pow(theta_of(rope), -2.0 * static_cast<double>(pair) / static_cast<double>(dim));
}

// The pair that turns `rotations` times within the original context (YaRN, 2309.00071 section 3.2).
double pair_of_rotations(const RopeConfig& rope, std::int64_t dim, double rotations) {
  return static_cast<double>(dim) * std::log(rope.original_length / (rotations * 2 * pi)) /
         (2 * std::log(theta_of(rope)));
}

// Share of interpolation of each pair: 0 for those that turn fast, 1 for slow ones, a ramp between.
double yarn_ramp(const RopeConfig& rope, std::int64_t dim, std::int64_t pair) {
  double low = pair_of_rotations(rope, dim, rope.beta_fast),
         high = pair_of_rotations(rope, dim, rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  const double width = high == low ? 0.001 : high - low;
  return std::clamp((static_cast<double>(pair) - low) / width, 0.0, 1.0);
}

// Meta's three bands (meta-llama/llama-models, apply_scaling): short waves kept, long ones divided, a linear
// blend between.
double llama3_frequency(const RopeConfig& rope, double plain) {
  const double turns = rope.original_length * plain / (2 * pi);
  const double blend = (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  if (blend > 1) return plain;
  if (blend < 0) return plain / rope.factor;
  return (1 - blend) * plain / rope.factor + blend * plain;
}

double frequency(const RopeConfig& rope, std::int64_t dim, std::int64_t pair) {
  const double plain = plain_frequency(rope, dim, pair);
  if (rope.reading.scaling == RopeScaling::ignored) return plain;
  switch (rope.kind) {
    case RopeKind::plain:
      return plain;
    case RopeKind::linear:
      return plain / rope.factor;
    case RopeKind::llama3:
      return llama3_frequency(rope, plain);
    case RopeKind::factors:
      return plain / rope.factors[static_cast<std::size_t>(pair)];
    case RopeKind::yarn: {
      const double ramp = yarn_ramp(rope, dim, pair);
      return plain / rope.factor * ramp + plain * (1 - ramp);
    }
  }
  return plain;
}

double scale_width(const ModelConfig& c) {
  switch (c.reading.scale_width) {
    case ScaleWidth::key_dim:
      return static_cast<double>(c.key_dim());
    case ScaleWidth::nope_dim:
      ASSAY_CHECK(c.attention == AttentionKind::latent);
      return static_cast<double>(c.qk_nope_head_dim);
    case ScaleWidth::hidden_per_head:
      return static_cast<double>(c.hidden_size) / static_cast<double>(c.num_attention_heads);
  }
  ASSAY_CHECK(false);
}

}  // namespace

double yarn_mscale(double factor, double m) { return factor > 1 ? 0.1 * m * std::log(factor) + 1 : 1.0; }

std::vector<double> rope_frequencies(const RopeConfig& rope, std::int64_t rope_dim) {
  ASSAY_CHECK(rope_dim > 0 && rope_dim % 2 == 0);
  ASSAY_CHECK(rope.theta > 1);
  std::vector<double> out(static_cast<std::size_t>(rope_dim / 2));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = frequency(rope, rope_dim, static_cast<std::int64_t>(i));
  return out;
}

double rope_gain(const RopeConfig& rope, AttentionKind attention) {
  if (rope.kind != RopeKind::yarn || rope.reading.scaling == RopeScaling::ignored) return 1.0;
  const bool both = rope.has_mscale && rope.mscale != 0 && rope.has_mscale_all_dim;
  const bool ratio = attention == AttentionKind::latent && (rope.gain == RopeGain::authors || both);
  if (!ratio) return yarn_mscale(rope.factor, 1);
  return yarn_mscale(rope.factor, rope.mscale) / yarn_mscale(rope.factor, rope.mscale_all_dim);
}

double attention_scale(const ModelConfig& config) {
  const bool own_width = config.reading.scale_width == ScaleWidth::key_dim,
             configured = config.reading.attention_multiplier == Multiplier::configured;
  if (config.attention_multiplier > 0 && own_width && configured) return config.attention_multiplier;
  const double plain = 1 / std::sqrt(scale_width(config));
  const bool ignored = config.rope.reading.scaling == RopeScaling::ignored;
  if (ignored || config.softmax_scale == SoftmaxScale::plain) return plain;
  const double m = yarn_mscale(config.rope.factor, config.rope.mscale_all_dim);
  return plain * m * m;
}

RopeTable rope_table(const ModelConfig& config, std::int64_t n_positions) {
  ASSAY_CHECK(n_positions >= 0);
  const std::vector<double> f = rope_frequencies(config.rope, config.rope_dim());
  const double gain = rope_gain(config.rope, config.attention);
  RopeTable table{
      .n_positions = n_positions, .n_pairs = static_cast<std::int64_t>(f.size()), .cos = {}, .sin = {}};
  table.cos.reserve(f.size() * static_cast<std::size_t>(n_positions));
  table.sin.reserve(f.size() * static_cast<std::size_t>(n_positions));
  for (std::int64_t p = 0; p < n_positions; ++p) {
    for (const double each : f) {
      table.cos.push_back(std::cos(static_cast<double>(p) * each) * gain);
      table.sin.push_back(std::sin(static_cast<double>(p) * each) * gain);
    }
  }
  return table;
}

}  // namespace assay
