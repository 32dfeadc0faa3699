// Log-likelihoods: requests become one prefix tree, the tree waves, and the answers of a wave are given when it is done.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/progress.h"
#include "reference/model/engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

Status check_score(const ModelConfig& config, const ScoreRequest& request, std::size_t i) {
  ASSAY_OK(
      check_ids(config, request.ids, static_cast<std::int64_t>(i), 1));  // the last token is never fed in
  if (!(request.top_logprobs >= 0 && request.top_logprobs <= kMaxTopLogprobs)) {
    return Error{.code = Code::out_of_range,
                 .message = "more of the likeliest tokens are asked for than are ever told",
                 .field = fmt::format("request {}", i),
                 .expected = fmt::format("0 to {}", kMaxTopLogprobs),
                 .got = std::to_string(request.top_logprobs)};
  }
  const bool ok =
      request.scored_from >= 1 && request.scored_from <= static_cast<std::int64_t>(request.ids.size());
  if (ok) return {};
  return Error{.code = Code::out_of_range,
               .message = "the first token to score must have one before it",
               .field = fmt::format("request {}", i),
               .expected = fmt::format("1 to {}", request.ids.size()),
               .got = std::to_string(request.scored_from)};
}

struct Target {
  std::int32_t row;
  std::size_t answer, token;  // index into the wave's answers and into their tokens
};

// What is asked of a wave's rows, ascending by row.
std::vector<Target> targets_of(const Wave& wave, std::span<const ScoreRequest> requests) {
  std::vector<Target> out;
  for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
    const ScoreRequest& request = requests[wave.sequences[i]];
    const auto from = static_cast<std::size_t>(request.scored_from);
    for (std::size_t p = from; p < request.ids.size(); ++p) out.push_back({wave.rows[i][p - 1], i, p - from});
  }
  std::stable_sort(out.begin(), out.end(), [](const Target& a, const Target& b) { return a.row < b.row; });
  return out;
}

std::vector<std::int32_t> distinct_rows(const std::vector<Target>& targets) {
  std::vector<std::int32_t> rows;
  for (const Target& t : targets) {
    if (rows.empty() || rows.back() != t.row) rows.push_back(t.row);
  }
  return rows;
}

void sum_up(ScoreAnswer& answer) {
  for (const TokenScore& t : answer.tokens) {
    answer.logprob += t.logprob;
    answer.greedy = answer.greedy && t.token == t.top_token;
  }
}

// One call.
class Scorer {
 public:
  Scorer(Engine::State& state, std::span<const ScoreRequest> requests) : s_(state), requests_(requests) {}

