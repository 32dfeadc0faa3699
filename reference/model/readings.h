// Readings of the formulas that are somebody's and not the authors': plain choices that conventions.h names,
// explains and sets, and that both paths consult where the formula stands. What comes first is what the
// authors do.
#pragma once
#include <cstdint>

namespace assay {

// What a soft-max before the choice runs over: all experts, or those of the open groups (lmdeploy PR 3030 fixed that).
enum class RouterSoftmax : std::uint8_t { over_all, over_open };
// What a router that runs in bf16 rounds: its logits, its input, or its scores (vLLM PR 14027).
enum class RouterNumbers : std::uint8_t { full, bf16_logits, bf16_input, bf16_scores };
enum class CorrectionBias : std::uint8_t {
  full,
  bf16,
  omitted
};                                                               // transformers issue 42580 loads it as bf16
enum class RoutedScale : std::uint8_t { once, omitted, twice };  // routed_scaling_factor
enum class TopkEpsilon : std::uint8_t { published, omitted };  // the 1e-20 of the sum: flashinfer issue 3803

struct RouterReading {
  RouterSoftmax softmax = RouterSoftmax::over_all;
  RouterNumbers numbers = RouterNumbers::full;
  CorrectionBias correction = CorrectionBias::full;
  RoutedScale scale = RoutedScale::once;
  TopkEpsilon epsilon = TopkEpsilon::published;
};

enum class RopeScaling : std::uint8_t { applied, ignored };
enum class RopeTheta : std::uint8_t { configured, ten_thousand };  // the default of most libraries

struct RopeReading {
  RopeScaling scaling = RopeScaling::applied;
  RopeTheta theta = RopeTheta::configured;
  bool operator==(const RopeReading&) const = default;
};

enum class WindowKeys : std::uint8_t { window, one_more, all };  // keys that a query of a sliding layer sees
enum class QkNormOrder : std::uint8_t { before_rope, after_rope };
// What the soft-max divides by the square root of: the width of q and k, hidden / heads, the unrotated part.
enum class ScaleWidth : std::uint8_t { key_dim, hidden_per_head, nope_dim };
// Gemma multiplies by sqrt(hidden_size); Granite by embedding_multiplier, which others leave out.
enum class EmbeddingScale : std::uint8_t { configured, sqrt_hidden, omitted };
enum class Multiplier : std::uint8_t { configured, omitted };  // one of Granite's
enum class Sinks : std::uint8_t { added, omitted };  // gpt-oss's logit without a value in each soft-max
enum class SwigluLimit : std::uint8_t { configured, ignored };
enum class SwigluAlpha : std::uint8_t { configured, one };  // a plain SiLU in gpt-oss's gate
enum class NormEps : std::uint8_t { configured, e5, e6 };   // 1e-5 and 1e-6: defaults of libraries
enum class SharedExpert : std::uint8_t { added, omitted };
enum class SharedGate : std::uint8_t { sigmoid, omitted };

struct ModelReading {
  WindowKeys window_keys = WindowKeys::window;
  QkNormOrder qk_norm_order = QkNormOrder::before_rope;
  ScaleWidth scale_width = ScaleWidth::key_dim;
  EmbeddingScale embedding_scale = EmbeddingScale::configured;
  NormEps norm_eps = NormEps::configured;
  SharedExpert shared_expert = SharedExpert::added;
  SharedGate shared_gate = SharedGate::sigmoid;
  Multiplier residual_multiplier = Multiplier::configured, attention_multiplier = Multiplier::configured,
             logits_scaling = Multiplier::configured;
  Sinks sinks = Sinks::added;
  SwigluLimit swiglu_limit = SwigluLimit::configured;
  SwigluAlpha swiglu_alpha = SwigluAlpha::configured;
};

}  // namespace assay
