#include "reference/model/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reference/model/families.h"
#include "reference/model/model_files.h"
#include "reference/model/oracle_parts.h"
#include "reference/model/rope.h"
#include "reference/model/tensors.h"

namespace assay {
namespace {

using namespace oracle;

struct Mlp {
  Linear gate, up, down;
  Row operator()(const ModelConfig& c, const Row& x) const {
    Row inner = gate(x);
    const Row u = up(x);
    const bool clamped = c.activation == Activation::clamped_swiglu;
    for (std::size_t i = 0; i < inner.size(); ++i) {
      inner[i] =
          clamped ? clamped_swiglu(inner[i], u[i], c.gate_alpha(), c.gate_limit()) : silu(inner[i]) * u[i];
    }
    return down(inner);
  }
};

struct Layer {
  Row input_norm, post_norm, q_norm, k_norm, q_a_norm, kv_a_norm;
  Row sinks;                    // (heads) or empty
  Linear q, k, v, o;            // grouped; latent: q without low rank, and o
  Linear q_a, q_b, kv_a, kv_b;  // latent
  Mlp dense, shared;
  Linear router, shared_gate;
  Row correction;
  std::vector<Mlp> experts;
};

struct Loader {
  const Checkpoint& checkpoint;
  Recipe recipe;
  BlockSize block;

