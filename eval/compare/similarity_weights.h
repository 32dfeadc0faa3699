// Do the weights of two models have a common origin? Tensor by tensor, with a null drawn on the fly
// (INTERFACE, `similarity weights`; the words of the verdict are those of Independence Tests and our own tolerance).
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "base/parallel.h"
#include "base/result.h"
#include "eval/compare/tensor_compare.h"
#include "eval/compare/weight_independence.h"
#include "reports/database.h"

namespace assay {

inline constexpr double kSimilarityAlpha = 0.01;  // independence is rejected at or below it

struct WeightSimilarity {
  std::string a, b;
  std::vector<TensorComparison> tensors;
  IndependenceTest test;
  // SAME_WEIGHTS: every tensor identical or requantised. WEIGHTS_DESCEND: independence of the initialisations rejected.
  // WEIGHTS_INDEPENDENT_NOT_REJECTED. INCONCLUSIVE: nothing to test, or a panel too small for kSimilarityAlpha.
  std::string verdict;
  std::string does_not_show;

  std::size_t count(TensorStatus status) const;
};

struct SimilarityOptions {
  std::uint64_t seed = 1;
  int siblings = kDefaultSiblings;  // 0: no null, every verdict that needs one is INCONCLUSIVE
};

Result<WeightSimilarity> compare_weights(const std::string& name_a, const RowSource& a,
                                         const std::string& name_b, const RowSource& b,
                                         const SimilarityOptions& options, ThreadPool& pool);

// Two MODELs as one names them, then the control: the first against a sibling drawn from another seed. The control's
// verdict must be WEIGHTS_INDEPENDENT_NOT_REJECTED, which shows that the test does not find origin everywhere.
Result<std::vector<WeightSimilarity>> similarity_of_weights(const std::string& model_a,
                                                            const std::string& model_b,
                                                            const SimilarityOptions& options,
                                                            ThreadPool& pool);

// Rows of `similarity` and `tensor_similarity`; those of the same pair are replaced.
Status record_weight_similarity(Database& database, const WeightSimilarity& similarity);
Json weight_similarity_json(const WeightSimilarity& similarity);
std::string weight_similarity_text(const WeightSimilarity& similarity);

}  // namespace assay
