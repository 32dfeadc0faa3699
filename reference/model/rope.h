// Rotary position embedding in f64: angles, gain and the soft-max scale that belongs to it. Both paths read
// these tables.
#pragma once
#include <cstdint>
#include <vector>

#include "reference/model/config.h"

namespace assay {

// 0.1 m ln(factor) + 1 (YaRN, 2309.00071 section 3.4; `yarn_get_mscale` of DeepSeek's code).
double yarn_mscale(double factor, double m);

// Angle per position of each rotated pair, (rope_dim / 2).
std::vector<double> rope_frequencies(const RopeConfig& rope, std::int64_t rope_dim);

// Factor on cos and sin.
double rope_gain(const RopeConfig& rope, AttentionKind attention);

// What q·k is multiplied with before the soft-max.
double attention_scale(const ModelConfig& config);

// cos and sin with the gain, (n_positions, rope_dim / 2) each.
struct RopeTable {
  std::int64_t n_positions = 0, n_pairs = 0;
  std::vector<double> cos, sin;
};
RopeTable rope_table(const ModelConfig& config, std::int64_t n_positions);

}  // namespace assay
