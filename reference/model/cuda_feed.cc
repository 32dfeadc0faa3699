// The feed-forward half of a layer on an accelerator: gated products, the router, experts with their gathered tokens.
#include "base/check.h"
#include "reference/model/cuda_forward.h"

namespace assay {

void CudaForward::gate(const float* gate_up, std::int64_t n_rows, std::int64_t inner, float* y) {
  SwigluClamp clamp;
  if (config_.activation == Activation::clamped_swiglu)
    clamp = {static_cast<float>(config_.gate_alpha()), static_cast<float>(config_.gate_limit())};
  a_.gate(gate_up, n_rows, inner, clamp, y);
}

void CudaForward::mlp(const DeviceMlp& weights, std::int64_t inner, float* y) {
  float *const gate_up = gate_up_.at_least(n_ * 2 * inner), *const h = inner_.at_least(n_ * inner);
  linear("gate_up", weights.gate_up, normed_.floats(), config_.hidden_size, gate_up, arithmetic_);
  gate(gate_up, n_, inner, h);
  linear("down", weights.down, h, inner, y, arithmetic_);
}

// The router is canonical in every arithmetic: a decision is not left to rounding.
void CudaForward::choose_experts(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t moe_layer) {
  const RouterConfig& r = config_.router;
  const std::int64_t k = r.n_chosen, first = moe_layer * n_;
  const float* from = normed_.floats();
  if (r.reading.numbers == RouterNumbers::bf16_input) {
    float* const rounded = rounded_.at_least(n_ * config_.hidden_size);
    a_.round_bf16(from, n_ * config_.hidden_size, rounded);
    from = rounded;
  }
  float* const logits = router_logits_.at_least(n_ * r.n_experts);
  linear("router", layer.router, from, config_.hidden_size, logits, GpuArithmetic::canonical);
  if (r.reading.numbers == RouterNumbers::bf16_logits) a_.round_bf16(logits, n_ * r.n_experts, logits);
  const std::vector<float> some(1);
  RouterSpec spec = router_spec(r, layer.correction == nullptr ? std::vector<float>() : some);
  spec.bias = layer.correction;
  const RouterChoice choice{.experts = experts_.at_least<std::int32_t>(n_ * k),
                            .weights = mix_weights_.at_least(n_ * k),
                            .margins = margins_.at_least<double>(n_)};
  a_.route(spec, logits, n_, choice, false);
  if (!batch.forced_experts.empty()) {
    a_.to_device(choice.experts, batch.forced_experts.data() + first * k,
                 static_cast<std::size_t>(n_ * k) * sizeof(std::int32_t));
    a_.route(spec, logits, n_, choice, true);
  }
  a_.to_host(routing_.margins.data() + first, choice.margins, static_cast<std::size_t>(n_) * sizeof(double));
  a_.to_host(routing_.experts.data() + first * k, choice.experts,
             static_cast<std::size_t>(n_ * k) * sizeof(std::int32_t));
  a_.to_host(routing_.weights.data() + first * k, choice.weights,
             static_cast<std::size_t>(n_ * k) * sizeof(float));
}

void CudaForward::show_experts(std::string_view name, const DeviceInput& x,
                               const std::vector<DeviceProduct>& jobs,
                               const std::vector<const DeviceLinear*>& of) {
  if (observer_ == nullptr || !observer_->product) return;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const DeviceProduct& p = jobs[i];
    std::vector<float> in;
    std::vector<std::int32_t> rows(static_cast<std::size_t>(p.n_tokens));
    if (p.rows != nullptr) a_.to_host(rows.data(), p.rows, rows.size() * sizeof(std::int32_t));
    for (std::int64_t t = 0; t < p.n_tokens; ++t) {
      const std::int64_t row = p.rows == nullptr ? p.first_row + t : rows[static_cast<std::size_t>(t)];
      const std::vector<float> one = fetch(x.x + row * x.stride, 1, p.w.n_in, x.stride);
      in.insert(in.end(), one.begin(), one.end());
    }
    observer_->product({layer_, name, of[i]->host, p.n_tokens, std::move(in),
                        fetch(p.y, p.n_tokens, p.w.n_out, p.y_stride), arithmetic_});
  }
}

