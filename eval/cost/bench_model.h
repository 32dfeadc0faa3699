// `assay bench --whole`: whole passes of a model, each held against a limit of the machine that was measured right beside it.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernels/bench/bench.h"
#include "reference/model/engine.h"

namespace assay {

struct WholeRequest {
  std::string
      model;  // a MODEL with weights, or the name of a random shape, which is made in a temporary folder and removed
  EngineOptions engine;
  std::int64_t prompt_tokens = 512, generated_tokens = 64;
  int repetitions = 7;
  bool scaling = false;  // a second engine with one thread, in turn with the first
  std::string against;   // a command line that does the same work, run in turn; empty: none
  std::string
      against_rate;  // regular expression whose first group is its rate in tokens a second; empty: its wall time counts
  bool quiet = false;
};

// Rows, fractions and ratios by medians over the repetitions:
//   prefill  a prompt of random ids, the head for its last token alone. flops: two for each weight but embedding and head and each
//            token, scores over earlier tokens left out; fraction of the fused multiply-adds measured before and after it
//   decode   one token after the other. bytes: all weights that a token reads; fraction of the read bandwidth likewise
//   other    what `against` took; fraction_of_limit: our prefill rate over its own, in the same repetition
// with rows of one thread after those of all where `scaling` is set. Nothing is stored. Refused: as loading the model; a command
// that fails or prints no rate (unsupported).
Result<BenchReport> bench_whole(const WholeRequest& request);

}  // namespace assay
