// What the routers of one sequence decided, in a form that both paths write, files hold and comparisons
// replay.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay {

class Checkpoint;

inline constexpr double kNearTieMargin =
    1e-5;  // closer decisions cannot be promised by any f32 program (DESIGN)

struct RouterTrace {
  std::int64_t n_moe_layers = 0, n_tokens = 0, n_chosen = 0, n_experts = 0;
  std::vector<std::int32_t> experts;  // (n_moe_layers, n_tokens, n_chosen), ascending per token
  std::vector<double> weights;        // the same shape
  std::vector<double> margins;  // (n_moe_layers, n_tokens): of the closest decision, group or expert; inf
                                // where there was none
  std::vector<double> group_margins, expert_margins;  // the same apart: of the groups, of the experts
  std::vector<double> scores;  // (n_moe_layers, n_tokens, n_experts): unbiased; empty where not asked for

  RouterTrace() = default;
  RouterTrace(std::int64_t moe_layers, std::int64_t tokens, std::int64_t chosen, std::int64_t n_all,
              bool with_scores);
  std::size_t at(std::int64_t moe_layer, std::int64_t token) const;  // row index of a (layer, token) pair
};

struct NearTie {
  std::int64_t moe_layer = 0, token = 0;
  double margin = 0;
};
std::vector<NearTie> near_ties(const RouterTrace& trace, double below = kNearTieMargin);

// Choices to force: experts (n_moe_layers, n_tokens, n_chosen) of one sequence.
struct ForcedExperts {
  std::int64_t n_moe_layers = 0, n_tokens = 0, n_chosen = 0;
  std::vector<std::int32_t> experts;
};

// Reads `experts.0` … `experts.(n-1)` of a trace (trace_file.h), or of any safetensors file that holds them so: each I64 of
// the shape (n_moe_layers, n_tokens, n_chosen), naming n_chosen different experts per token. Where the file holds `ids.i`,
// they must be those of the prompt.
Result<std::vector<ForcedExperts>> read_forced_experts(const std::string& path,
                                                       std::span<const std::vector<std::int32_t>> prompts,
                                                       std::int64_t n_moe_layers, std::int64_t n_chosen,
                                                       std::int64_t n_experts);

}  // namespace assay
