// One pass over the weights: all rows of a wave go through the layers one after the other, so that each weight is read once a wave.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "reference/model/forward.h"
#include "reference/model/state_store.h"
#include "reference/model/wave_plan.h"
#include "reference/model/weight_source.h"

namespace assay {

class WavePass {
 public:
  // All outlive it. States beyond `memory_bytes` go to a file in `folder`.
  WavePass(const ModelConfig& config, Forward& forward, WeightSource& weights, std::uint64_t memory_bytes,
           const std::string& folder);

  // Told of the routers' decisions of every slab and layer that has a router (moe_layer counts those).
  using RoutingSink =
      std::function<void(std::int64_t moe_layer, const Slab& slab, const BatchRouting& routing)>;
  // Computes the states of all rows, which stay here until the next call. `from` (n_rows, hidden_size): states that stand in for the
  // embeddings, or empty. A stop request ends it with Code::interrupted.
  Status run(std::span<const Slab> slabs, const PageStore& pages, const RoutingSink& routing,
             std::span<const float> from = {});

  // Logits of some rows, ascending, in slices: sink(first, n, logits) with logits (n, vocab_size) of rows[first, first + n).
  using LogitSink = std::function<void(std::int64_t first, std::int64_t n, const float* logits)>;
  Status head(std::span<const std::int32_t> rows, const LogitSink& sink);
  // (rows, hidden_size), before the final norm.
  Result<std::vector<float>> states_of(std::span<const std::int32_t> rows);
  void drop();  // states and streamed weights: what only lives between the calls

 private:
  Status enter(std::span<const Slab> slabs, std::span<const float> from);
  Status layer(std::int64_t i, std::span<const Slab> slabs, const PageStore& pages,
               const RoutingSink& routing);
  Status feed_in_parts(std::int64_t i, std::span<const Slab> slabs, std::int64_t at_once);
  Status leave(std::span<const Slab> slabs);
  Status gather(std::span<const std::int32_t> rows, std::span<float> out);
  void take_routing(std::int64_t i, const Slab& slab, const RoutingSink& routing, bool keeps);

  const ModelConfig& config_;
  Forward& forward_;
  WeightSource& weights_;
  StateStore states_, sums_;  // sums_: of the experts done so far, where a layer's experts come in parts
  std::int64_t n_rows_ = 0;
  std::vector<std::int32_t> experts_;  // (n_rows, n_chosen) of the layer, where they come in parts
  std::vector<float> expert_weights_;  // the same shape
};

}  // namespace assay
