// The layers of a model in the canonical f32 arithmetic of kernels/contract.h, one visit of some rows at a time. Nothing here depends
// on how tokens were put into visits, so neither do the results. Who visits what, and where states and weights lie: wave_pass.h.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "reference/model/batch.h"
#include "reference/model/packed_weights.h"
#include "reference/model/trace.h"

namespace assay {

// Routers' decisions of some rows; of one visit n_moe_layers is 1.
struct BatchRouting {
  std::vector<std::int32_t> experts;  // (n_moe_layers, n_rows, n_chosen), ascending
  std::vector<float> weights;         // the same shape
  std::vector<double> margins;        // (n_moe_layers, n_rows)
  // Only while somebody observes:
  std::vector<double> group_margins, expert_margins;  // (n_moe_layers, n_rows)
  std::vector<float> scores;                          // (n_moe_layers, n_rows, n_experts)
};

// What an observer of a pass sees of one point: all rows of the batch.
struct Observed {
  Point point;
  std::int64_t layer;  // kNoLayer outside the layers
  const float* x;      // (n_rows, width), stride floats from row to row; gone after the call
  std::int64_t width, stride;
};
using Observer = std::function<void(const Observed&)>;

// The router of a configuration; `correction` (n_experts, or empty) outlives it.
RouterSpec router_spec(const RouterConfig& config, const std::vector<float>& correction);

class Forward {
 public:
  // `config`: the files' own, or that of another stack of layers in the same files. All three outlive it.
  Forward(const ModelFiles& files, const ModelConfig& config, const Compute& compute);

  // Floats of a page of one layer.
  std::int64_t page_floats_per_layer() const;

  // A visit: begin, then what is to be done with these rows, whose states x (n_rows, hidden_size) are read and written. Keys and
  // values go to `pages`, which the segments name. The batch outlives the visit.
  void begin(const Batch& batch, std::span<float> x);
  Status embed();
  void attend_layer(std::int64_t i, const PackedLayer& layer, const PageStore& pages);
  void feed_layer(std::int64_t i, const PackedLayer& layer);
  // feed_layer in parts, for a layer whose experts do not fit into memory at once: the choice, which routing() then holds; experts
  // [first, end) in ascending order, added to y (n_rows, hidden_size) from 0; what is left to do with y.
  void choose_layer(std::int64_t i, const PackedLayer& layer);
  void add_experts(const PackedLayer& layer, std::int64_t first, std::int64_t end,
                   const std::int32_t* experts, const float* weights, float* y);
  void finish_layer(std::int64_t i, const PackedLayer& layer, const float* y);
  void observe_end(const PackedEnds& ends);

  // Logits (n_rows, vocab_size) of states x (n_rows, hidden_size), which the final norm overwrites; good until the next call.
  const float* head(const PackedEnds& ends, std::span<float> x);
  std::int64_t head_rows() const;  // how many rows are well asked for at a time

  const BatchRouting& routing() const { return routing_; }  // of the last visit to a layer with a router
  std::int64_t moe_layer(std::int64_t i) const { return moe_index_[static_cast<std::size_t>(i)]; }
  void drop_buffers();  // what is kept from visit to visit so that it need not be allocated again
  bool observed() const { return observer_ != nullptr; }

  // From now on visits show every point but the logits to `observer`, which outlives its use; null: nobody.
  void observe_with(const Observer* observer) { observer_ = observer; }

 private:
  void place_rotations(const Batch& batch);
  void place_pages(const Batch& batch, const PageStore& pages, std::int64_t layer);
  void project_latent(const PackedLayer& layer);
  void project_grouped(const PackedLayer& layer);
  void norm_for_feed(const PackedLayer& layer);
  void store(const Batch& batch);
  void inherit(const Batch& batch);
  void store_row(std::int64_t row, float* page, std::int64_t slot, float* scratch) const;
  void attend(const Batch& batch, const PackedLayer& layer, std::int64_t window);
  void attention(const Batch& batch, const PackedLayer& layer, std::int64_t window);
  void add_residual();
  void activate(const float* gate_up /* (n_rows, 2 inner) */, std::int64_t n_rows, std::int64_t inner,
                float* y);
  void mlp(const PackedMlp& weights, std::int64_t inner, float* y);
  const float* router_input();
  void choose_experts(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer);
  void run_experts(const PackedLayer& layer, std::int64_t first_expert, std::int64_t end_expert,
                   const std::int32_t* experts);
  void add_shared(const PackedLayer& layer);
  void mixture(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer);
  void linear(const PackedLinear& w, const float* x, std::int64_t x_stride, float* y) const;
  void norm_heads(const PackedLayer& layer);
  void latent_keys(std::int64_t row, float* keys) const;
  // Of a row of inputs_: where the latent begins, behind which the rotated key lies.
  std::int64_t latent_begin() const {
    return config_.q_lora_rank > 0 ? config_.q_lora_rank : config_.num_attention_heads * config_.key_dim();
  }

  // forward_absorbed.cc: the recipe mla-absorbed
  void absorb_queries(const PackedLayer& layer);
  void store_latent(std::int64_t row, float* page, std::int64_t slot) const;
  void inherit_latents(const Batch& batch) const;
  void spread_heads(std::int64_t row);
  void attend_latents(const PackedLayer& layer);

  // forward_trace.cc
  void observe(Point point, const float* x, std::int64_t width, std::int64_t stride) const;
  void observe_hidden(Point point, const float* x) const {
    if (observer_) observe(point, x, config_.hidden_size, config_.hidden_size);
  }
  void observe_attention() const;
  void make_routing(std::size_t decisions);

  const ModelFiles& files_;
  const ModelConfig& config_;
  Compute compute_;
  AttentionShape shape_;
  LatentShape latent_;               // absorbed
  std::vector<double> frequencies_;  // (rope_dim / 2)
  double gain_ = 1;
  std::vector<float> cos_table_, sin_table_;  // (positions seen so far, rope_dim / 2)

  std::vector<std::int64_t> moe_index_;  // (n_layers) how many layers before have a router
  std::int64_t inputs_width_ = 0;        // outputs of PackedLayer::inputs

  const Batch* batch_ = nullptr;
  std::int64_t n_ = 0;         // rows of the visit
  std::span<float> x_;         // (n, hidden), the caller's
  std::vector<float> normed_;  // (n, hidden)
  std::vector<float> inputs_;  // (n, inputs_width_)
  std::vector<float> q_, kv_,
      context_;                   // (n, heads * key_dim), (n, heads * (nope + v)), (n, heads * value_dim)
  std::vector<float> latent_q_,
      latent_context_;            // absorbed: (n, heads, kv_lora_rank + rope), (n, heads, kv_lora_rank)
  std::vector<float> cos_, sin_;  // (n, rope_dim / 2)
  std::vector<float> gate_up_, inner_, out_, shared_;
  std::vector<float> router_logits_, expert_out_;
  std::vector<std::int32_t> slot_rows_, slots_;
  std::vector<const float*> page_pointers_;    // of all segments, one after the other
  std::vector<std::size_t> first_page_;        // (n_segments)
  std::vector<const float*> inherited_pages_;  // (n_segments), null where nothing is inherited
  std::vector<AttentionQuery> queries_;
  BatchRouting routing_;
  std::vector<float> logits_;
  const Observer* observer_ = nullptr;
  std::int64_t layer_ = kNoLayer;  // that is visited
};

}  // namespace assay
