// One wave of items: what the model is asked, and what its answers are worth.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/runs/eval_model.h"
#include "eval/runs/record.h"
#include "suites/render.h"
#include "suites/suite.h"

namespace assay {

struct AskedItem {
  std::size_t index = 0;  // in suite.items
  ItemScore score;
  ResultRecord record;    // `record.score` points at `score` only while it is written
  bool truncated = false;
};

// Asks items (positions in suite.items) and scores them, in their order.
Result<std::vector<AskedItem>> ask_items(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const std::size_t> items,
                                         std::uint64_t seed, Progress& progress);

// One sample of one item, which is what a generation can be resumed by.
struct SampleUnit {
  std::size_t index = 0;    // in suite.items
  std::int64_t number = 0;  // 0 … Sampling::samples - 1
  bool operator==(const SampleUnit&) const = default;
};
struct MadeSample {
  SampleUnit unit;
  SampleRecord record;  // not judged yet
  std::optional<std::int64_t> router_ties;  // none: the backend does not count them
  std::optional<std::string> prompt, prompt_digest, ids_digest;
};

// Samples in the order of `units`, which stand together by item and ascend by number within it. What is drawn for a unit depends on the seed and the
// unit alone (Sampling::seed_rule).
Result<std::vector<MadeSample>> ask_samples(EvalModel& model, const Suite& suite, const Protocol& protocol, std::span<const SampleUnit> units,
                                            std::uint64_t seed, Progress& progress);
// All samples of one item, in the order of their numbers, judged each and together; programs are run on `threads` threads.
AskedItem judge_samples(const Suite& suite, const Protocol& protocol, std::vector<MadeSample> samples, int threads = 1);

// True where another run with another seed writes something else.
bool draws(const Protocol& protocol);
std::uint64_t seed_of(const Protocol& protocol, std::uint64_t run_seed);

// --- shared by the two files of it ---

Result<RenderedRequest> render_item(EvalModel& model, const Suite& suite, const Protocol& protocol, const Item& item);
std::string ids_digest(std::span<const std::int32_t> ids);

}  // namespace assay
