#include "reference/model/forward.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "reference/model/rope.h"

namespace assay {
namespace {

constexpr std::int64_t kRowsPerTask = 64;
constexpr std::int64_t kHeadFloats = 4 << 20;  // logits made at a time: 16 MiB

std::size_t product(std::int64_t a, std::int64_t b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

// A buffer of at least n floats, whose values are lost when it grows; it never shrinks.
float* at_least(std::vector<float>& buffer, std::int64_t rows, std::int64_t width) {
  if (buffer.size() >= product(rows, width)) return buffer.data();
  buffer = {};  // before the new one takes memory
  buffer.resize(product(rows, width));
  return buffer.data();
}

// Rows in blocks over the threads; what body writes depends on the row alone.
template <class Body>
void for_rows(ThreadPool& pool, std::int64_t n_rows, const Body& body) {
  const std::int64_t n_tasks = (n_rows + kRowsPerTask - 1) / kRowsPerTask;
  pool.run(static_cast<std::size_t>(n_tasks), [&](std::size_t task, int) {
    const std::int64_t first = static_cast<std::int64_t>(task) * kRowsPerTask;
    for (std::int64_t row = first; row < std::min(first + kRowsPerTask, n_rows); ++row) body(row);
  });
}

RotaryPairs pairs_of(RopeLayout layout) {
  return layout == RopeLayout::pairs ? RotaryPairs::interleaved : RotaryPairs::half_split;
}

void round_to_bf16(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = widen_bf16(round_bf16(x[i]));
}

}  // namespace

RouterSpec router_spec(const RouterConfig& r, const std::vector<float>& correction) {
  RouterSpec spec;
  spec.n_experts = static_cast<std::int32_t>(r.n_experts);
  spec.top_k = static_cast<std::int32_t>(r.n_chosen);
  spec.n_groups = static_cast<std::int32_t>(r.n_groups);
  spec.top_groups = static_cast<std::int32_t>(r.n_open_groups);
  spec.score = r.scoring == Scoring::sigmoid             ? RouterScore::sigmoid
               : r.scoring == Scoring::softmax_of_chosen ? RouterScore::softmax_of_chosen
                                                         : RouterScore::softmax;
  spec.groups = r.group_score == GroupScore::top2_sum ? GroupRule::top2_sum
                : r.group_score == GroupScore::max    ? GroupRule::maximum
                                                      : GroupRule::none;
  spec.normalise = r.topk_norm != TopkNorm::none;
  spec.scale = r.topk_norm == TopkNorm::sum_unscaled ? 1.0f : static_cast<float>(r.routed_scale());
  spec.bias = correction.empty() ? nullptr : correction.data();
  // Before the soft-max zero is no low score, and nobody fills with it there.
  spec.masked_groups_are_zero =
      r.closed_groups == ClosedGroups::zero && r.scoring != Scoring::softmax_of_chosen;
  spec.weights_are_biased = r.mixing_weight == MixingWeight::biased;
  if (r.reading.epsilon == TopkEpsilon::omitted) spec.epsilon = 0.0f;
  return spec;
}

Forward::Forward(const ModelFiles& files, const ModelConfig& config, const Compute& compute)
    : files_(files),
      config_(config),
      compute_(compute),
      frequencies_(rope_frequencies(config.rope, config.rope_dim())),
      gain_(rope_gain(config.rope, config.attention)) {
  const ModelConfig& c = config_;
  shape_ = {.n_heads = c.num_attention_heads,
            .n_kv_heads = c.num_key_value_heads,
            .qk_dim = c.key_dim(),
            .v_dim = c.value_dim(),
            .scale = static_cast<float>(attention_scale(c))};
  latent_ = {.qk_dim = c.kv_lora_rank + c.qk_rope_head_dim, .v_dim = c.kv_lora_rank, .scale = shape_.scale};
  const std::int64_t heads = c.num_attention_heads;
  inputs_width_ =
      c.attention == AttentionKind::grouped
          ? (heads + 2 * c.num_key_value_heads) * c.head_dim
          : (c.q_lora_rank > 0 ? c.q_lora_rank : heads * c.key_dim()) + c.kv_lora_rank + c.qk_rope_head_dim;
  std::int64_t n_moe = 0;
  for (const auto& layer : c.layers) moe_index_.push_back(layer.is_moe ? n_moe++ : n_moe);
}

std::int64_t Forward::page_floats_per_layer() const {
  return static_cast<std::int64_t>(config_.absorbs() ? latent_page_floats(latent_) : page_floats(shape_));
}

void Forward::linear(const PackedLinear& w, const float* x, std::int64_t x_stride, float* y) const {
  const std::int64_t n_out = w.matrix.n_out;
  const MatmulJob job{.w = w.matrix,
                      .x = x,
                      .rows = nullptr,
                      .n_tokens = n_,
                      .x_stride = x_stride,
                      .y = y,
                      .y_stride = n_out};
  matmul_group(compute_, &job, 1);
  if (w.bias.empty()) return;
  for_rows(compute_.pool, n_,
           [&](std::int64_t row) { compute_.kernels.add(w.bias.data(), n_out, y + row * n_out); });
}

Status Forward::embed() {
  const Batch& batch = *batch_;
  const TensorView* table = files_.checkpoint.find("model.embed_tokens.weight");
  ASSAY_CHECK(table);
  const std::int64_t width = config_.hidden_size;
  float* x = x_.data();
  for (std::int64_t row = 0; row < n_; ++row) {
    const std::int32_t id = batch.ids[static_cast<std::size_t>(row)];
    ASSAY_CHECK(id >= 0 && id < config_.vocab_size);
    ASSAY_OK(load_rows_f32(files_.checkpoint, *table, id, 1,
                           std::span(x + row * width, static_cast<std::size_t>(width)), config_.quant.recipe,
                           block_size_of(config_)));
  }
  files_.checkpoint.release(*table);  // rows of a file that is mapped: they need not stay
  const auto scale = static_cast<float>(config_.embedding_scale());
  for (std::int64_t i = 0; scale != 1.0f && i < n_ * width; ++i) x[i] *= scale;
  layer_ = kNoLayer;
  observe_hidden(Point::embedding, x);
  return {};
}

void Forward::place_rotations(const Batch& batch) {
  const auto pairs = static_cast<std::int64_t>(frequencies_.size());
  const std::int64_t needed = 1 + *std::max_element(batch.positions.begin(), batch.positions.end());
  auto known = static_cast<std::int64_t>(cos_table_.size()) / pairs;
  cos_table_.resize(std::max(cos_table_.size(), product(needed, pairs)));
  sin_table_.resize(cos_table_.size());
  for (; known < needed; ++known) {
    rotary_row(static_cast<double>(known), frequencies_.data(), pairs, gain_,
               cos_table_.data() + known * pairs, sin_table_.data() + known * pairs);
  }
  float* cos = at_least(cos_, n_, pairs);
  float* sin = at_least(sin_, n_, pairs);
  for (std::int64_t row = 0; row < n_; ++row) {
    const std::int64_t position = batch.positions[static_cast<std::size_t>(row)];
    std::copy_n(cos_table_.data() + position * pairs, pairs, cos + row * pairs);
    std::copy_n(sin_table_.data() + position * pairs, pairs, sin + row * pairs);
  }
}

void Forward::place_pages(const Batch& batch, const PageStore& pages, std::int64_t layer) {
  page_pointers_.clear();
  first_page_.clear();
  inherited_pages_.clear();
  for (const Segment& segment : batch.segments) {
    ASSAY_CHECK(static_cast<std::int64_t>(segment.pages.size()) * kPageKeys >=
                segment.position + segment.n_rows);
    first_page_.push_back(page_pointers_.size());
    for (const std::int32_t page : segment.pages) page_pointers_.push_back(pages.at(page, layer));
    inherited_pages_.push_back(segment.inherited_page < 0 ? nullptr
                                                          : pages.at(segment.inherited_page, layer));
  }
}

// MLA, expanded (2405.04434 section 2.1): the latent gives the unrotated keys and the values of all heads, one rotated key serves all.
void Forward::project_latent(const PackedLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t heads = c.num_attention_heads, width = layer.inputs.matrix.n_out,
                     qk = heads * c.key_dim();
  const std::int64_t first = c.q_lora_rank > 0 ? c.q_lora_rank : qk;
  const auto eps = static_cast<float>(c.latent_eps == LatentEps::fixed ? kLatentNormEps : c.norm_eps());
  const auto pairs = static_cast<std::int64_t>(frequencies_.size());
  float* inputs = at_least(inputs_, n_, width);
  linear(layer.inputs, normed_.data(), c.hidden_size, inputs);
  float* q = at_least(q_, n_, qk);
  if (c.q_lora_rank > 0) {
    rms_norm_strided(compute_, inputs, width, layer.q_a_norm.data(), n_, first, eps, inputs, width);
    linear(layer.q_b, inputs, width, q);
  } else {
    for_rows(compute_.pool, n_,
             [&](std::int64_t row) { std::copy_n(inputs + row * width, qk, q + row * qk); });
  }
  float* latent = inputs + first;
  rms_norm_strided(compute_, latent, width, layer.kv_a_norm.data(), n_, c.kv_lora_rank, eps, latent, width);
  if (!c.absorbs()) linear(layer.kv_b, latent, width, at_least(kv_, n_, layer.kv_b.matrix.n_out));
  rotary(compute_, latent + c.kv_lora_rank, n_, width, 1, c.qk_rope_head_dim, pairs, pairs_of(c.rope.layout),
         cos_.data(), sin_.data());
  rotary(compute_, q + c.qk_nope_head_dim, n_, qk, heads, c.key_dim(), pairs, pairs_of(c.rope.layout),
         cos_.data(), sin_.data());
  if (c.absorbs()) absorb_queries(layer);
}

void Forward::norm_heads(const PackedLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t d = c.head_dim, heads = c.num_attention_heads, kv_heads = c.num_key_value_heads,
                     width = layer.inputs.matrix.n_out;
  const auto eps = static_cast<float>(c.norm_eps());
  float* inputs = inputs_.data();
  if (c.qk_norm == QkNorm::whole) {
    rms_norm_strided(compute_, inputs, width, layer.q_norm.data(), n_, heads * d, eps, inputs, width);
    rms_norm_strided(compute_, inputs + heads * d, width, layer.k_norm.data(), n_, kv_heads * d, eps,
                     inputs + heads * d, width);
  } else if (c.qk_norm == QkNorm::per_head) {
    for_rows(compute_.pool, n_, [&](std::int64_t row) {
      for (std::int64_t h = 0; h < heads + kv_heads; ++h) {
        float* head = inputs + row * width + h * d;
        compute_.kernels.rms_norm(head, (h < heads ? layer.q_norm : layer.k_norm).data(), d, eps, head);
      }
    });
  }
}

void Forward::project_grouped(const PackedLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t d = c.head_dim, heads = c.num_attention_heads, kv_heads = c.num_key_value_heads,
                     width = layer.inputs.matrix.n_out;
  float* inputs = at_least(inputs_, n_, width);
  linear(layer.inputs, normed_.data(), c.hidden_size, inputs);
  const auto clip = [&](ClipOrder when) {
    if (c.clip_qkv == 0 || c.clip_order != when) return;
    const auto limit = static_cast<float>(c.clip_qkv);
    for_rows(compute_.pool, n_, [&](std::int64_t row) {
      for (std::int64_t i = 0; i < width; ++i)
        inputs[row * width + i] = std::clamp(inputs[row * width + i], -limit, limit);
    });
  };
  const bool norm_first = c.reading.qk_norm_order == QkNormOrder::before_rope;
  clip(ClipOrder::before_norm);
  if (norm_first) norm_heads(layer);
  clip(ClipOrder::after_norm);
  rotary(compute_, inputs, n_, width, heads + kv_heads, d, static_cast<std::int64_t>(frequencies_.size()),
         pairs_of(c.rope.layout), cos_.data(), sin_.data());
  if (!norm_first) norm_heads(layer);
}

// The keys of all heads of one row (heads, key_dim): their own part, then the rotated one that they share.
void Forward::latent_keys(std::int64_t row, float* keys) const {
  const ModelConfig& c = config_;
  const std::int64_t part = c.qk_nope_head_dim + c.v_head_dim, dk = c.key_dim();
  const float* kv = kv_.data() + row * c.num_attention_heads * part;
  const float* rotated = inputs_.data() + row * inputs_width_ +
                         (c.q_lora_rank > 0 ? c.q_lora_rank : c.num_attention_heads * dk) + c.kv_lora_rank;
  for (std::int64_t h = 0; h < c.num_attention_heads; ++h) {
    std::copy_n(kv + h * part, c.qk_nope_head_dim, keys + h * dk);
    std::copy_n(rotated, c.qk_rope_head_dim, keys + h * dk + c.qk_nope_head_dim);
  }
}

// `scratch` (heads * key_dim) is used by latent attention, whose keys are put together here.
void Forward::store_row(std::int64_t row, float* page, std::int64_t slot, float* scratch) const {
  const ModelConfig& c = config_;
  const float* inputs = inputs_.data() + row * inputs_width_;
  if (c.absorbs()) return store_latent(row, page, slot);
  if (c.attention == AttentionKind::grouped) {
    const float* k = inputs + c.num_attention_heads * c.head_dim;
    store_key_value(shape_, k, c.head_dim, k + c.num_key_value_heads * c.head_dim, c.head_dim, page, slot);
    return;
  }
  const std::int64_t part = c.qk_nope_head_dim + c.v_head_dim, dk = c.key_dim();
  const float* kv = kv_.data() + row * c.num_attention_heads * part;
  latent_keys(row, scratch);
  store_key_value(shape_, scratch, dk, kv + c.qk_nope_head_dim, part, page, slot);
}

void Forward::store(const Batch& batch) {
  compute_.pool.run(batch.segments.size(), [&](std::size_t s, int) {
    const Segment& segment = batch.segments[s];
    std::vector<float> scratch(product(config_.num_attention_heads, config_.key_dim()));
    const auto page_at = [&](std::int64_t position) {
      return const_cast<float*>(
          page_pointers_[first_page_[s] + static_cast<std::size_t>(
                                              position / kPageKeys)]);  // our own pages, written here only
    };
    for (std::int64_t i = 0; i < segment.n_rows; ++i) {
      const std::int64_t position = segment.position + i;
      store_row(segment.first_row + i, page_at(position), position % kPageKeys, scratch.data());
    }
  });
  inherit(batch);
}

// A branch begins with the keys and values of the page that it leaves. In the order of the segments, because a branch may leave a branch;
// heads apart.
void Forward::inherit(const Batch& batch) {
  const std::int64_t dk = shape_.qk_dim, dv = shape_.v_dim;
  const bool any = std::any_of(batch.segments.begin(), batch.segments.end(),
                               [](const Segment& s) { return s.inherited_page >= 0; });
  if (!any) return;
  if (config_.absorbs()) return inherit_latents(batch);
  const auto copy = [&](std::size_t head, int) {
    const std::int64_t begin = static_cast<std::int64_t>(head) * kPageKeys * (dk + dv);
    for (std::size_t s = 0; s < batch.segments.size(); ++s) {
      const Segment& segment = batch.segments[s];
      if (segment.inherited_page < 0) continue;
      const float* const from = inherited_pages_[s] + begin;
      float* const to =
          const_cast<float*>(
              page_pointers_[first_page_[s] + static_cast<std::size_t>(segment.position / kPageKeys)]) +
          begin;
      const std::int64_t slots = segment.position % kPageKeys;
      for (std::int64_t d = 0; d < dk; ++d) std::copy_n(from + d * kPageKeys, slots, to + d * kPageKeys);
      std::copy_n(from + dk * kPageKeys, slots * dv, to + dk * kPageKeys);
    }
  };
  compute_.pool.run(static_cast<std::size_t>(shape_.n_kv_heads), copy);
}

void Forward::attend(const Batch& batch, const PackedLayer& layer, std::int64_t window) {
  const bool latent = config_.attention == AttentionKind::latent;
  const float* q = latent ? q_.data() : inputs_.data();
  const std::int64_t q_stride = latent ? config_.num_attention_heads * config_.key_dim() : inputs_width_;
  const std::int64_t out_stride = config_.num_attention_heads * config_.value_dim();
  float* out = at_least(context_, n_, out_stride);
  queries_.clear();
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    const Segment& segment = batch.segments[s];
    for (std::int64_t i = 0; i < segment.n_rows; ++i) {
      const std::int64_t row = segment.first_row + i, end = segment.position + i + 1;
      queries_.push_back({.q = q + row * q_stride,
                          .out = out + row * out_stride,
                          .pages = page_pointers_.data() + first_page_[s],
                          .first_key = window > 0 ? std::max<std::int64_t>(0, end - window) : 0,
                          .end_key = end});
      if (config_.absorbs()) spread_heads(row);
    }
  }
  if (config_.absorbs()) return attend_latents(layer);
  AttentionShape shape = shape_;
  shape.sinks = layer.sinks.empty() ? nullptr : layer.sinks.data();
  assay::attention(compute_, shape, queries_.data(), static_cast<std::int64_t>(queries_.size()));
}

void Forward::attention(const Batch& batch, const PackedLayer& layer, std::int64_t window) {
  rms_norm(compute_, x_.data(), layer.input_norm.data(), n_, config_.hidden_size,
           static_cast<float>(config_.norm_eps()), normed_.data());
  observe_hidden(Point::input_norm, normed_.data());
  config_.attention == AttentionKind::latent ? project_latent(layer) : project_grouped(layer);
  store(batch);
  attend(batch, layer, window);
  linear(layer.o, context_.data(), layer.o.matrix.n_in, out_.data());
  add_residual();
  observe_attention();
}

// What a block gives, out_, joins the hidden state.
void Forward::add_residual() {
  add_scaled(compute_, static_cast<float>(config_.residual_scale()), out_.data(), n_, config_.hidden_size,
             x_.data());
}

void Forward::activate(const float* gate_up, std::int64_t n_rows, std::int64_t inner, float* y) {
  if (config_.activation == Activation::silu) return silu_mul_halves(compute_, gate_up, n_rows, inner, y);
  const SwigluClamp clamp{static_cast<float>(config_.gate_alpha()), static_cast<float>(config_.gate_limit())};
  clamped_swiglu_halves(compute_, clamp, gate_up, n_rows, inner, y);
}

void Forward::mlp(const PackedMlp& weights, std::int64_t inner, float* y) {
  float* gate_up = at_least(gate_up_, n_, 2 * inner);
  linear(weights.gate_up, normed_.data(), config_.hidden_size, gate_up);
  float* h = at_least(inner_, n_, inner);
  activate(gate_up, n_, inner, h);
  linear(weights.down, h, inner, y);
}

// What the router reads: the normed state, rounded where the reading says so.
const float* Forward::router_input() {
  if (config_.router.reading.numbers != RouterNumbers::bf16_input) return normed_.data();
  const std::int64_t n = n_ * config_.hidden_size;
  float* rounded = at_least(shared_, n_, config_.hidden_size);  // the shared expert writes there later
  std::copy_n(normed_.data(), n, rounded);
  round_to_bf16(rounded, n);
  return rounded;
}

void Forward::choose_experts(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer) {
  const RouterConfig& r = config_.router;
  const std::size_t k = static_cast<std::size_t>(r.n_chosen);
  make_routing(static_cast<std::size_t>(n_));
  float* logits = at_least(router_logits_, n_, r.n_experts);
  linear(layer.router, router_input(), config_.hidden_size, logits);
  if (observer_) observe(Point::router_logits, logits, r.n_experts, r.n_experts);
  if (r.reading.numbers == RouterNumbers::bf16_logits) round_to_bf16(logits, n_ * r.n_experts);
  const RouterChoice choice{.experts = routing_.experts.data(),
                            .weights = routing_.weights.data(),
                            .margins = routing_.margins.data(),
                            .group_margins = observer_ ? routing_.group_margins.data() : nullptr,
                            .expert_margins = observer_ ? routing_.expert_margins.data() : nullptr,
                            .scores = observer_ ? routing_.scores.data() : nullptr};
  const RouterSpec spec = router_spec(r, layer.correction);
  route(compute_, spec, logits, n_, choice);
  if (batch.forced_experts.empty()) return;
  std::copy_n(batch.forced_experts.data() + product(moe_layer, n_) * k, product(n_, r.n_chosen),
              choice.experts);
  route_forced(compute_, spec, logits, n_, choice);
}

// Outputs of experts [first, end) for the rows that chose them, in expert_out_; slots_ (n_rows, n_chosen) says where, -1 for other experts.
// Tokens are gathered by expert, so that each expert's weights are read once; a slot is one (token, expert) pair.
void Forward::run_experts(const PackedLayer& layer, std::int64_t first_expert, std::int64_t end_expert,
                          const std::int32_t* experts) {
  const RouterConfig& r = config_.router;
  const std::int64_t n_pairs = n_ * r.n_chosen, inner = config_.moe_intermediate_size,
                     hidden = config_.hidden_size;
  const auto here = [&](std::int64_t i) { return experts[i] >= first_expert && experts[i] < end_expert; };
  std::vector<std::int32_t> begin(static_cast<std::size_t>(r.n_experts) + 1, 0);
  for (std::int64_t i = 0; i < n_pairs; ++i) begin[static_cast<std::size_t>(experts[i]) + 1] += here(i);
  for (std::size_t e = 1; e < begin.size(); ++e) begin[e] += begin[e - 1];
  const std::int64_t n_slots = begin.back();
  std::vector<std::int32_t> next(begin.begin(), begin.end() - 1);
  slot_rows_.resize(static_cast<std::size_t>(n_slots));
  slots_.assign(static_cast<std::size_t>(n_pairs), -1);
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    if (!here(i)) continue;
    const std::int32_t slot = next[static_cast<std::size_t>(experts[i])]++;
    slots_[static_cast<std::size_t>(i)] = slot;
    slot_rows_[static_cast<std::size_t>(slot)] = static_cast<std::int32_t>(i / r.n_chosen);
  }
  float* gate_up = at_least(gate_up_, n_slots, 2 * inner);
  float* h = at_least(inner_, n_slots, inner);
  float* out = at_least(expert_out_, n_slots, hidden);
  std::vector<MatmulJob> up, down;
  for (std::size_t e = 0; e + 1 < begin.size(); ++e) {
    const std::int64_t first = begin[e], n = begin[e + 1] - first;
    if (n == 0) continue;
    const PackedMlp& expert = layer.experts[e];
    up.push_back({.w = expert.gate_up.matrix,
                  .x = normed_.data(),
                  .rows = slot_rows_.data() + first,
                  .n_tokens = n,
                  .x_stride = hidden,
                  .y = gate_up + first * 2 * inner,
                  .y_stride = 2 * inner});
    down.push_back({.w = expert.down.matrix,
                    .x = h + first * inner,
                    .rows = nullptr,
                    .n_tokens = n,
                    .x_stride = inner,
                    .y = out + first * hidden,
                    .y_stride = hidden});
  }
  // The bias of the expert that a slot belongs to, on each of its rows (n_slots, width).
  const auto add_biases = [&](PackedLinear PackedMlp::*part, std::int64_t width, float* y) {
    if (!config_.expert_bias) return;
    for_rows(compute_.pool, n_slots, [&](std::int64_t slot) {
      const auto after = std::upper_bound(begin.begin(), begin.end(), static_cast<std::int32_t>(slot));
      const PackedMlp& expert = layer.experts[static_cast<std::size_t>(after - begin.begin()) - 1];
      compute_.kernels.add((expert.*part).bias.data(), width, y + slot * width);
    });
  };
  matmul_group(compute_, up.data(), static_cast<std::int64_t>(up.size()));
  add_biases(&PackedMlp::gate_up, 2 * inner, gate_up);
  activate(gate_up, n_slots, inner, h);
  matmul_group(compute_, down.data(), static_cast<std::int64_t>(down.size()));
  add_biases(&PackedMlp::down, hidden, out);
}

