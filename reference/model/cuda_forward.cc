#include "reference/model/cuda_forward.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "reference/model/rope.h"

namespace assay {
namespace {

RotaryPairs gpu_pairs_of(RopeLayout layout) {
  return layout == RopeLayout::pairs ? RotaryPairs::interleaved : RotaryPairs::half_split;
}

Error too_wide(const char* what, std::int64_t most, std::int64_t got) {
  return Error{.code = Code::unsupported,
               .message = "the GPU's kernels do not hold this model; run it on the CPU",
               .field = what,
               .expected = fmt::format("at most {}", most),
               .got = std::to_string(got)};
}

}  // namespace

Status CudaForward::check(const ModelConfig& c) {
  if (c.key_dim() > kGpuMaxKeyDim) return too_wide("keys of a head", kGpuMaxKeyDim, c.key_dim());
  if (c.value_dim() > kGpuMaxValueDim) return too_wide("values of a head", kGpuMaxValueDim, c.value_dim());
  if (c.router.n_groups > kGpuMaxGroups)
    return too_wide("groups of experts", kGpuMaxGroups, c.router.n_groups);
  if (c.router.n_chosen > kGpuMaxChosen)
    return too_wide("experts of a token", kGpuMaxChosen, c.router.n_chosen);
  if (c.vocab_size > (1 << 20)) return too_wide("vocabulary", 1 << 20, c.vocab_size);
  return {};
}

CudaForward::CudaForward(const ModelFiles& files, DeviceWeights& weights, Accelerator& accelerator,
                         GpuArithmetic arithmetic)
    : files_(files),
      config_(files.config),
      weights_(weights),
      a_(accelerator),
      arithmetic_(arithmetic),
      frequencies_(rope_frequencies(config_.rope, config_.rope_dim())),
      gain_(rope_gain(config_.rope, config_.attention)),
      x_(a_),
      normed_(a_),
      inputs_(a_),
      q_(a_),
      kv_(a_),
      context_(a_),
      cos_(a_),
      sin_(a_),
      gate_up_(a_),
      inner_(a_),
      out_(a_),
      shared_(a_),
      router_logits_(a_),
      rounded_(a_),
      expert_out_(a_),
      pages_(a_),
      experts_(a_),
      mix_weights_(a_),
      margins_(a_),
      slot_rows_(a_),
      slot_of_(a_),
      head_rows_(a_),
      logits_(a_),
      which_(a_),
      picked_(a_),
      summaries_(a_) {
  shape_ = {.n_heads = config_.num_attention_heads,
            .n_kv_heads = config_.num_key_value_heads,
            .qk_dim = config_.key_dim(),
            .v_dim = config_.value_dim(),
            .scale = static_cast<float>(attention_scale(config_))};
}

std::vector<float> CudaForward::fetch(const float* x, std::int64_t n_rows, std::int64_t n,
                                      std::int64_t stride) {
  std::vector<float> all(static_cast<std::size_t>((n_rows - 1) * stride + n)), out;
  a_.to_host(all.data(), x, all.size() * sizeof(float));
  if (n == stride) return all;
  for (std::int64_t row = 0; row < n_rows; ++row)
    out.insert(out.end(), all.begin() + row * stride, all.begin() + row * stride + n);
  return out;
}

void CudaForward::linear(std::string_view name, const DeviceLinear& w, const float* x, std::int64_t x_stride,
                         float* y, GpuArithmetic arithmetic) {
  const bool shown = observer_ != nullptr && observer_->product;
  std::vector<float> before;
  if (shown) before = fetch(x, n_, w.matrix.n_in, x_stride);
  const DeviceProduct job{.w = w.matrix, .n_tokens = n_, .y = y, .y_stride = w.matrix.n_out, .bias = w.bias};
  a_.multiply({x, n_, x_stride}, &job, 1, arithmetic);
  if (shown)
    observer_->product({layer_, name, w.host, n_, std::move(before),
                        fetch(y, n_, w.matrix.n_out, w.matrix.n_out), arithmetic});
}

Status CudaForward::begin(const DeviceBatch& batch) {
  n_ = batch.n_rows();
  ASSAY_CHECK(n_ > 0 && batch.positions.size() == batch.ids.size());
  const std::int64_t hidden = config_.hidden_size, moe_layers = config_.n_moe_layers();
  const auto decisions = static_cast<std::size_t>(moe_layers * n_),
             k = static_cast<std::size_t>(config_.router.n_chosen);
  ASSAY_CHECK(batch.forced_experts.empty() || batch.forced_experts.size() == decisions * k);
  routing_.experts.resize(decisions * k);
  routing_.weights.resize(decisions * k);
  routing_.margins.resize(decisions);
  const TensorView* table = files_.checkpoint.find("model.embed_tokens.weight");
  ASSAY_CHECK(table);
  std::vector<float> x(static_cast<std::size_t>(n_ * hidden));
  for (std::int64_t row = 0; row < n_; ++row) {
    const std::int32_t id = batch.ids[static_cast<std::size_t>(row)];
    ASSAY_CHECK(id >= 0 && id < config_.vocab_size);
    ASSAY_OK(load_rows_f32(
        files_.checkpoint, *table, id, 1,
        std::span(x).subspan(static_cast<std::size_t>(row * hidden), static_cast<std::size_t>(hidden)),
        config_.quant.recipe, block_size_of(config_)));
  }
  const auto scale = static_cast<float>(config_.embedding_scale());
  for (float& value : x) value = scale == 1.0f ? value : value * scale;
  x_.hold<float>(x);
  normed_.at_least(n_ * hidden);
  out_.at_least(n_ * hidden);
  return {};
}

void CudaForward::place_rotations(const DeviceBatch& batch) {
  const auto pairs = static_cast<std::int64_t>(frequencies_.size());
  std::vector<float> cos(static_cast<std::size_t>(n_ * pairs)), sin(cos.size());
  for (std::int64_t row = 0; row < n_; ++row) {
    rotary_row(static_cast<double>(batch.positions[static_cast<std::size_t>(row)]), frequencies_.data(),
               pairs, gain_, cos.data() + row * pairs, sin.data() + row * pairs);
  }
  cos_.hold<float>(cos);
  sin_.hold<float>(sin);
}

void CudaForward::place_pages(const DeviceBatch& batch, const DevicePages& pages, std::int64_t layer) {
  page_pointers_.clear();
  first_page_.clear();
  for (const DeviceSegment& segment : batch.segments) {
    ASSAY_CHECK(static_cast<std::int64_t>(segment.pages.size()) * kPageKeys >=
                segment.position + segment.n_rows);
    first_page_.push_back(static_cast<std::int32_t>(page_pointers_.size()));
    for (const std::int32_t page : segment.pages) page_pointers_.push_back(pages.at(page, layer));
  }
  pages_.hold<float*>(page_pointers_);
}

void CudaForward::make_slots(const DeviceBatch& batch) {
  slots_.clear();
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    const DeviceSegment& segment = batch.segments[s];
    for (std::int64_t i = 0; i < segment.n_rows; ++i) {
      const std::int64_t position = segment.position + i;
      slots_.push_back({static_cast<std::int32_t>(segment.first_row + i),
                        first_page_[s] + static_cast<std::int32_t>(position / kPageKeys),
                        static_cast<std::int32_t>(position % kPageKeys)});
    }
  }
}

