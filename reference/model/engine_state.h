// What the parts of the engine share. Private to reference/model.
#pragma once
#include "base/parallel.h"
#include "reference/model/engine.h"
#include "reference/model/forward.h"
#include "reference/model/wave_plan.h"

namespace assay {

struct Engine::State {
  State(ModelFiles model, PackedModel packed, const Kernels& kernels, const EngineOptions& o);

  ModelFiles files;
  PackedModel weights;
  EngineOptions options;
  ThreadPool pool;
  Compute compute;
  Forward forward;
  BackendStats stats;

  WaveLimits limits(bool reuse) const;
  std::vector<float> states_of(
      std::span<const std::int32_t> rows) const;  // (rows, hidden_size) of the last batch
  // Decisions of this batch's row that no f32 program can promise.
  std::vector<std::int32_t> near_ties_of_rows(std::int64_t n_rows) const;
  // Adds a batch's decisions to the statistics; a row counts `users[row]` times.
  void count_routing(std::span<const std::int64_t> users);
};

// Bytes of activations and keys that a row of a pass needs, roughly.
std::int64_t bytes_per_row(const ModelConfig& config);

}  // namespace assay
