#include "reference/model/weight_source.h"

#include <algorithm>

namespace assay {

WeightSource::WeightSource(PackedModel model) : model_(std::move(model)) {}

WeightSource::WeightSource(const ModelFiles& files, const ModelConfig& config, const StackNames& names,
                           StackBytes bytes)
    : files_(&files), config_(&config), names_(names), bytes_(std::move(bytes)) {}

std::int64_t WeightSource::experts_at_once(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  if (is_resident()) return static_cast<std::int64_t>(model_.layers[at].experts.size());
  const LayerBytes& layer = bytes_.layers[at];
  if (layer.n_experts == 0) return 0;
  const std::uint64_t room = unit_bytes_ - std::min(unit_bytes_, layer.frame);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(room / layer.expert), 1, layer.n_experts);
}

bool WeightSource::all_at_once(std::int64_t i) const {
  return experts_at_once(i) == bytes_.layers[static_cast<std::size_t>(i)].n_experts;
}

Result<const PackedLayer*> WeightSource::layer(std::int64_t i) {
  if (is_resident()) return &model_.layers[static_cast<std::size_t>(i)];
  drop();
  ASSAY_TRY(current_, pack_frame(*files_, *config_, names_, i));
  layer_ = i;
  const std::int64_t n = bytes_.layers[static_cast<std::size_t>(i)].n_experts;
  if (n > 0 && all_at_once(i)) ASSAY_OK(pack_experts(*files_, *config_, names_, i, 0, n, current_));
  const std::int64_t next = (i + 1) % config_->num_hidden_layers;
  prefetch_layer(*files_, *config_, names_, next, all_at_once(next));
  return &current_;
}

Result<const PackedLayer*> WeightSource::experts(std::int64_t first, std::int64_t end) {
  if (is_resident())
    return Error{.code = Code::unsupported, .message = "experts that are in memory do not come in parts"};
  ASSAY_CHECK(layer_ >= 0);
  current_.experts.clear();  // before the next ones take their room
  ASSAY_OK(pack_experts(*files_, *config_, names_, layer_, first, end, current_));
  const std::int64_t n = bytes_.layers[static_cast<std::size_t>(layer_)].n_experts;
  if (end < n) prefetch_experts(*files_, *config_, names_, layer_, end, std::min(n, 2 * end - first));
  return &current_;
}

Result<const PackedEnds*> WeightSource::ends() {
  if (is_resident()) return &model_.ends;
  if (has_ends_) return &ends_;
  drop();
  ASSAY_TRY(ends_, pack_ends(*files_, *config_, names_));
  has_ends_ = true;
  return &ends_;
}

void WeightSource::drop() {
  if (is_resident()) return;
  current_ = {};
  ends_ = {};
  has_ends_ = false;
  layer_ = -1;
}

}  // namespace assay
