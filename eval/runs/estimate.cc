// What runs would take: all requests are made and planned, a few are answered for the pace.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "eval/runs/ask.h"
#include "eval/runs/run.h"
#include "reference/model/memory_plan.h"

namespace assay {
namespace {

constexpr std::uint64_t kPartTokens = std::uint64_t{32} << 20;  // of requests that are held at a time
constexpr double kTrialFlops = 5e11;  // seconds of one processor
constexpr std::uint64_t kLeastTrialTokens = 256, kMostTrialTokens = 8192;

class Estimator {
 public:
  explicit Estimator(EvalModel& model) : model_(model) {}

  Status add(const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items) {
    out_.items += items.size();
    return protocol.kind == ProtocolKind::generate ? add_samples(suite, protocol, items) : add_likelihoods(suite, protocol, items);
  }

  Result<RunEstimate> finish() {
    ASSAY_OK(plan_part());
    if (trial_.empty()) return out_;
    const auto begin = std::chrono::steady_clock::now();
    model_.engine->reset_stats();
    ASSAY_TRY(const std::vector<ScoreAnswer> answers, model_.engine->score(trial_));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double flops = model_.engine->stats().flops;
    if (flops > 0) out_.seconds = seconds * out_.flops / flops;
    out_.memory_bytes = std::max(out_.memory_bytes, resident_bytes());
    return out_;
  }

 private:
  Status add_likelihoods(const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items) {
    for (std::size_t next = 0; next < items.size();) {
      ItemRequests requests(model_, suite, protocol);
      while (next < items.size() && held_ + requests.tokens() < kPartTokens) ASSAY_OK(requests.add(items[next++]));
      held_ += requests.tokens();
      std::int64_t last = 0;
      for (ScoreRequest& request : requests.give_requests()) {
        last = std::max(last, request.unit);
        request.unit += units_;
        part_.push_back(std::move(request));
      }
      units_ += last + 1;
      if (next < items.size()) ASSAY_OK(plan_part());
    }
    return {};
  }

  // A prompt is read once, its samples are written token by token.
  Status add_samples(const Suite& suite, const Protocol& protocol, const std::vector<std::size_t>& items) {
    const auto samples = static_cast<std::uint64_t>(protocol.sampling.samples);
    for (const std::size_t index : items) {
      ASSAY_TRY(std::vector<std::int32_t> ids, prompt_ids(model_, suite, protocol, suite.items[index]));
      if (ids.empty()) continue;
      const auto from = std::ssize(ids);
      out_.tokens_asked += static_cast<std::uint64_t>(from) * (samples - 1);
      out_.tokens_generated += samples * static_cast<std::uint64_t>(protocol.max_tokens);
      ids.push_back(ids.back());  // the last token of a request is not fed
      held_ += ids.size();
      part_.push_back({.ids = std::move(ids), .scored_from = from});
      if (held_ >= kPartTokens) ASSAY_OK(plan_part());
    }
    return {};
  }

  Status plan_part() {
    if (part_.empty()) return {};
    ASSAY_TRY(const WorkPlan plan, model_.engine->plan_score(part_));
    out_.tokens_asked += plan.tokens_asked;
    out_.tokens_computed += plan.tokens_computed;
    out_.passes += plan.passes;
    out_.flops += plan.flops;
    out_.streamed = plan.streamed;
    out_.memory_bytes = std::max(out_.memory_bytes, resident_bytes() + plan.memory_bytes);
    if (trial_.empty()) choose_trial(plan.flops / std::max(1.0, static_cast<double>(plan.tokens_computed)));
    part_.clear();
    held_ = 0;
    return {};
  }

  // Requests from the middle of the first part, one after the other, so that they share what such requests share.
  void choose_trial(double flops_per_token) {
    const auto wanted = std::clamp(static_cast<std::uint64_t>(kTrialFlops / std::max(1.0, flops_per_token)), kLeastTrialTokens, kMostTrialTokens);
    std::uint64_t tokens = 0;
    for (std::size_t i = part_.size() / 2; i < part_.size() && tokens < wanted; ++i) {
      tokens += part_[i].ids.size();
      trial_.push_back(part_[i]);
    }
  }

  EvalModel& model_;
  RunEstimate out_;
  std::vector<ScoreRequest> part_, trial_;
  std::uint64_t held_ = 0;
  std::int64_t units_ = 0;
};

}  // namespace

Result<RunEstimate> estimate_runs(EvalModel& model, std::span<const SuiteAsk> asks, const RunOptions& options) {
  Estimator estimator(model);
  for (const SuiteAsk& ask : asks) ASSAY_OK(estimator.add(*ask.suite, *ask.protocol, choose_items(*ask.suite, options)));
  return estimator.finish();
}

namespace {

double ratio_of(const RunEstimate& e) {
  return e.tokens_asked == 0 ? 1 : static_cast<double>(e.tokens_computed) / static_cast<double>(e.tokens_asked);
}

}  // namespace

Json estimate_json(const RunEstimate& e) {
  return {{"items", e.items},
          {"tokens", {{"asked", e.tokens_asked}, {"computed", e.tokens_computed}, {"generated_at_most", e.tokens_generated}}},
          {"ratio", ratio_of(e)},
          {"passes", e.passes},
          {"flops", e.flops},
          {"predicted_seconds", e.seconds},
          {"memory_bytes", e.memory_bytes},
          {"streamed", e.streamed}};
}

std::string estimate_text(const RunEstimate& e) {
  std::string text = fmt::format("{} items: {} tokens asked, {} computed (ratio {:.4f}) in {} passes over the weights{}\n", e.items, e.tokens_asked,
                                 e.tokens_computed, ratio_of(e), e.passes, e.streamed ? ", which are read from the files each time" : "");
  if (e.tokens_generated > 0) text += fmt::format("at most {} tokens generated, which the time does not include\n", e.tokens_generated);
  return text + fmt::format("predicted: {:.1f} s, {:.0f} MiB of memory at most", e.seconds, static_cast<double>(e.memory_bytes) / (1 << 20));
}

}  // namespace assay