// What every token of a mixture also gets, added to out_.
void Forward::add_shared(const PackedLayer& layer) {
  const ModelConfig& c = config_;
  if (c.shared_intermediate_size == 0 || c.reading.shared_expert == SharedExpert::omitted) return;
  float* shared = at_least(shared_, n_, c.hidden_size);
  mlp(layer.shared, c.shared_intermediate_size, shared);
  if (!c.shared_gate || c.reading.shared_gate == SharedGate::omitted)
    return add(compute_, shared, n_, c.hidden_size, out_.data());
  float* gate = at_least(router_logits_, n_, 1);
  linear(layer.shared_gate, normed_.data(), c.hidden_size, gate);
  apply(compute_, Function::sigmoid, gate, n_, gate);
  for_rows(compute_.pool, n_, [&](std::int64_t row) {
    compute_.kernels.add_scaled(gate[row], shared + row * c.hidden_size, c.hidden_size,
                                out_.data() + row * c.hidden_size);
  });
}

void Forward::mixture(const Batch& batch, const PackedLayer& layer, std::int64_t moe_layer) {
  choose_experts(batch, layer, moe_layer);
  const RouterConfig& r = config_.router;
  run_experts(layer, 0, r.n_experts, routing_.experts.data());
  combine_experts(compute_, expert_out_.data(), slots_.data(), routing_.weights.data(), n_, r.n_chosen,
                  config_.hidden_size, out_.data());
  add_shared(layer);
}