void CudaForward::make_queries(const DeviceBatch& batch, std::int64_t window) {
  queries_.clear();
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    const DeviceSegment& segment = batch.segments[s];
    for (std::int64_t i = 0; i < segment.n_rows; ++i) {
      const std::int64_t end = segment.position + i + 1;
      queries_.push_back({static_cast<std::int32_t>(segment.first_row + i), first_page_[s],
                          static_cast<std::int32_t>(window > 0 ? std::max<std::int64_t>(0, end - window) : 0),
                          static_cast<std::int32_t>(end)});
    }
  }
}

// MLA, expanded (2405.04434 section 2.1), as Forward::project_latent.
void CudaForward::project_latent(const DeviceLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t heads = c.num_attention_heads, width = layer.inputs.matrix.n_out,
                     qk = heads * c.key_dim();
  const std::int64_t first = c.q_lora_rank > 0 ? c.q_lora_rank : qk;
  const auto eps = static_cast<float>(c.latent_eps == LatentEps::fixed ? kLatentNormEps : c.norm_eps());
  const auto pairs = static_cast<std::int64_t>(frequencies_.size());
  float* const inputs = inputs_.at_least(n_ * width);
  linear("inputs", layer.inputs, normed_.floats(), c.hidden_size, inputs, arithmetic_);
  if (c.q_lora_rank > 0) {
    a_.rms_norm({inputs, n_, width, 1, 0}, layer.q_a_norm, first, eps);
    linear("q_b", layer.q_b, inputs, width, q_.at_least(n_ * qk), arithmetic_);
  }
  float* const latent = inputs + first;
  a_.rms_norm({latent, n_, width, 1, 0}, layer.kv_a_norm, c.kv_lora_rank, eps);
  linear("kv_b", layer.kv_b, latent, width, kv_.at_least(n_ * layer.kv_b.matrix.n_out), arithmetic_);
  const RotaryPairs layout = gpu_pairs_of(c.rope.layout);
  a_.rotary({latent + c.kv_lora_rank, n_, width, 1, 0}, pairs, layout, cos_.floats(), sin_.floats());
  float* const q = c.q_lora_rank > 0 ? q_.floats() : inputs;
  a_.rotary({q + c.qk_nope_head_dim, n_, c.q_lora_rank > 0 ? qk : width, heads, c.key_dim()}, pairs, layout,
            cos_.floats(), sin_.floats());
}