  Status read() {
    std::ptrdiff_t longest = 0;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const ScoreRequest& request = requests_[i];
      ASSAY_OK(check_score(s_.files.config, request, i));
      const auto fed =
          std::span(request.ids).first(request.ids.size() - 1);  // nothing follows the last token
      sequences_.push_back({.ids = fed, .unit = request.unit, .account = request.account});
      asked_ += fed.size();
      longest = std::max(longest, std::ssize(fed));
    }
    ASSAY_TRY(memory_, s_.plan(longest));
    return {};
  }

  WorkPlan plan() const {
    const WaveCount count = waves().count();
    return {.tokens_asked = asked_,
            .tokens_computed = static_cast<std::uint64_t>(count.n_rows),
            .passes = count.n_waves,
            .flops = s_.flops_of(count.n_rows, count.keys),
            .memory_bytes = memory_.total_bytes,
            .streamed = !s_.weights.is_resident()};
  }

  Status run(const Backend::ScoreSink& sink) {
    const Timer timer(s_.stats.seconds);
    WavePlan plan = waves();
    PageStore pages(s_.forward.page_floats_per_layer(), 1);
    WavePass pass = s_.pass(memory_);
    Wave wave;
    while (plan.next(pages, wave)) {
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      ASSAY_OK(run_wave(wave, pages, pass));
      ASSAY_OK(sink(wave.sequences, std::move(answers_)));
    }
    return {};
  }

 private:
  WavePlan waves() const { return {sequences_, s_.limits(memory_, s_.options.prefix_reuse, true)}; }

  Status run_wave(const Wave& wave, const PageStore& pages, WavePass& pass) {
    std::vector<std::int32_t> ties(static_cast<std::size_t>(wave.n_rows), 0);
    if (wave.n_rows > 0) {
      ASSAY_OK(
          pass.run(wave.slabs, pages, [&](std::int64_t layer, const Slab& slab, const BatchRouting& routing) {
            s_.count_routing(layer, slab.first_row, routing, wave.users, ties);
          }));
    }
    s_.count_rows(wave.n_rows, wave.n_keys());
    answers_.assign(wave.sequences.size(), {});
    for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
      const ScoreRequest& request = requests_[wave.sequences[i]];
      s_.stats.tokens_asked += wave.rows[i].size();
      answers_[i].tokens.resize(request.ids.size() - static_cast<std::size_t>(request.scored_from));
      if (request.top_logprobs > 0) answers_[i].top.resize(answers_[i].tokens.size());
      for (const std::int32_t row : wave.rows[i])
        answers_[i].near_ties += ties[static_cast<std::size_t>(row)];
    }
    ASSAY_OK(read_head(wave, pass));
    for (ScoreAnswer& answer : answers_) sum_up(answer);
    return {};
  }

  Status read_head(const Wave& wave, WavePass& pass) {
    const std::vector<Target> targets = targets_of(wave, requests_);
    const std::vector<std::int32_t> rows = distinct_rows(targets);
    const std::int64_t vocab = s_.files.config.vocab_size;
    std::size_t next = 0;
    ASSAY_OK(pass.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t r = 0; r < n; ++r) {
        const std::span<const float> row(logits + r * vocab, static_cast<std::size_t>(vocab));
        const double norm = log_sum_exp(s_.compute, row.data(), vocab);
        const auto top = static_cast<std::int32_t>(std::max<std::int64_t>(0, argmax(row.data(), vocab)));
        for (; next < targets.size() && targets[next].row == rows[static_cast<std::size_t>(first + r)];
             ++next)
          take(wave, targets[next], row, norm, top);
      }
    }));
    ASSAY_CHECK(next == targets.size());
    return {};
  }

  void take(const Wave& wave, const Target& t, std::span<const float> row, double norm, std::int32_t top) {
    const ScoreRequest& request = requests_[wave.sequences[t.answer]];
    const std::int32_t token = request.ids[static_cast<std::size_t>(request.scored_from) + t.token];
    answers_[t.answer].tokens[t.token] = {token, top, double{row[static_cast<std::size_t>(token)]} - norm,
                                          double{row[static_cast<std::size_t>(top)]} - norm};
    if (request.top_logprobs > 0)
      answers_[t.answer].top[t.token] = top_tokens(row, request.top_logprobs, norm);
  }

  Engine::State& s_;
  std::span<const ScoreRequest> requests_;
  std::vector<Sequence> sequences_;
  std::uint64_t asked_ = 0;
  MemoryPlan memory_;
  std::vector<ScoreAnswer> answers_;  // of the wave
};

}  // namespace

Status Engine::score_waves(std::span<const ScoreRequest> requests, const ScoreSink& sink) {
  Scorer scorer(*state_, requests);
  ASSAY_OK(scorer.read());
  const Status done = scorer.run(sink);
  state_->end_call();
  return done;
}

Result<std::vector<ScoreAnswer>> Engine::score(std::span<const ScoreRequest> requests) {
  std::vector<ScoreAnswer> out(requests.size());
  ASSAY_OK(score_waves(requests,
                       [&](std::span<const std::size_t> which, std::vector<ScoreAnswer> answers) -> Status {
                         for (std::size_t i = 0; i < which.size(); ++i) out[which[i]] = std::move(answers[i]);
                         return {};
                       }));
  return out;
}

Result<WorkPlan> Engine::plan_score(std::span<const ScoreRequest> requests) {
  Scorer scorer(*state_, requests);
  ASSAY_OK(scorer.read());
  return scorer.plan();
}

}  // namespace assay