void Forward::begin(const Batch& batch, std::span<float> x) {
  batch_ = &batch;
  n_ = batch.n_rows();
  x_ = x;
  const std::int64_t hidden = config_.hidden_size;
  ASSAY_CHECK(n_ > 0 && batch.positions.size() == batch.ids.size() && x.size() == product(n_, hidden));
  ASSAY_CHECK(batch.forced_experts.empty() ||
              batch.forced_experts.size() == product(config_.n_moe_layers() * config_.router.n_chosen, n_));
  at_least(normed_, n_, hidden);
  at_least(out_, n_, hidden);
}

void Forward::attend_layer(std::int64_t i, const PackedLayer& layer, const PageStore& pages) {
  layer_ = i;
  place_rotations(*batch_);
  place_pages(*batch_, pages, i);
  attention(*batch_, layer, config_.window_of(static_cast<std::size_t>(i)));
}

void Forward::norm_for_feed(const PackedLayer& layer) {
  rms_norm(compute_, x_.data(), layer.post_norm.data(), n_, config_.hidden_size,
           static_cast<float>(config_.norm_eps()), normed_.data());
}

void Forward::feed_layer(std::int64_t i, const PackedLayer& layer) {
  const auto at = static_cast<std::size_t>(i);
  layer_ = i;
  norm_for_feed(layer);
  observe_hidden(Point::post_norm, normed_.data());
  config_.layers[at].is_moe ? mixture(*batch_, layer, moe_index_[at])
                            : mlp(layer.dense, config_.intermediate_size, out_.data());
  add_residual();
  observe_hidden(Point::feed_forward, out_.data());
  observe_hidden(Point::residual, x_.data());
}

