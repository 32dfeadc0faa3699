// One pass of a batch through all layers on an accelerator: the steps of reference/model/forward.h in the same order, so that with the
// canonical arithmetic the states and decisions have its bits.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/accelerator.h"
#include "reference/model/cuda_memory.h"
#include "reference/model/cuda_weights.h"
#include "reference/model/forward.h"

namespace assay {

struct DeviceSegment {
  std::int64_t first_row = 0, n_rows = 0, position = 0;  // position: of the first row in its sequence
  std::vector<std::int32_t> pages;  // of the whole sequence from position 0 to the last row
};
struct DeviceBatch {
  std::vector<std::int32_t> ids;        // (n_rows)
  std::vector<std::int64_t> positions;  // (n_rows)
  std::vector<DeviceSegment> segments;
  std::vector<std::int32_t> forced_experts;  // (n_moe_layers, n_rows, n_chosen) or empty
  std::int64_t n_rows() const { return static_cast<std::int64_t>(ids.size()); }
};

// One product of a pass, shown to whoever checks it: host copies.
struct SeenProduct {
  std::int64_t layer;
  std::string_view
      name;  // inputs q_b kv_b o gate_up down router shared_gate experts.gate_up experts.down head
  const PackedLinear* weights;
  std::int64_t n_rows;
  std::vector<float> x;  // (n_rows, n_in), as it entered
  std::vector<float> y;  // (n_rows, n_out)
  GpuArithmetic arithmetic;
};
struct CudaObserver {
  std::function<void(const SeenProduct&)> product;  // may be empty
  std::function<void(std::int64_t layer, std::span<const float> residual)>
      residual;  // (n_rows, hidden_size); may be empty
};

class CudaForward {
 public:
  // What the kernels cannot hold: too many groups, too wide heads.
  static Status check(const ModelConfig& config);
  // All outlive it.
  CudaForward(const ModelFiles& files, DeviceWeights& weights, Accelerator& accelerator,
              GpuArithmetic arithmetic);

  std::int64_t vocab_size() const { return config_.vocab_size; }
  std::int64_t page_floats_per_layer() const { return static_cast<std::int64_t>(page_floats(shape_)); }
  Status run(const DeviceBatch& batch, const DevicePages& pages);
  const BatchRouting& routing() const { return routing_; }
  std::vector<float> states();  // (n_rows, hidden_size) of the last batch, before the final norm

  // Of some rows of the last batch, in slices of rows: logits on the host, (n, vocab_size) of rows[first, first + n) ...
  using LogitSink = std::function<void(std::int64_t first, std::int64_t n, const float* logits)>;
  void head(std::span<const std::int32_t> rows, const LogitSink& sink);
  // ... or what is asked of them, with no row of logits leaving the device: `tokens` names (index into rows, token), ascending by index.
  struct Asked {
    std::int64_t row;
    std::int32_t token;
  };
  using SummarySink = std::function<void(std::int64_t first, std::span<const HeadSummary> rows,
                                         std::span<const Asked> asked, const float* logits)>;
  void score(std::span<const std::int32_t> rows, std::span<const Asked> asked, const SummarySink& sink);

  void observe_with(const CudaObserver* observer) { observer_ = observer; }

 private:
  Status begin(const DeviceBatch& batch);
  void place_rotations(const DeviceBatch& batch);
  void place_pages(const DeviceBatch& batch, const DevicePages& pages, std::int64_t layer);
  void make_slots(const DeviceBatch& batch);
  void make_queries(const DeviceBatch& batch, std::int64_t window);
  void linear(std::string_view name, const DeviceLinear& w, const float* x, std::int64_t x_stride, float* y,
              GpuArithmetic arithmetic);
  void project_latent(const DeviceLayer& layer);
  void project_grouped(const DeviceLayer& layer);
  void norm_heads(const DeviceLayer& layer);
  void store(const DeviceLayer& layer);
  void attend(const DeviceLayer& layer);
  void attention(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t window);
  void add_residual();
  void gate(const float* gate_up, std::int64_t n_rows, std::int64_t inner, float* y);
  void mlp(const DeviceMlp& weights, std::int64_t inner, float* y);
  void choose_experts(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t moe_layer);
  void run_experts(const DeviceLayer& layer, const std::int32_t* experts);
  void show_experts(std::string_view name, const DeviceInput& x, const std::vector<DeviceProduct>& jobs,
                    const std::vector<const DeviceLinear*>& of);
  void mixture(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t moe_layer);
  std::int64_t place_head_rows(std::span<const std::int32_t> rows, std::int64_t first, std::int64_t step);
  std::int64_t rows_of_logits() const;
  std::vector<float> fetch(const float* x, std::int64_t n_rows, std::int64_t n, std::int64_t stride);

  const ModelFiles& files_;
  const ModelConfig& config_;
  DeviceWeights& weights_;
  Accelerator& a_;
  GpuArithmetic arithmetic_;
  AttentionShape shape_;
  std::vector<double> frequencies_;
  double gain_ = 1;
  std::int64_t n_ = 0, layer_ = 0;
  BatchRouting routing_;
  std::vector<float*> page_pointers_;
  std::vector<std::int32_t> first_page_;
  std::vector<DeviceSlot> slots_;
  std::vector<DeviceQuery> queries_;
  const CudaObserver* observer_ = nullptr;

  DeviceBuffer x_, normed_, inputs_, q_, kv_, context_, cos_, sin_, gate_up_, inner_, out_, shared_,
      router_logits_, rounded_, expert_out_, pages_, experts_, mix_weights_, margins_, slot_rows_, slot_of_,
      head_rows_, logits_, which_, picked_, summaries_;
};

}  // namespace assay