void CudaForward::norm_heads(const DeviceLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t d = c.head_dim, heads = c.num_attention_heads, kv_heads = c.num_key_value_heads,
                     width = layer.inputs.matrix.n_out;
  const auto eps = static_cast<float>(c.norm_eps());
  float *const q = inputs_.floats(), *const k = q + heads * d;
  if (c.qk_norm == QkNorm::whole) {
    a_.rms_norm({q, n_, width, 1, 0}, layer.q_norm, heads * d, eps);
    a_.rms_norm({k, n_, width, 1, 0}, layer.k_norm, kv_heads * d, eps);
  } else if (c.qk_norm == QkNorm::per_head) {
    a_.rms_norm({q, n_, width, heads, d}, layer.q_norm, d, eps);
    a_.rms_norm({k, n_, width, kv_heads, d}, layer.k_norm, d, eps);
  }
}

void CudaForward::project_grouped(const DeviceLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t width = layer.inputs.matrix.n_out;
  float* const inputs = inputs_.at_least(n_ * width);
  linear("inputs", layer.inputs, normed_.floats(), c.hidden_size, inputs, arithmetic_);
  const auto clip = [&](ClipOrder when) {
    if (c.clip_qkv != 0 && c.clip_order == when)
      a_.clip(inputs, n_, width, width, static_cast<float>(c.clip_qkv));
  };
  const bool norm_first = c.reading.qk_norm_order == QkNormOrder::before_rope;
  clip(ClipOrder::before_norm);
  if (norm_first) norm_heads(layer);
  clip(ClipOrder::after_norm);
  a_.rotary({inputs, n_, width, c.num_attention_heads + c.num_key_value_heads, c.head_dim},
            static_cast<std::int64_t>(frequencies_.size()), gpu_pairs_of(c.rope.layout), cos_.floats(),
            sin_.floats());
  if (!norm_first) norm_heads(layer);
}