void Forward::choose_layer(std::int64_t i, const PackedLayer& layer) {
  layer_ = i;
  norm_for_feed(layer);
  observe_hidden(Point::post_norm, normed_.data());
  choose_experts(*batch_, layer, moe_index_[static_cast<std::size_t>(i)]);
}

// The sums of combine_experts, cut between two experts.
void Forward::add_experts(const PackedLayer& layer, std::int64_t first, std::int64_t end,
                          const std::int32_t* experts, const float* weights, float* y) {
  const std::int64_t k = config_.router.n_chosen, hidden = config_.hidden_size;
  norm_for_feed(layer);
  run_experts(layer, first, end, experts);
  for_rows(compute_.pool, n_, [&](std::int64_t row) {
    for (std::int64_t i = row * k; i < (row + 1) * k; ++i) {
      const std::int32_t slot = slots_[static_cast<std::size_t>(i)];
      if (slot >= 0)
        compute_.kernels.add_scaled(weights[i], expert_out_.data() + slot * hidden, hidden, y + row * hidden);
    }
  });
}

void Forward::finish_layer(std::int64_t i, const PackedLayer& layer, const float* y) {
  layer_ = i;
  norm_for_feed(layer);
  std::copy_n(y, product(n_, config_.hidden_size), out_.data());
  add_shared(layer);
  add_residual();
  observe_hidden(Point::feed_forward, out_.data());
  observe_hidden(Point::residual, x_.data());
}

