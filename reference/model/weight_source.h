// Where a pass finds weights: all of them packed in memory, or packed from the files when they are needed and dropped after use, so
// that a pass reads every weight once and holds a part of them at a time.
#pragma once
#include <cstdint>

#include "reference/model/packed_weights.h"

namespace assay {

class WeightSource {
 public:
  explicit WeightSource(PackedModel model);
  // Streamed; `files` and `config` outlive it. No more than `unit_bytes` of panels are held at a time, but a layer without its experts,
  // one expert and what follows the layers always are (StackBytes says how much that is).
  WeightSource(const ModelFiles& files, const ModelConfig& config, const StackNames& names, StackBytes bytes);

  bool is_resident() const { return files_ == nullptr; }
  void hold_at_most(std::uint64_t unit_bytes) { unit_bytes_ = unit_bytes; }
  std::int64_t experts_at_once(std::int64_t i) const;  // of layer i; a layer without experts: 0

  // Layer i; its experts are there if they all are at once. Good until the next call.
  Result<const PackedLayer*> layer(std::int64_t i);
  // Experts [first, end) of the layer that layer() gave last, which is good until the next call of either.
  Result<const PackedLayer*> experts(std::int64_t first, std::int64_t end);
  Result<const PackedEnds*> ends();
  void drop();  // what is streamed is not held any longer

 private:
  bool all_at_once(std::int64_t i) const;

  PackedModel model_;  // resident
  const ModelFiles* files_ = nullptr;
  const ModelConfig* config_ = nullptr;
  StackNames names_;
  StackBytes bytes_;
  std::uint64_t unit_bytes_ = 0;
  std::int64_t layer_ = -1;
  PackedLayer current_;  // streamed
  PackedEnds ends_;
  bool has_ends_ = false;
};

}  // namespace assay
