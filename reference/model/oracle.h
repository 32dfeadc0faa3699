// The f64 oracle: the published formulas as plain loops, for small shapes. Tests compare everything else with
// it, so it shares nothing with the engine but the configuration, the rope tables and the reading of weights.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "reference/model/config.h"
#include "reference/model/router_trace.h"
#include "reference/model/tensors.h"
#include "reference/model/trace.h"

namespace assay {

inline constexpr std::int64_t kMaxOracleParams =
    500'000'000;  // 4 GB in f64: the random shapes of half a billion; larger models are not what it is for

class Oracle {
 public:
  using Rows = std::vector<std::vector<double>>;  // one state a token, (n_tokens, hidden_size)

  // Refuses a model above kMaxOracleParams (Code::too_large) and whatever the weights lack.
  static Result<Oracle> load(const Checkpoint& checkpoint, const ModelConfig& config,
                             const StackNames& names = {});
  Oracle(Oracle&&) noexcept;
  Oracle& operator=(Oracle&&) noexcept;
  ~Oracle();

  // Logits (n_tokens, vocab_size) of ids, each below vocab_size (checked by the caller, see check_ids).
  // `forced` replaces the choice of experts, not the weights; `trace` receives the decisions, `points` what was
  // computed on the way. May be called from several threads at once.
  std::vector<double> logits(std::span<const std::int32_t> ids, const ForcedExperts* forced = nullptr,
                             RouterTrace* trace = nullptr, PromptTrace* points = nullptr) const;
  const ModelConfig& config() const;

  // What logits() is made of: embeddings, all layers, the final norm, the head.
  Rows embed(std::span<const std::int32_t> ids) const;
  void run_layers(Rows& x, const ForcedExperts* forced = nullptr, RouterTrace* trace = nullptr,
                  PromptTrace* points = nullptr) const;
  std::vector<double> norm(const std::vector<double>& x) const;
  std::vector<double> head(const std::vector<double>& normed) const;

 private:
  struct Weights;
  explicit Oracle(std::unique_ptr<Weights> weights);
  std::unique_ptr<Weights> weights_;
};

}  // namespace assay
