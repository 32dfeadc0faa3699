#include "eval/runs/judge_programs.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/parallel.h"

namespace assay {
namespace {

struct ThisSandbox {
  Sandbox sandbox;
  std::string unavailable = sandbox.unavailable();
};

// Tried once, by the first program.
const ThisSandbox& this_sandbox() {
  static const ThisSandbox kSandbox;
  return kSandbox;
}

}  // namespace

void judge_programs(const std::vector<ItemScore*>& scores, int threads, const RunProgram& run) {
  std::vector<ItemScore*> waiting;
  std::copy_if(scores.begin(), scores.end(), std::back_inserter(waiting), [](const ItemScore* score) { return score->program.has_value(); });
  if (waiting.empty()) return;
  ThreadPool pool(std::clamp(threads, 1, static_cast<int>(std::min<std::size_t>(waiting.size(), 256))));
  pool.run(waiting.size(), [&](std::size_t i, int) { settle_program(*waiting[i], run(*waiting[i]->program)); });
  ASSAY_CHECK(std::none_of(scores.begin(), scores.end(), [](const ItemScore* score) { return score->program.has_value(); }));
}

void judge_programs(const std::vector<ItemScore*>& scores, int threads) {
  judge_programs(scores, threads, [](const ProgramTest& test) {
    const ThisSandbox& here = this_sandbox();
    return here.unavailable.empty() ? here.sandbox.run(test) : ProgramOutcome{ProgramVerdict::fault, here.unavailable};
  });
}

}  // namespace assay
