// Items: what the model is asked, and what its answers are worth.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
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

// The likelihoods that some items of a suite need under a protocol: requests, whose answers may come in any order, and what the items whose
// answers are there are worth.
class ItemRequests {
 public:
  ItemRequests(EvalModel& model, const Suite& suite, const Protocol& protocol) : model_(model), suite_(suite), protocol_(protocol) {}

  Status add(std::size_t index);  // an item by its position in suite.items: renders and encodes it
  std::span<const ScoreRequest> requests() const { return requests_; }
  std::vector<ScoreRequest> give_requests() { return std::move(requests_); }  // those of one item have one number as unit, from 0 on
  std::uint64_t tokens() const { return tokens_; }  // that the requests hold
  // Takes the answer to a request; gives the item whose last one it was.
  std::optional<AskedItem> take(std::size_t request, ScoreAnswer answer);
  std::vector<AskedItem> take_empty() { return std::exchange(empty_, {}); }  // items that need no answer, such as texts of one token

 private:
  // The requests of an item lie side by side; the unconditional ones stand behind the `count` others.
  struct Pending {
    std::size_t first = 0, count = 0, missing = 0;
    AskedItem asked;
    RenderedRequest rendered;
  };
  const Item& item(const Pending& p) const { return suite_.items[p.asked.index]; }
  Status add_choices(Pending& p);
  Status add_windows(Pending& p);
  Status add_continuation(Pending& p, const std::string& context, const std::string& continuation);
  void push(ScoreRequest request, std::int64_t truncated);
  void keep_prompt(Pending& p, bool all) const;
  void score_options(Pending& p);
  void score_text(Pending& p);

  EvalModel& model_;
  const Suite& suite_;
  const Protocol& protocol_;
  std::vector<Pending> items_;
  std::vector<std::size_t> item_of_;  // of each request: in items_
  std::vector<ScoreRequest> requests_;
  std::vector<ScoreAnswer> answers_;
  std::vector<std::int64_t> truncated_;  // tokens cut from each request
  std::vector<AskedItem> empty_;
  std::uint64_t tokens_ = 0;
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
// The ids of an item's prompt, cut to what the protocol leaves for it.
Result<std::vector<std::int32_t>> prompt_ids(EvalModel& model, const Suite& suite, const Protocol& protocol, const Item& item);
// All samples of one item, in the order of their numbers, judged each and together; programs are run on `threads` threads.
AskedItem judge_samples(const Suite& suite, const Protocol& protocol, std::vector<MadeSample> samples, int threads = 1);

// True where another run with another seed writes something else.
bool draws(const Protocol& protocol);
std::uint64_t seed_of(const Protocol& protocol, std::uint64_t run_seed);

// --- shared by the two files of it ---

Result<RenderedRequest> render_item(EvalModel& model, const Suite& suite, const Protocol& protocol, const Item& item);
std::string ids_digest(std::span<const std::int32_t> ids);

}  // namespace assay
