// What runs would take: all requests are made and planned, a few are answered for the pace.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/runs/ask.h"
#include "eval/runs/run.h"
#include "reference/model/memory_plan.h"

namespace assay {
namespace {

constexpr std::uint64_t kPartTokens = std::uint64_t{32} << 20;  // of requests that are held at a time
constexpr double kTrialFlops = 5e11;  // seconds of one processor
constexpr std::uint64_t kLeastTrialTokens = 256, kMostTrialTokens = 8192;
constexpr std::size_t kTrialAnswers = 8;       // that are written at a time for the pace; a run writes as many and more
constexpr std::int64_t kTrialSteps = 16;       // tokens of each that count
constexpr std::size_t kTrialPromptTokens = 128;  // of a prompt, its last

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
    ASSAY_OK(measure_reading());
    if (out_.tokens_generated > 0) ASSAY_OK(measure_writing());
    out_.memory_bytes = std::max(out_.memory_bytes, resident_bytes());
    return out_;
  }

 private:
  Status measure_reading() {
    const auto begin = std::chrono::steady_clock::now();
    model_.engine->reset_stats();
    ASSAY_TRY(const std::vector<ScoreAnswer> answers, model_.engine->score(trial_));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double flops = model_.engine->stats().flops;
    if (flops > 0) out_.seconds = seconds * out_.flops / flops;
    return {};
  }

  // From the moment in which every answer has begun to the last token: what is read before is in the time already.
  Status measure_writing() {
    ASSAY_CHECK(!prompts_.empty());
    GenerateOptions options{.max_tokens = 1 + kTrialSteps};
    options.samples = std::clamp<std::int64_t>(static_cast<std::int64_t>(kTrialAnswers / prompts_.size()), 1, most_samples_);
    const std::size_t answers = prompts_.size() * static_cast<std::size_t>(options.samples);
    std::set<std::pair<std::size_t, std::int64_t>> begun;
    std::chrono::steady_clock::time_point first, last;
    std::int64_t counted = 0;
    options.token = [&](const GeneratedToken& token) {
      last = std::chrono::steady_clock::now();
      if (begun.size() == answers) return static_cast<void>(++counted);
      begun.emplace(token.request, token.sample);
      if (begun.size() == answers) first = last;
    };
    ASSAY_TRY(const std::vector<GenerateAnswer> made, model_.engine->generate(prompts_, options));
    ASSAY_CHECK(made.size() == answers);
    if (counted == 0) return {};  // a backend that tells no tokens
    out_.generating_at_once = static_cast<std::int64_t>(answers);
    out_.generating_seconds =
        std::chrono::duration<double>(last - first).count() / static_cast<double>(counted) * static_cast<double>(out_.tokens_generated);
    out_.seconds += *out_.generating_seconds;
    return {};
  }

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
      keep_prompt(ids, protocol.sampling.samples);
      ids.push_back(ids.back());  // the last token of a request is not fed
      held_ += ids.size();
      part_.push_back({.ids = std::move(ids), .scored_from = from});
      if (held_ >= kPartTokens) ASSAY_OK(plan_part());
    }
    return {};
  }

  void keep_prompt(const std::vector<std::int32_t>& ids, std::int64_t samples) {
    most_samples_ = std::max(most_samples_, samples);
    if (prompts_.size() == kTrialAnswers) return;
    prompts_.push_back({.ids = {ids.end() - static_cast<std::ptrdiff_t>(std::min(ids.size(), kTrialPromptTokens)), ids.end()}});
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
  std::vector<GenerateRequest> prompts_;
  std::int64_t most_samples_ = 1;
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
          {"generating_seconds_at_most", e.generating_seconds ? Json(*e.generating_seconds) : Json(nullptr)},
          {"generating_at_once", e.generating_at_once},
          {"memory_bytes", e.memory_bytes},
          {"streamed", e.streamed}};
}

std::string estimate_text(const RunEstimate& e) {
  std::string text = fmt::format("{} items: {} tokens asked, {} computed (ratio {:.4f}) in {} passes over the weights{}\n", e.items, e.tokens_asked,
                                 e.tokens_computed, ratio_of(e), e.passes, e.streamed ? ", which are read from the files each time" : "");
  if (e.generating_seconds) {
    text += fmt::format("at most {} tokens generated: {:.1f} s of the time, at the pace of {} answers at once and if none ends early\n", e.tokens_generated,
                        *e.generating_seconds, e.generating_at_once);
  } else if (e.tokens_generated > 0) {
    text += fmt::format("at most {} tokens generated, which the time does not include\n", e.tokens_generated);
  }
  return text + fmt::format("predicted: {:.1f} s, {:.0f} MiB of memory at most", e.seconds, static_cast<double>(e.memory_bytes) / (1 << 20));
}

}  // namespace assay
