// The CPU engine: the canonical f32 path. All requests of a call are merged into one prefix tree and computed in waves, layer by
// layer; answers do not depend on waves, chunks, threads, instruction set or what else was asked.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "reference/model/backend.h"
#include "reference/model/model_files.h"
#include "reference/model/mtp.h"
#include "reference/model/router_trace.h"
#include "reference/model/trace.h"

namespace assay {

struct EngineOptions {
  int threads = 1;
  std::int64_t wave_tokens = 0;    // rows of one pass, 0: chosen here
  std::int64_t prefill_chunk = 0;  // rows of one prompt at a time while generating, 0: chosen here
  bool prefix_reuse = true;
  // 0: no bound. Weights that do not fit beside a pass are streamed from the files once a wave; states that do not fit go to a file
  // in spill_folder. Below what one layer's parts and a few rows need: Code::memory_limit, which names that minimum.
  std::uint64_t memory_bytes = 0;
  std::string spill_folder = {};  // "": the current folder
  // For tests, which have no model that is too large: weights are streamed, no more than that at a time; states beyond these go to the file.
  std::optional<std::uint64_t> hold_weight_bytes = {}, hold_state_bytes = {};
  std::int64_t slab_rows = 0;  // likewise: rows that visit a layer together, at most; 0: as planned
  std::vector<std::string> conventions = {};  // "NAME=VALUE" (conventions.h)
  std::string recipe = {};                    // "" or "mla-absorbed" (recipes.h)
  std::string isa = {};                       // "" for the best, or as ASSAY_ISA
  std::string device = "cpu";                // not the engine's: "cuda" and "emulated" are cuda_engine.h's
  std::string gpu_arithmetic = "canonical";  // likewise: CudaOptions::arithmetic
  RemoteOptions remote = {};                  // not the engine's: of a MODEL that is a server
};

class Engine final : public Backend {
 public:
  // `path` as open_model. Reads and packs all weights, unless memory_bytes is too small for them.
  static Result<std::unique_ptr<Engine>> load(const std::string& path, const EngineOptions& options);
  static Result<std::unique_ptr<Engine>> load(ModelFiles files, const EngineOptions& options);
  ~Engine() override;

  Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) override;
  Status score_waves(std::span<const ScoreRequest> requests, const ScoreSink& sink) override;
  Result<WorkPlan> plan_score(std::span<const ScoreRequest> requests) override;
  Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests,
                                               const GenerateOptions& options) override;

  // Logits (n_tokens, vocab_size) of every prompt. `forced` empty or one per prompt; `traces` and `states` (n_tokens, hidden_size,
  // before the final norm), where given, receive one per prompt; with `points` (one per prompt, made by the caller) the traces also
  // hold scores and the margins apart.
  Result<std::vector<std::vector<float>>> logits(std::span<const std::vector<std::int32_t>> prompts,
                                                 std::span<const ForcedExperts> forced = {},
                                                 std::vector<RouterTrace>* traces = nullptr,
                                                 std::vector<std::vector<float>>* states = nullptr,
                                                 std::vector<PromptTrace>* points = nullptr);

  // Of each MTP module and prompt the logits (n_tokens - 1 - module, vocab_size), nothing where the prompt is too short (mtp.h); `states`
  // as logits() gave them. Packs the modules' weights for this call. A model without modules is refused.
  Result<std::vector<std::vector<std::vector<float>>>> mtp_logits(
      std::span<const std::vector<std::int32_t>> prompts, std::span<const std::vector<float>> states,
      const MtpChoices& choices);

  BackendStats stats() const override;
  void reset_stats() override;
  std::string name() const override;
  bool is_streamed() const;  // weights are read from the files once a wave
  const ModelConfig& config() const;
  const Checkpoint& checkpoint() const;
  std::vector<std::pair<std::string, std::string>> conventions()
      const;  // conventions_of, and the recipe where it is none of them

  struct State;  // reference/model/engine_state.h

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace assay
