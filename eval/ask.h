// One wave of items: what the model is asked, and what its answers are worth.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "eval/eval_model.h"
#include "eval/record.h"
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

}  // namespace assay