  Result<Row> row(const std::string& name, std::int64_t n) const {
    const std::int64_t shape[] = {n};
    return load_f64(checkpoint, name, shape, recipe, block);
  }
  Status norm(const std::string& name, std::int64_t n, Row& out) const {
    ASSAY_TRY(out, row(name + ".weight", n));
    return {};
  }
  Status linear(const std::string& name, std::int64_t n_out, std::int64_t n_in, bool bias,
                Linear& out) const {
    return linear(linear_ref(name, n_out, n_in, bias), out);
  }
  Status linear(const LinearRef& ref, Linear& out) const {
    ASSAY_TRY(const Row rows, load_weight_f64(checkpoint, ref.weight, recipe, block));
    out = {.n_out = ref.weight.n_out, .n_in = ref.weight.n_in, .columns = Row(rows.size()), .bias = {}};
    const auto height = static_cast<std::size_t>(out.n_out), width = static_cast<std::size_t>(out.n_in);
    for (std::size_t o = 0; o < height; ++o) {
      for (std::size_t k = 0; k < width; ++k) out.columns[k * height + o] = rows[o * width + k];
    }
    if (!ref.has_bias()) return {};
    ASSAY_TRY(out.bias, load_weight_f64(checkpoint, ref.bias, recipe, block));
    return {};
  }
  Status mlp(const MlpRef& ref, Mlp& out) const {
    ASSAY_OK(linear(ref.gate, out.gate));
    ASSAY_OK(linear(ref.up, out.up));
    return linear(ref.down, out.down);
  }
};

Status load_attention(const Loader& from, const ModelConfig& c, const std::string& p, Layer& l) {
  const std::int64_t hidden = c.hidden_size, heads = c.num_attention_heads, q = heads * c.key_dim(),
                     kv = c.num_key_value_heads * c.head_dim;
  ASSAY_OK(from.linear(p + ".o_proj", hidden, heads * c.value_dim(), c.o_bias, l.o));
  if (c.attention == AttentionKind::latent) {
    if (c.q_lora_rank > 0) {
      ASSAY_OK(from.linear(p + ".q_a_proj", c.q_lora_rank, hidden, c.qkv_bias, l.q_a));
      ASSAY_OK(from.norm(p + ".q_a_layernorm", c.q_lora_rank, l.q_a_norm));
      ASSAY_OK(from.linear(p + ".q_b_proj", q, c.q_lora_rank, false, l.q_b));
    } else {
      ASSAY_OK(from.linear(p + ".q_proj", q, hidden, false, l.q));
    }
    ASSAY_OK(from.linear(p + ".kv_a_proj_with_mqa", c.kv_lora_rank + c.qk_rope_head_dim, hidden, c.qkv_bias,
                         l.kv_a));
    ASSAY_OK(from.norm(p + ".kv_a_layernorm", c.kv_lora_rank, l.kv_a_norm));
    return from.linear(p + ".kv_b_proj", heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank, false,
                       l.kv_b);
  }
  ASSAY_OK(from.linear(p + ".q_proj", q, hidden, c.qkv_bias, l.q));
  ASSAY_OK(from.linear(p + ".k_proj", kv, hidden, c.qkv_bias, l.k));
  ASSAY_OK(from.linear(p + ".v_proj", kv, hidden, c.qkv_bias, l.v));
  if (c.attention_sinks && c.reading.sinks == Sinks::added) {
    ASSAY_TRY(l.sinks, from.row(p + ".sinks", heads));
  }
  if (c.qk_norm == QkNorm::none) return {};
  const bool whole = c.qk_norm == QkNorm::whole;
  ASSAY_OK(from.norm(p + ".q_norm", whole ? q : c.head_dim, l.q_norm));
  return from.norm(p + ".k_norm", whole ? kv : c.head_dim, l.k_norm);
}

Status load_experts(const Loader& from, const ModelConfig& c, const Family& f, std::int64_t layer, Layer& l) {
  const std::string p = fmt::format("model.layers.{}.{}", layer, f.moe_block);
  ASSAY_OK(from.linear(router_ref(c, layer), l.router));
  if (c.router.correction_bias) {
    // The authors' parameter is f32 (DeepSeek-V3 inference/model.py Gate), whatever it is stored in.
    const std::int64_t shape[] = {c.router.n_experts};
    ASSAY_TRY(const std::vector<float> narrow,
              load_f32(from.checkpoint, p + ".gate.e_score_correction_bias", shape, from.recipe, from.block));
    l.correction = correction_of(c.router, Row(narrow.begin(), narrow.end()));
  }
  l.experts.resize(static_cast<std::size_t>(c.router.n_experts));
  for (std::size_t e = 0; e < l.experts.size(); ++e)
    ASSAY_OK(from.mlp(expert_ref(c, layer, static_cast<std::int64_t>(e)), l.experts[e]));
  if (c.shared_gate) ASSAY_OK(from.linear(p + ".shared_expert_gate", 1, c.hidden_size, false, l.shared_gate));
  if (c.shared_intermediate_size == 0) return {};
  return from.mlp(shared_ref(c, layer), l.shared);
}

// Layer `i` of the configuration, which the files number `number`.
Result<Layer> load_layer(const Loader& from, const ModelConfig& c, const Family& family, std::int64_t i,
                         std::int64_t number) {
  const std::string p = fmt::format("model.layers.{}", number);
  Layer l;
  ASSAY_OK(from.norm(p + ".input_layernorm", c.hidden_size, l.input_norm));
  ASSAY_OK(from.norm(p + ".post_attention_layernorm", c.hidden_size, l.post_norm));
  ASSAY_OK(load_attention(from, c, p + ".self_attn", l));
  if (c.layers[static_cast<std::size_t>(i)].is_moe) {
    ASSAY_OK(load_experts(from, c, family, number, l));
  } else {
    ASSAY_OK(from.mlp(dense_ref(c, number), l.dense));
  }
  return l;
}

// Queries, keys and values of one token after rotation: (heads, key_dim), (kv heads, key_dim), (kv heads,
// value_dim).
struct Projected {
  Row q, k, v;
};

struct Position {
  std::span<const double> cos, sin;
};

Projected project_latent(const ModelConfig& c, const Layer& l, const Row& x, Position at) {
  const auto heads = static_cast<std::size_t>(c.num_attention_heads),
             nope = static_cast<std::size_t>(c.qk_nope_head_dim);
  const auto rope = static_cast<std::size_t>(c.qk_rope_head_dim), dv = static_cast<std::size_t>(c.v_head_dim);
  const auto latent = static_cast<std::size_t>(c.kv_lora_rank), dk = nope + rope;
  const double eps = c.latent_eps == LatentEps::fixed ? kLatentNormEps : c.norm_eps();
  Projected out;
  out.q = l.q_a.empty() ? l.q(x) : l.q_b(rms_norm(l.q_a(x), l.q_a_norm, eps));
  Row kv = l.kv_a(x);
  const Row up = l.kv_b(rms_norm(std::span(kv).first(latent), l.kv_a_norm, eps));
  rotate(kv.data() + latent, at.cos, at.sin, c.rope.layout);
  out.k.resize(heads * dk);
  out.v.resize(heads * dv);
  for (std::size_t h = 0; h < heads; ++h) {
    rotate(out.q.data() + h * dk + nope, at.cos, at.sin, c.rope.layout);
    const double* from = up.data() + h * (nope + dv);
    std::copy_n(from, nope, out.k.data() + h * dk);
    std::copy_n(kv.data() + latent, rope, out.k.data() + h * dk + nope);
    std::copy_n(from + nope, dv, out.v.data() + h * dv);
  }
  return out;
}

void clip(const ModelConfig& c, ClipOrder when, Row& x) {
  if (c.clip_qkv == 0 || c.clip_order != when) return;
  for (double& each : x) each = std::clamp(each, -c.clip_qkv, c.clip_qkv);
}

void norm_heads(const ModelConfig& c, const Row& weight, Row& x) {
  if (c.qk_norm == QkNorm::none) return;
  if (c.qk_norm == QkNorm::whole) {
    x = rms_norm(x, weight, c.norm_eps());
    return;
  }
  for (std::size_t at = 0; at < x.size(); at += weight.size()) {
    const Row head = rms_norm(std::span(x).subspan(at, weight.size()), weight, c.norm_eps());
    std::copy(head.begin(), head.end(), x.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void norm_queries_keys(const ModelConfig& c, const Layer& l, Projected& out) {
  norm_heads(c, l.q_norm, out.q);
  norm_heads(c, l.k_norm, out.k);
}

Projected project_grouped(const ModelConfig& c, const Layer& l, const Row& x, Position at) {
  Projected out{l.q(x), l.k(x), l.v(x)};
  const bool norm_first = c.reading.qk_norm_order == QkNormOrder::before_rope;
  for (Row* each : {&out.q, &out.k, &out.v}) clip(c, ClipOrder::before_norm, *each);
  if (norm_first) norm_queries_keys(c, l, out);
  for (Row* each : {&out.q, &out.k, &out.v}) clip(c, ClipOrder::after_norm, *each);
  const auto d = static_cast<std::size_t>(c.head_dim);
  for (Row* each : {&out.q, &out.k}) {
    for (std::size_t h = 0; h < each->size(); h += d) rotate(each->data() + h, at.cos, at.sin, c.rope.layout);
  }
  if (!norm_first) norm_queries_keys(c, l, out);
  return out;
}

// What token t reads: for each head the soft-max over the visible keys (and the head's sink, which has no value), then
// the sum of their values.
Row attend(const ModelConfig& c, const std::vector<Projected>& all, const Row& sinks, std::size_t t,
           std::int64_t window, double scale) {
  const auto dk = static_cast<std::size_t>(c.key_dim()), dv = static_cast<std::size_t>(c.value_dim());
  const auto heads = static_cast<std::size_t>(c.num_attention_heads),
             share = heads / static_cast<std::size_t>(c.num_key_value_heads);
  const std::size_t first =
      window > 0 && t + 1 > static_cast<std::size_t>(window) ? t + 1 - static_cast<std::size_t>(window) : 0;
  Row out(heads * dv, 0.0);
  for (std::size_t h = 0; h < heads; ++h) {
    Row scores;
    for (std::size_t j = first; j <= t; ++j) {
      double dot = 0;
      for (std::size_t i = 0; i < dk; ++i) dot += all[t].q[h * dk + i] * all[j].k[h / share * dk + i];
      scores.push_back(dot * scale);
    }
    if (!sinks.empty()) scores.push_back(sinks[h]);
    const Row p = softmax(scores);
    for (std::size_t j = first; j <= t; ++j) {
      for (std::size_t i = 0; i < dv; ++i) out[h * dv + i] += p[j - first] * all[j].v[h / share * dv + i];
    }
  }
  return out;
}

Row mixture(const ModelConfig& c, const Layer& l, const Row& x, const Routing& routing) {
  Row y(x.size(), 0.0);
  for (std::size_t i = 0; i < routing.experts.size(); ++i) {
    const Row e = l.experts[static_cast<std::size_t>(routing.experts[i])](c, x);
    for (std::size_t d = 0; d < y.size(); ++d) y[d] += routing.weights[i] * e[d];
  }
  if (c.shared_intermediate_size == 0 || c.reading.shared_expert == SharedExpert::omitted) return y;
  const Row s = l.shared(c, x);
  const bool gated = c.shared_gate && c.reading.shared_gate == SharedGate::sigmoid;
  const double gate = gated ? sigmoid(l.shared_gate(x)[0]) : 1.0;
  for (std::size_t d = 0; d < y.size(); ++d) y[d] += gate * s[d];
  return y;
}

// x + residual_multiplier * y
void add_to(const ModelConfig& c, Row& x, const Row& y) {
  ASSAY_CHECK(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += c.residual_scale() * y[i];
}

// Where the pass is, for the points of a trace.
struct Watch {
  PromptTrace* points = nullptr;
  std::int64_t layer = kNoLayer;
  void see(Point point, const Row& row) const {
    if (points) points->add(point, layer, std::span<const double>(row));
  }
};

void record(RouterTrace* trace, std::int64_t moe_layer, std::size_t token, const Routing& routing) {
  if (!trace) return;
  const std::size_t at = trace->at(moe_layer, static_cast<std::int64_t>(token));
  const auto k = static_cast<std::size_t>(trace->n_chosen), n = static_cast<std::size_t>(trace->n_experts);
  std::copy(routing.experts.begin(), routing.experts.end(),
            trace->experts.begin() + static_cast<std::ptrdiff_t>(at * k));
  std::copy(routing.weights.begin(), routing.weights.end(),
            trace->weights.begin() + static_cast<std::ptrdiff_t>(at * k));
  std::copy(routing.scores.begin(), routing.scores.end(),
            trace->scores.begin() + static_cast<std::ptrdiff_t>(at * n));
  trace->margins[at] = routing.margin;
  trace->group_margins[at] = routing.group_margin;
  trace->expert_margins[at] = routing.expert_margin;
}

std::span<const std::int32_t> forced_row(const ForcedExperts* forced, std::int64_t moe_layer,
                                         std::size_t token) {
  if (!forced) return {};
  const auto k = static_cast<std::size_t>(forced->n_chosen), n = static_cast<std::size_t>(forced->n_tokens);
  return std::span(forced->experts).subspan((static_cast<std::size_t>(moe_layer) * n + token) * k, k);
}

}  // namespace

struct Oracle::Weights {
  ModelConfig config;
  Row embedding;  // (vocab_size, hidden_size)
  Row norm;
  Linear head;
  std::vector<Layer> layers;

  Rows embed(std::span<const std::int32_t> ids) const {
    const std::int64_t width = config.hidden_size;
    const double scale = config.embedding_scale();
    Rows x;
    for (const std::int32_t id : ids) {
      ASSAY_CHECK(id >= 0 && id < config.vocab_size);
      const auto begin = embedding.begin() + id * width;
      Row& row = x.emplace_back(begin, begin + width);
      for (double& each : row) each *= scale;
    }
    return x;
  }

  void attention(const Layer& l, std::int64_t window, const RopeTable& table, const Watch& watch,
                 Rows& x) const {
    const auto pairs = static_cast<std::size_t>(table.n_pairs);
    std::vector<Projected> all;
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Position at{std::span(table.cos).subspan(t * pairs, pairs),
                        std::span(table.sin).subspan(t * pairs, pairs)};
      const Row normed = rms_norm(x[t], l.input_norm, config.norm_eps());
      watch.see(Point::input_norm, normed);
      const auto project = config.attention == AttentionKind::latent ? project_latent : project_grouped;
      all.push_back(project(config, l, normed, at));
      watch.see(Point::q, all[t].q);
      watch.see(Point::k, all[t].k);
      watch.see(Point::v, all[t].v);
    }
    const double scale = attention_scale(config);
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Row context = attend(config, all, l.sinks, t, window, scale), y = l.o(context);
      add_to(config, x[t], y);
      watch.see(Point::context, context);
      watch.see(Point::attention, y);
      watch.see(Point::attention_residual, x[t]);
    }
  }

  void feed_forward(const Layer& l, std::int64_t moe_layer, const ForcedExperts* forced, RouterTrace* trace,
                    const Watch& watch, Rows& x) const {
    for (std::size_t t = 0; t < x.size(); ++t) {
      const Row normed = rms_norm(x[t], l.post_norm, config.norm_eps());
      watch.see(Point::post_norm, normed);
      const Row y =
          moe_layer < 0 ? l.dense(config, normed) : sparse(l, moe_layer, t, forced, trace, watch, normed);
      add_to(config, x[t], y);
      watch.see(Point::feed_forward, y);
      watch.see(Point::residual, x[t]);
    }
  }

  Row sparse(const Layer& l, std::int64_t moe_layer, std::size_t t, const ForcedExperts* forced,
             RouterTrace* trace, const Watch& watch, const Row& normed) const {
    const Row logits = l.router(router_input(config.router, normed));
    watch.see(Point::router_logits, logits);
    const Routing routing = route(config.router, logits, l.correction, forced_row(forced, moe_layer, t));
    record(trace, moe_layer, t, routing);
    return mixture(config, l, normed, routing);
  }
};

Oracle::Oracle(std::unique_ptr<Weights> weights) : weights_(std::move(weights)) {}
Oracle::Oracle(Oracle&&) noexcept = default;
Oracle& Oracle::operator=(Oracle&&) noexcept = default;
Oracle::~Oracle() = default;
const ModelConfig& Oracle::config() const { return weights_->config; }

Result<Oracle> Oracle::load(const Checkpoint& checkpoint, const ModelConfig& c, const StackNames& names) {
  const std::int64_t params = count_model(c).params_total;
  if (params > kMaxOracleParams) {
    return Error{.code = Code::too_large,
                 .message = "the f64 oracle is for small shapes; leave --oracle out",
                 .file = checkpoint.path(),
                 .expected = fmt::format("at most {} parameters", kMaxOracleParams),
                 .got = std::to_string(params)};
  }
  const Family& family = family_of(c);
  const BlockSize block = block_size_of(c);
  const Recipe recipe = c.quant.recipe;
  const Loader from{checkpoint, recipe, block};
  auto w = std::make_unique<Weights>();
  w->config = c;
  const std::int64_t shape[] = {c.vocab_size, c.hidden_size};
  ASSAY_TRY(w->embedding, load_f64(checkpoint, names.embedding + ".weight", shape, recipe, block));
  ASSAY_OK(from.norm(names.norm, c.hidden_size, w->norm));
  ASSAY_OK(from.linear(c.tie_word_embeddings ? names.embedding : names.head, c.vocab_size, c.hidden_size,
                       false, w->head));
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) {
    ASSAY_TRY(Layer layer, load_layer(from, c, family, i, names.first_layer + i));
    w->layers.push_back(std::move(layer));
  }
  return Oracle(std::move(w));
}

Oracle::Rows Oracle::embed(std::span<const std::int32_t> ids) const { return weights_->embed(ids); }

std::vector<double> Oracle::norm(const std::vector<double>& x) const {
  return rms_norm(x, weights_->norm, weights_->config.norm_eps());
}

std::vector<double> Oracle::head(const std::vector<double>& normed) const {
  Row logits = weights_->head(normed);
  for (double& each : logits) each /= weights_->config.logits_divisor();
  return logits;
}

void Oracle::run_layers(Rows& x, const ForcedExperts* forced, RouterTrace* trace, PromptTrace* points) const {
  const Weights& w = *weights_;
  const ModelConfig& c = w.config;
  const auto n = static_cast<std::int64_t>(x.size());
  ASSAY_CHECK(!forced || (forced->n_tokens == n && forced->n_moe_layers == c.n_moe_layers()));
  if (trace) *trace = RouterTrace(c.n_moe_layers(), n, c.router.n_chosen, c.router.n_experts, true);
  Watch watch{.points = points};
  for (const Row& row : x) watch.see(Point::embedding, row);
  const RopeTable table = rope_table(c, n);
  std::int64_t moe_layer = 0;
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    watch.layer = static_cast<std::int64_t>(i);
    w.attention(w.layers[i], c.window_of(i), table, watch, x);
    w.feed_forward(w.layers[i], c.layers[i].is_moe ? moe_layer++ : -1, forced, trace, watch, x);
  }
}

std::vector<double> Oracle::logits(std::span<const std::int32_t> ids, const ForcedExperts* forced,
                                   RouterTrace* trace, PromptTrace* points) const {
  Rows x = embed(ids);
  run_layers(x, forced, trace, points);
  const Watch watch{.points = points};
  std::vector<double> out;
  out.reserve(ids.size() * static_cast<std::size_t>(config().vocab_size));
  for (const Row& row : x) {
    const Row normed = norm(row), logits = head(normed);
    watch.see(Point::final_norm, normed);
    watch.see(Point::logits, logits);
    out.insert(out.end(), logits.begin(), logits.end());
  }
  return out;
}

}  // namespace assay