void Forward::drop_buffers() {
  for (std::vector<float>* buffer :
       {&normed_, &inputs_, &q_, &kv_, &context_, &latent_q_, &latent_context_, &cos_, &sin_, &gate_up_,
        &inner_, &out_, &shared_, &router_logits_, &expert_out_, &logits_, &cos_table_, &sin_table_})
    *buffer = {};
}

std::int64_t Forward::head_rows() const {
  return std::max<std::int64_t>(1, kHeadFloats / config_.vocab_size);
}

const float* Forward::head(const PackedEnds& ends, std::span<float> states) {
  const std::int64_t hidden = config_.hidden_size, vocab = config_.vocab_size,
                     n = static_cast<std::int64_t>(states.size()) / hidden;
  ASSAY_CHECK(states.size() == product(n, hidden));
  float* x = states.data();
  rms_norm(compute_, x, ends.norm.data(), n, hidden, static_cast<float>(config_.norm_eps()), x);
  float* logits = at_least(logits_, n, vocab);
  matmul(compute_, ends.head.matrix, x, n, logits);
  if (config_.logits_divisor() != 1) {
    const auto scaling = static_cast<float>(config_.logits_divisor());
    for_rows(compute_.pool, n, [&](std::int64_t row) {
      for (std::int64_t i = row * vocab; i < (row + 1) * vocab; ++i) logits[i] /= scaling;
    });
  }
  return logits;
}

}  // namespace assay
