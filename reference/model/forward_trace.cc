// What an observer sees of a pass. Nothing here runs, and nothing is allocated, while nobody observes.
#include <algorithm>

#include "reference/model/forward.h"

namespace assay {

void Forward::observe(Point point, const float* x, std::int64_t width, std::int64_t stride) const {
  ASSAY_CHECK(observer_ && x && width > 0 && stride >= width);
  (*observer_)({.point = point,
                .layer = belongs_to_layer(point) ? layer_ : kNoLayer,
                .x = x,
                .width = width,
                .stride = stride});
}

void Forward::make_routing(std::size_t decisions) {
  const auto k = static_cast<std::size_t>(config_.router.n_chosen);
  routing_.experts.resize(decisions * k);
  routing_.weights.resize(decisions * k);
  routing_.margins.resize(decisions);
  routing_.group_margins.resize(observer_ ? decisions : 0);
  routing_.expert_margins.resize(observer_ ? decisions : 0);
  routing_.scores.resize(observer_ ? decisions * static_cast<std::size_t>(config_.router.n_experts) : 0);
}

// q, k, v, what attention read, its output and the residual, after the layer's attention is done.
void Forward::observe_attention() const {
  if (!observer_) return;
  const ModelConfig& c = config_;
  const std::int64_t heads = c.num_attention_heads, kv_heads = c.num_key_value_heads, dk = c.key_dim(),
                     dv = c.value_dim();
  if (c.absorbs()) {  // no head has keys and values of its own
    observe(Point::q, q_.data(), heads * dk, heads * dk);
  } else if (c.attention == AttentionKind::latent) {
    const std::int64_t part = c.qk_nope_head_dim + dv;
    std::vector<float> k(static_cast<std::size_t>(n_ * heads * dk)),
        v(static_cast<std::size_t>(n_ * heads * dv));
    for (std::int64_t row = 0; row < n_; ++row) {
      latent_keys(row, k.data() + row * heads * dk);
      for (std::int64_t h = 0; h < heads; ++h)
        std::copy_n(kv_.data() + (row * heads + h) * part + c.qk_nope_head_dim, dv,
                    v.data() + (row * heads + h) * dv);
    }
    observe(Point::q, q_.data(), heads * dk, heads * dk);
    observe(Point::k, k.data(), heads * dk, heads * dk);
    observe(Point::v, v.data(), heads * dv, heads * dv);
  } else {
    const std::int64_t stride = inputs_width_;
    observe(Point::q, inputs_.data(), heads * dk, stride);
    observe(Point::k, inputs_.data() + heads * dk, kv_heads * dk, stride);
    observe(Point::v, inputs_.data() + (heads + kv_heads) * dk, kv_heads * dv, stride);
  }
  observe(Point::context, context_.data(), heads * dv, heads * dv);
  observe_hidden(Point::attention, out_.data());
  observe_hidden(Point::attention_residual, x_.data());
}

// The head norms the rows that it is asked for; here all are, with the same bits.
void Forward::observe_end(const PackedEnds& ends) {
  if (!observer_) return;
  layer_ = kNoLayer;
  rms_norm(compute_, x_.data(), ends.norm.data(), n_, config_.hidden_size,
           static_cast<float>(config_.norm_eps()), normed_.data());
  observe_hidden(Point::final_norm, normed_.data());
}

}  // namespace assay
