// One pass of a batch through all layers, layer by layer, in the canonical f32 arithmetic of kernels/contract.h. Nothing here depends
// on how tokens were put into batches, so neither do the results.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "reference/model/batch.h"
#include "reference/model/packed_weights.h"
#include "reference/model/trace.h"

namespace assay {

// The routers' decisions of a batch.
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

class Forward {
 public:
  // All three outlive it.
  Forward(const ModelFiles& files, const PackedModel& weights, const Compute& compute);
  // A stack of layers of another shape from the same files: `config` says which and outlives it too.
  Forward(const ModelFiles& files, const ModelConfig& config, const PackedModel& weights,
          const Compute& compute);

  // Floats of a page of one layer.
  std::int64_t page_floats_per_layer() const;

  // Computes the hidden state of every row; keys and values go to `pages`, which the segments name. The state stays here until
  // the next call.
  Status run(const Batch& batch, const PageStore& pages);
  // The same from states (n_rows, hidden_size) that stand in for the embeddings.
  Status run_from(std::span<const float> states, const Batch& batch, const PageStore& pages);
  std::span<const float> states() const;  // (n_rows, hidden_size) of the last batch, before the final norm

  // Logits of some rows of the last batch, in slices: sink(first, n, logits) with logits (n, vocab_size) of rows[first, first + n).
  using LogitSink = std::function<void(std::int64_t first, std::int64_t n, const float* logits)>;
  void head(std::span<const std::int32_t> rows, const LogitSink& sink);

  const BatchRouting& routing() const { return routing_; }

  // From now on run() shows every point but the logits to `observer`, which outlives its use; null: nobody.
  void observe_with(const Observer* observer) { observer_ = observer; }

 private:
  void begin(const Batch& batch);
  Status embed(const Batch& batch);
  void run_layers(const Batch& batch, const PageStore& pages);
  void place_rotations(const Batch& batch);
  void place_pages(const Batch& batch, const PageStore& pages, std::int64_t layer);
  void project_latent(const PackedLayer& layer);
  void project_grouped(const PackedLayer& layer);
  void store(const Batch& batch);
  void store_row(std::int64_t row, float* page, std::int64_t slot, float* scratch) const;
  void attend(const Batch& batch, const PackedLayer& layer, std::int64_t window);
  void attention(const Batch& batch, const PackedLayer& layer, std::int64_t window);
  void add_residual();
  void activate(const float* gate_up /* (n_rows, 2 inner) */, std::int64_t n_rows, std::int64_t inner,
                float* y);
  void mlp(const PackedMlp& weights, std::int64_t inner, float* y);
  const float* router_input();
  void choose_experts(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer);
  void run_experts(const PackedLayer& layer, const std::int32_t* experts, const float* weights);
  void mixture(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer);
  void linear(const PackedLinear& w, const float* x, std::int64_t x_stride, float* y) const;
  void norm_heads(const PackedLayer& layer);
  void latent_keys(std::int64_t row, float* keys) const;

  // forward_trace.cc
  void observe(Point point, const float* x, std::int64_t width, std::int64_t stride) const;
  void observe_hidden(Point point, const float* x) const {
    if (observer_) observe(point, x, config_.hidden_size, config_.hidden_size);
  }
  void observe_attention() const;
  void observe_final_norm();
  void make_routing(std::size_t decisions);

  const ModelFiles& files_;
  const ModelConfig& config_;
  const PackedModel& weights_;
  Compute compute_;
  AttentionShape shape_;
  std::vector<double> frequencies_;  // (rope_dim / 2)
  double gain_ = 1;
  std::vector<float> cos_table_, sin_table_;  // (positions seen so far, rope_dim / 2)

  std::int64_t n_ = 0;             // rows of the batch
  std::vector<float> x_, normed_;  // (n, hidden)
  std::vector<float> inputs_;      // (n, outputs of PackedLayer::inputs)
  std::vector<float> q_, kv_,
      context_;                   // (n, heads * key_dim), (n, heads * (nope + v)), (n, heads * value_dim)
  std::vector<float> cos_, sin_;  // (n, rope_dim / 2)
  std::vector<float> gate_up_, inner_, out_, shared_;
  std::vector<float> router_logits_, expert_out_;
  std::vector<std::int32_t> slot_rows_, slots_;
  std::vector<const float*> page_pointers_;  // of all segments, one after the other
  std::vector<std::size_t> first_page_;      // (n_segments)
  std::vector<AttentionQuery> queries_;
  BatchRouting routing_;
  std::vector<float> head_rows_, logits_;
  const Observer* observer_ = nullptr;
  std::int64_t layer_ = kNoLayer;  // that run() is in
};

}  // namespace assay
