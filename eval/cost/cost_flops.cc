#include "base/check.h"
#include "eval/cost/cost.h"

namespace assay {
namespace {

double d(std::int64_t value) { return static_cast<double>(value); }

// Weights of one layer's attention matrices; MLA in its expanded form (arXiv 2405.04434, section 2.1).
double attention_weights(const ModelConfig& c) {
  const double heads = d(c.num_attention_heads), hidden = d(c.hidden_size);
  if (c.attention != AttentionKind::latent) {
    return hidden * d(c.head_dim) * (2 * heads + 2 * d(c.num_key_value_heads));
  }
  const double queries = c.q_lora_rank > 0 ? d(c.q_lora_rank) * (hidden + heads * d(c.key_dim()))
                                           : hidden * heads * d(c.key_dim());
  const double latent = hidden * d(c.kv_lora_rank + c.qk_rope_head_dim) +
                        d(c.kv_lora_rank) * heads * d(c.qk_nope_head_dim + c.v_head_dim);
  return queries + latent + heads * d(c.v_head_dim) * hidden;
}

// Scores and mixing of values over half of the sequence.
double attention_core(const ModelConfig& c, double sequence_length) {
  return 2 * d(c.num_attention_heads) * d(c.key_dim() + c.value_dim()) * sequence_length / 2;
}

double gated_ffn_weights(const ModelConfig& c, std::int64_t width) { return 3 * d(c.hidden_size) * d(width); }

double moe_weights(const ModelConfig& c) {
  return d(c.router.n_chosen) * gated_ffn_weights(c, c.moe_intermediate_size) +
         gated_ffn_weights(c, c.shared_intermediate_size) + d(c.hidden_size) * d(c.router.n_experts);
}

}  // namespace

double ForwardFlops::without_mtp() const {
  return attention_projections + attention_core + routed_experts + shared_expert + dense_layers + router +
         head;
}

ForwardFlops forward_flops(const ModelConfig& c, double sequence_length) {
  ASSAY_CHECK(sequence_length > 0);
  ASSAY_CHECK(c.hidden_size > 0 && c.vocab_size > 0);
  const double layers = d(c.num_hidden_layers), moe = d(c.n_moe_layers()),
               head = 2 * d(c.hidden_size) * d(c.vocab_size);
  ForwardFlops f;
  f.attention_projections = 2 * layers * attention_weights(c);
  f.attention_core = layers * attention_core(c, sequence_length);
  f.routed_experts = 2 * moe * d(c.router.n_chosen) * gated_ffn_weights(c, c.moe_intermediate_size);
  f.shared_expert = 2 * moe * gated_ffn_weights(c, c.shared_intermediate_size);
  f.router = 2 * moe * d(c.hidden_size) * d(c.router.n_experts);
  f.dense_layers = 2 * (layers - moe) * gated_ffn_weights(c, c.intermediate_size);
  f.head = head;
  // One block, the projection of two hidden states to one, and the head again (arXiv 2412.19437, section 2.2).
  const double mtp_block = 2 * attention_weights(c) + attention_core(c, sequence_length) + 2 * moe_weights(c);
  f.mtp = d(c.num_nextn_predict_layers) * (mtp_block + 2 * 2 * d(c.hidden_size) * d(c.hidden_size) + head);
  ASSAY_CHECK(f.without_mtp() > 0);
  return f;
}

double active_parameters(const ModelConfig& c) {
  const double moe = d(c.n_moe_layers());
  const double embeddings = d(c.vocab_size) * d(c.hidden_size) * (c.tie_word_embeddings ? 1 : 2);
  return d(c.num_hidden_layers) * attention_weights(c) + moe * moe_weights(c) +
         (d(c.num_hidden_layers) - moe) * gated_ffn_weights(c, c.intermediate_size) + embeddings;
}

}  // namespace assay