// Tokens are gathered by expert in ascending order; a slot is one (token, expert) pair. As Forward::run_experts.
void CudaForward::run_experts(const DeviceLayer& layer, const std::int32_t* experts) {
  const RouterConfig& r = config_.router;
  const std::int64_t n_slots = n_ * r.n_chosen, inner = config_.moe_intermediate_size,
                     hidden = config_.hidden_size;
  std::vector<std::int32_t> begin(static_cast<std::size_t>(r.n_experts) + 1, 0);
  for (std::int64_t i = 0; i < n_slots; ++i) ++begin[static_cast<std::size_t>(experts[i]) + 1];
  for (std::size_t e = 1; e < begin.size(); ++e) begin[e] += begin[e - 1];
  std::vector<std::int32_t> next(begin.begin(), begin.end() - 1), rows(static_cast<std::size_t>(n_slots)),
      slots(rows.size());
  for (std::int64_t i = 0; i < n_slots; ++i) {
    const std::int32_t slot = next[static_cast<std::size_t>(experts[i])]++;
    slots[static_cast<std::size_t>(i)] = slot;
    rows[static_cast<std::size_t>(slot)] = static_cast<std::int32_t>(i / r.n_chosen);
  }
  const std::int32_t* const slot_rows = slot_rows_.hold<std::int32_t>(rows);
  const std::int32_t* const slot_of = slot_of_.hold<std::int32_t>(slots);
  float *const gate_up = gate_up_.at_least(n_slots * 2 * inner), *const h = inner_.at_least(n_slots * inner),
               *const out = expert_out_.at_least(n_slots * hidden);
  std::vector<DeviceProduct> up, down;
  std::vector<const DeviceLinear*> of_up, of_down;
  for (std::size_t e = 0; e + 1 < begin.size(); ++e) {
    const std::int64_t first = begin[e], n = begin[e + 1] - first;
    if (n == 0) continue;
    const DeviceMlp& expert = layer.experts[e];
    up.push_back({.w = expert.gate_up.matrix,
                  .rows = slot_rows + first,
                  .n_tokens = n,
                  .y = gate_up + first * 2 * inner,
                  .y_stride = 2 * inner,
                  .bias = expert.gate_up.bias});
    down.push_back({.w = expert.down.matrix,
                    .first_row = first,
                    .n_tokens = n,
                    .y = out + first * hidden,
                    .y_stride = hidden,
                    .bias = expert.down.bias});
    of_up.push_back(&expert.gate_up);
    of_down.push_back(&expert.down);
  }
  const DeviceInput from{normed_.floats(), n_, hidden, true}, through{h, n_slots, inner, true};
  a_.multiply(from, up.data(), static_cast<std::int64_t>(up.size()), arithmetic_);
  show_experts("experts.gate_up", from, up, of_up);
  gate(gate_up, n_slots, inner, h);
  a_.multiply(through, down.data(), static_cast<std::int64_t>(down.size()), arithmetic_);
  show_experts("experts.down", through, down, of_down);
  a_.combine(out, slot_of, mix_weights_.floats(), n_, r.n_chosen, hidden, out_.floats());
}

void CudaForward::mixture(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t moe_layer) {
  const ModelConfig& c = config_;
  choose_experts(batch, layer, moe_layer);
  run_experts(layer, routing_.experts.data() + moe_layer * n_ * c.router.n_chosen);
  if (c.shared_intermediate_size == 0 || c.reading.shared_expert == SharedExpert::omitted) return;
  float* const shared = shared_.at_least(n_ * c.hidden_size);
  mlp(layer.shared, c.shared_intermediate_size, shared);
  if (!c.shared_gate || c.reading.shared_gate == SharedGate::omitted)
    return a_.add_scaled(1.0f, nullptr, shared, n_, c.hidden_size, out_.floats());
  float* const factors = router_logits_.at_least(n_);
  linear("shared_gate", layer.shared_gate, normed_.floats(), c.hidden_size, factors,
         GpuArithmetic::canonical);
  a_.sigmoid(factors, n_);
  a_.add_scaled(0, factors, shared, n_, c.hidden_size, out_.floats());
}

}  // namespace assay