void CudaForward::store(const DeviceLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t width = layer.inputs.matrix.n_out;
  DeviceKeys keys{.shape = shape_,
                  .pages = pages_.at_least<float*>(0),
                  .slots = slots_.data(),
                  .n_slots = static_cast<std::int64_t>(slots_.size())};
  if (c.attention == AttentionKind::grouped) {
    keys.k = inputs_.floats() + c.num_attention_heads * c.head_dim;
    keys.v = keys.k + c.num_key_value_heads * c.head_dim;
    keys.own = keys.k_head = keys.v_head = c.head_dim;
    keys.k_stride = keys.v_stride = width;
  } else {
    const std::int64_t part = c.qk_nope_head_dim + c.v_head_dim;
    keys.k = kv_.floats();
    keys.v = keys.k + c.qk_nope_head_dim;
    keys.own = c.qk_nope_head_dim;
    keys.k_head = keys.v_head = part;
    keys.k_stride = keys.v_stride = c.num_attention_heads * part;
    keys.shared = inputs_.floats() +
                  (c.q_lora_rank > 0 ? c.q_lora_rank : c.num_attention_heads * c.key_dim()) + c.kv_lora_rank;
    keys.shared_stride = width;
  }
  a_.store_keys(keys);
}

void CudaForward::attend(const DeviceLayer& layer) {
  const ModelConfig& c = config_;
  const bool apart =
      c.attention == AttentionKind::latent && c.q_lora_rank > 0;  // else the queries lie among the inputs
  AttentionShape shape = shape_;
  shape.sinks = layer.sinks;
  a_.attend({.shape = shape,
             .q = apart ? q_.floats() : inputs_.floats(),
             .q_stride = apart ? c.num_attention_heads * c.key_dim() : layer.inputs.matrix.n_out,
             .out = context_.at_least(n_ * c.num_attention_heads * c.value_dim()),
             .pages = pages_.at_least<const float*>(0),
             .queries = queries_.data(),
             .n_queries = static_cast<std::int64_t>(queries_.size())},
            arithmetic_);
}

void CudaForward::attention(const DeviceBatch& batch, const DeviceLayer& layer, std::int64_t window) {
  a_.rms_norm_to(x_.floats(), layer.input_norm, n_, config_.hidden_size,
                 static_cast<float>(config_.norm_eps()), normed_.floats());
  config_.attention == AttentionKind::latent ? project_latent(layer) : project_grouped(layer);
  store(layer);
  make_queries(batch, window);
  attend(layer);
  linear("o", layer.o, context_.floats(), layer.o.matrix.n_in, out_.floats(), arithmetic_);
  add_residual();
}

void CudaForward::add_residual() {
  a_.add_scaled(static_cast<float>(config_.residual_scale()), nullptr, out_.floats(), n_, config_.hidden_size,
                x_.floats());
}

Status CudaForward::run(const DeviceBatch& batch, const DevicePages& pages) {
  ASSAY_OK(begin(batch));
  place_rotations(batch);
  std::int64_t moe_layer = 0;
  for (std::size_t i = 0; i < config_.layers.size(); ++i) {
    layer_ = static_cast<std::int64_t>(i);
    place_pages(batch, pages, layer_);
    if (i == 0) make_slots(batch);
    const DeviceLayer& layer = weights_.layer(i);
    attention(batch, layer, config_.window_of(i));
    a_.rms_norm_to(x_.floats(), layer.post_norm, n_, config_.hidden_size,
                   static_cast<float>(config_.norm_eps()), normed_.floats());
    config_.layers[i].is_moe ? mixture(batch, layer, moe_layer++)
                             : mlp(layer.dense, config_.intermediate_size, out_.floats());
    add_residual();
    weights_.prefetch(i + 1);
    if (observer_ != nullptr && observer_->residual) observer_->residual(layer_, states());
  }
  layer_ = kNoLayer;
  if (const char* fault = a_.finish())
    return Error{
        .code = Code::unsupported, .message = std::string("the GPU stopped: ") + fault, .field = "cuda"};
  return {};
}

std::vector<float> CudaForward::states() {
  return fetch(x_.floats(), n_, config_.hidden_size, config_.hidden_size);
}

}  // namespace assay
