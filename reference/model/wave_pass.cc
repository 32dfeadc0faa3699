#include "reference/model/wave_pass.h"

#include <algorithm>

#include "base/progress.h"

namespace assay {
namespace {

constexpr std::int64_t kGatherRows = 1024;  // of a store on disk at a time

Status go_on() {
  if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
  return {};
}

}  // namespace

WavePass::WavePass(const ModelConfig& config, Forward& forward, WeightSource& weights,
                   std::uint64_t memory_bytes, const std::string& folder)
    : config_(config),
      forward_(forward),
      weights_(weights),
      states_(config.hidden_size, memory_bytes, folder),
      sums_(config.hidden_size, memory_bytes, folder) {}

void WavePass::drop() {
  states_.drop();
  sums_.drop();
  weights_.drop();
}

Status WavePass::run(std::span<const Slab> slabs, const PageStore& pages, const RoutingSink& routing,
                     std::span<const float> from) {
  ASSAY_CHECK(!slabs.empty());
  n_rows_ = slabs.back().first_row + slabs.back().batch.n_rows();
  ASSAY_CHECK(from.empty() || from.size() == static_cast<std::size_t>(n_rows_ * config_.hidden_size));
  ASSAY_OK(enter(slabs, from));
  for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) ASSAY_OK(layer(i, slabs, pages, routing));
  return forward_.observed() ? leave(slabs) : Status();
}

Status WavePass::enter(std::span<const Slab> slabs, std::span<const float> from) {
  ASSAY_OK(states_.begin(n_rows_));
  for (const Slab& slab : slabs) {
    ASSAY_TRY(const std::span<float> x, states_.edit(slab.first_row, slab.batch.n_rows(), true));
    forward_.begin(slab.batch, x);
    if (from.empty())
      ASSAY_OK(forward_.embed());
    else
      std::copy_n(from.begin() + slab.first_row * config_.hidden_size, x.size(), x.begin());
    ASSAY_OK(states_.keep());
  }
  return {};
}

Status WavePass::layer(std::int64_t i, std::span<const Slab> slabs, const PageStore& pages,
                       const RoutingSink& routing) {
  ASSAY_TRY(const PackedLayer* weights, weights_.layer(i));
  const bool is_moe = config_.layers[static_cast<std::size_t>(i)].is_moe;
  const std::int64_t at_once = weights_.experts_at_once(i);
  const bool in_parts = is_moe && at_once < config_.router.n_experts;
  if (in_parts) ASSAY_OK(sums_.begin(n_rows_));
  for (const Slab& slab : slabs) {
    ASSAY_OK(go_on());
    ASSAY_TRY(const std::span<float> x, states_.edit(slab.first_row, slab.batch.n_rows()));
    forward_.begin(slab.batch, x);
    forward_.attend_layer(i, *weights, pages);
    if (in_parts) {
      forward_.choose_layer(i, *weights);
      ASSAY_TRY(const std::span<float> y, sums_.edit(slab.first_row, slab.batch.n_rows(), true));
      std::fill(y.begin(), y.end(), 0.0f);
      ASSAY_OK(sums_.keep());
    } else {
      forward_.feed_layer(i, *weights);
    }
    if (is_moe) take_routing(i, slab, routing, in_parts);
    ASSAY_OK(states_.keep());
  }
  return in_parts ? feed_in_parts(i, slabs, at_once) : Status();
}

void WavePass::take_routing(std::int64_t i, const Slab& slab, const RoutingSink& routing, bool keeps) {
  const BatchRouting& made = forward_.routing();
  if (routing) routing(forward_.moe_layer(i), slab, made);
  if (!keeps) return;
  const auto k = static_cast<std::size_t>(config_.router.n_chosen),
             at = static_cast<std::size_t>(slab.first_row) * k;
  experts_.resize(static_cast<std::size_t>(n_rows_) * k);
  expert_weights_.resize(experts_.size());
  std::copy(made.experts.begin(), made.experts.end(), experts_.begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(made.weights.begin(), made.weights.end(),
            expert_weights_.begin() + static_cast<std::ptrdiff_t>(at));
}

Status WavePass::feed_in_parts(std::int64_t i, std::span<const Slab> slabs, std::int64_t at_once) {
  const std::int64_t n = config_.router.n_experts, k = config_.router.n_chosen;
  for (std::int64_t first = 0; first < n; first += at_once) {
    const std::int64_t end = std::min(n, first + at_once);
    ASSAY_TRY(const PackedLayer* weights, weights_.experts(first, end));
    for (const Slab& slab : slabs) {
      ASSAY_OK(go_on());
      ASSAY_TRY(const std::span<float> x, states_.edit(slab.first_row, slab.batch.n_rows()));
      ASSAY_TRY(const std::span<float> y, sums_.edit(slab.first_row, slab.batch.n_rows()));
      forward_.begin(slab.batch, x);
      forward_.add_experts(*weights, first, end, experts_.data() + slab.first_row * k,
                           expert_weights_.data() + slab.first_row * k, y.data());
      if (end == n) forward_.finish_layer(i, *weights, y.data());
      ASSAY_OK(end == n ? states_.keep() : sums_.keep());
    }
  }
  return {};
}

// Only for observers.
Status WavePass::leave(std::span<const Slab> slabs) {
  ASSAY_TRY(const PackedEnds* ends, weights_.ends());
  for (const Slab& slab : slabs) {
    ASSAY_TRY(const std::span<float> x, states_.edit(slab.first_row, slab.batch.n_rows()));
    forward_.begin(slab.batch, x);
    forward_.observe_end(*ends);
  }
  return {};
}

Status WavePass::gather(std::span<const std::int32_t> rows, std::span<float> out) {
  const std::int64_t width = config_.hidden_size;
  for (std::size_t i = 0; i < rows.size();) {
    const std::int64_t first = rows[i], n = std::min(kGatherRows, n_rows_ - first);
    ASSAY_CHECK(first >= 0 && n > 0);
    ASSAY_TRY(const std::span<float> x, states_.edit(first, n));
    for (; i < rows.size() && rows[i] >= first && rows[i] < first + n; ++i)
      std::copy_n(x.begin() + (rows[i] - first) * width, width,
                  out.begin() + static_cast<std::ptrdiff_t>(i) * width);
  }
  return {};
}

Result<std::vector<float>> WavePass::states_of(std::span<const std::int32_t> rows) {
  std::vector<float> out(rows.size() * static_cast<std::size_t>(config_.hidden_size));
  ASSAY_OK(gather(rows, out));
  return out;
}

Status WavePass::head(std::span<const std::int32_t> rows, const LogitSink& sink) {
  if (rows.empty()) return {};
  ASSAY_TRY(const PackedEnds* ends, weights_.ends());
  const auto step = static_cast<std::size_t>(forward_.head_rows());
  std::vector<float> x;
  for (std::size_t first = 0; first < rows.size(); first += step) {
    ASSAY_OK(go_on());
    const std::size_t n = std::min(step, rows.size() - first);
    x.resize(n * static_cast<std::size_t>(config_.hidden_size));
    ASSAY_OK(gather(rows.subspan(first, n), x));
    sink(static_cast<std::int64_t>(first), static_cast<std::int64_t>(n), forward_.head(*ends, x));
  }
  return {};
}

}  // namespace assay
