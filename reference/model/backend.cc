// What a backend does that does not do better itself.
#include "reference/model/backend.h"

#include <numeric>

namespace assay {

Status Backend::score_waves(std::span<const ScoreRequest> requests, const ScoreSink& sink) {
  ASSAY_TRY(std::vector<ScoreAnswer> answers, score(requests));
  std::vector<std::size_t> all(requests.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return sink(all, std::move(answers));
}

Result<WorkPlan> Backend::plan_score(std::span<const ScoreRequest> requests) {
  static_cast<void>(requests);
  return Error{.code = Code::unsupported,
               .message = "what answering takes is known of models that run here only",
               .got = name()};
}

}  // namespace assay
