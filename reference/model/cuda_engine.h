// The engine on an accelerator: the answers of the CPU engine, bit for bit with the canonical arithmetic, within a derived bound per product
// with bf16. A row's bits depend on its sequence alone: not on passes, on what else was asked, on prefixes shared.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reference/model/engine.h"

namespace assay {

struct CudaOptions {
  std::string device = "cuda";  // "cuda": the first device; "emulated": the host in its place, for tests
  std::string arithmetic = "canonical";  // or "bf16", "fp8" (kernels/accelerator.h)
  std::uint64_t device_bytes = 0;        // of its memory to use, 0: what is free
  bool stream_weights = false;           // one layer at a time even where all fit, for tests
};

class CudaEngine final : public Backend {
 public:
  // As Engine::load; of the options threads (for packing and emulation), wave_tokens, prefill_chunk, prefix_reuse and conventions count.
  static Result<std::unique_ptr<CudaEngine>> load(const std::string& path, const EngineOptions& options,
                                                  const CudaOptions& cuda);
  static Result<std::unique_ptr<CudaEngine>> load(ModelFiles files, const EngineOptions& options,
                                                  const CudaOptions& cuda);
  ~CudaEngine() override;

  Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) override;
  Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests,
                                               const GenerateOptions& options) override;
  // Logits (n_tokens, vocab_size) of every prompt; `forced` and `traces` as Engine::logits, without scores and the margins apart.
  Result<std::vector<std::vector<float>>> logits(std::span<const std::vector<std::int32_t>> prompts,
                                                 std::span<const ForcedExperts> forced = {},
                                                 std::vector<RouterTrace>* traces = nullptr);

  BackendStats stats() const override;
  void reset_stats() override;
  std::string name() const override;  // "cuda NVIDIA H200 canonical"
  const ModelConfig& config() const;
  const Checkpoint& checkpoint() const;
  std::vector<std::pair<std::string, std::string>> conventions() const;
  bool weights_resident() const;

  struct State;  // reference/model/cuda_engine_state.h
  State& state() { return *state_; }

 private:
  explicit CudaEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace assay
