// The recipe mla-absorbed (recipes.h): queries go into the latent space, what they read comes back out of it.
#include <algorithm>

#include "base/parallel.h"
#include "reference/model/forward.h"

namespace assay {
namespace {

float* room_for(std::vector<float>& buffer, std::int64_t rows, std::int64_t width) {
  const std::size_t n = static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
  if (buffer.size() >= n) return buffer.data();
  buffer = {};  // before the new one takes memory
  buffer.resize(n);
  return buffer.data();
}

}  // namespace

// Of each head: the unrotated part of its query times the keys' half of kv_b, then the rotated part as it is.
void Forward::absorb_queries(const PackedLayer& layer) {
  const ModelConfig& c = config_;
  const std::int64_t heads = c.num_attention_heads, dk = c.key_dim(), width = latent_.qk_dim;
  ASSAY_CHECK(static_cast<std::int64_t>(layer.k_up.size()) == heads);
  const float* q = q_.data();
  float* out = room_for(latent_q_, n_, heads * width);
  room_for(latent_context_, n_, heads * latent_.v_dim);
  std::vector<MatmulJob> jobs;
  for (std::int64_t h = 0; h < heads; ++h) {
    jobs.push_back({.w = layer.k_up[static_cast<std::size_t>(h)].matrix,
                    .x = q + h * dk,
                    .rows = nullptr,
                    .n_tokens = n_,
                    .x_stride = heads * dk,
                    .y = out + h * width,
                    .y_stride = heads * width});
  }
  matmul_group(compute_, jobs.data(), heads);
  compute_.pool.run(static_cast<std::size_t>(heads), [&](std::size_t h, int) {
    for (std::int64_t i = static_cast<std::int64_t>(h); i < n_ * heads; i += heads)
      std::copy_n(q + i * dk + c.qk_nope_head_dim, c.qk_rope_head_dim, out + i * width + c.kv_lora_rank);
  });
}

// The normed latent and the rotated key lie side by side in inputs_, and so they are kept.
void Forward::store_latent(std::int64_t row, float* page, std::int64_t slot) const {
  std::copy_n(inputs_.data() + row * inputs_width_ + latent_begin(), latent_.qk_dim,
              page + slot * latent_.qk_dim);
}

// As inherit(), in the order of the segments.
void Forward::inherit_latents(const Batch& batch) const {
  for (std::size_t s = 0; s < batch.segments.size(); ++s) {
    const Segment& segment = batch.segments[s];
    if (segment.inherited_page < 0) continue;
    const auto page = first_page_[s] + static_cast<std::size_t>(segment.position / kPageKeys);
    std::copy_n(inherited_pages_[s], segment.position % kPageKeys * latent_.qk_dim,
                const_cast<float*>(page_pointers_[page]));
  }
}

// The last query, which is the row's, becomes one for each head.
void Forward::spread_heads(std::int64_t row) {
  const std::int64_t heads = config_.num_attention_heads;
  AttentionQuery query = queries_.back();
  queries_.pop_back();
  for (std::int64_t i = row * heads; i < (row + 1) * heads; ++i) {
    query.q = latent_q_.data() + i * latent_.qk_dim;
    query.out = latent_context_.data() + i * latent_.v_dim;
    queries_.push_back(query);
  }
}

// What each head reads of the latents, times the values' half of kv_b: what the expanded form reads at once.
void Forward::attend_latents(const PackedLayer& layer) {
  const std::int64_t heads = config_.num_attention_heads, rank = latent_.v_dim, dv = config_.v_head_dim;
  ASSAY_CHECK(layer.sinks.empty() && static_cast<std::int64_t>(layer.v_up.size()) == heads);
  latent_attention(compute_, latent_, queries_.data(), static_cast<std::int64_t>(queries_.size()));
  std::vector<MatmulJob> jobs;
  for (std::int64_t h = 0; h < heads; ++h) {
    jobs.push_back({.w = layer.v_up[static_cast<std::size_t>(h)].matrix,
                    .x = latent_context_.data() + h * rank,
                    .rows = nullptr,
                    .n_tokens = n_,
                    .x_stride = heads * rank,
                    .y = context_.data() + h * dv,
                    .y_stride = heads * dv});
  }
  matmul_group(compute_, jobs.data(), heads);
}

}  // namespace assay
