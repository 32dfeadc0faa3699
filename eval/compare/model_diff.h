// What changed between two models: weights, configuration, tokenizer, template (INTERFACE, `diff`).
#pragma once
#include <string>

#include "base/json.h"
#include "base/parallel.h"
#include "base/result.h"
#include "eval/compare/similarity_weights.h"

namespace assay {

inline constexpr double kRankEnergy = 0.95;         // `rank95`
inline constexpr std::int64_t kMaxRankSide = 1024;  // of the smaller side; larger matrices get no rank95
inline constexpr std::int64_t kMaxRankElements = 1 << 25;

// {class, evidence[], tensors[{name, status, rel_error, cosine, max_abs, rank95}], config[], tokenizer[], template[]}.
// class: identical (everything) · same-weights (only files beside them differ) · requantised · vocabulary-changed (only the
// embedding and head have other shapes) · low-rank-update · fine-tuned · unrelated · different-architecture · inconclusive.
// rank95: how many singular values hold 95 % of the squared difference, for changed matrices.
Result<Json> diff_models(const std::string& model_a, const std::string& model_b,
                         const SimilarityOptions& options, ThreadPool& pool);
std::string diff_text(const Json& diff);

}  // namespace assay
