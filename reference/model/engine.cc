#include "reference/model/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/progress.h"
#include "kernels/select.h"
#include "reference/model/conventions.h"
#include "reference/model/engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

constexpr std::int64_t kWaveRows = 4096;
constexpr std::int64_t kWavePageBytes = std::int64_t{1} << 30;
constexpr std::int64_t kLeastWaveRows = 256;

class Timer {
 public:
  explicit Timer(double& total_s) : total_s_(total_s), start_(std::chrono::steady_clock::now()) {}
  ~Timer() { total_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& total_s_;
  std::chrono::steady_clock::time_point start_;
};

Error stopped() { return Error{.code = Code::interrupted, .message = "stopped on request"}; }

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
  std::size_t answer, token;  // index into the answers and into their tokens
};

// What is asked of a wave's rows, ascending by row.
std::vector<Target> targets_of(const Wave& wave, std::span<const ScoreRequest> requests) {
  std::vector<Target> out;
  for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
    const ScoreRequest& request = requests[wave.sequences[i]];
    const auto from = static_cast<std::size_t>(request.scored_from);
    for (std::size_t p = from; p < request.ids.size(); ++p)
      out.push_back({wave.rows[i][p - 1], wave.sequences[i], p - from});
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

Batch with_forced(const Wave& wave, std::span<const ForcedExperts> forced, const ModelConfig& c) {
  Batch batch = wave.batch;
  if (forced.empty()) return batch;
  const auto k = static_cast<std::size_t>(c.router.n_chosen), n = wave.batch.ids.size();
  const auto layers = static_cast<std::size_t>(c.n_moe_layers());
  batch.forced_experts.resize(layers * n * k);
  for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
    const ForcedExperts& f = forced[wave.sequences[i]];
    for (std::size_t l = 0; l < layers; ++l) {
      for (std::size_t t = 0; t < wave.rows[i].size(); ++t) {
        const auto from = f.experts.begin() + static_cast<std::ptrdiff_t>((l * wave.rows[i].size() + t) * k);
        const auto to = (l * n + static_cast<std::size_t>(wave.rows[i][t])) * k;
        std::copy_n(from, k, batch.forced_experts.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }
  return batch;
}

RouterTrace trace_of(const BatchRouting& routing, const std::vector<std::int32_t>& rows, std::int64_t n_rows,
                     const ModelConfig& c) {
  RouterTrace trace(c.n_moe_layers(), static_cast<std::int64_t>(rows.size()), c.router.n_chosen,
                    std::max(c.router.n_experts, c.router.n_chosen), !routing.scores.empty());
  const auto k = static_cast<std::size_t>(c.router.n_chosen),
             n = static_cast<std::size_t>(c.router.n_experts);
  for (std::int64_t l = 0; l < trace.n_moe_layers; ++l) {
    for (std::size_t t = 0; t < rows.size(); ++t) {
      const std::size_t to = trace.at(l, static_cast<std::int64_t>(t));
      const std::size_t from =
          static_cast<std::size_t>(l) * static_cast<std::size_t>(n_rows) + static_cast<std::size_t>(rows[t]);
      std::copy_n(routing.experts.begin() + static_cast<std::ptrdiff_t>(from * k), k,
                  trace.experts.begin() + static_cast<std::ptrdiff_t>(to * k));
      std::copy_n(routing.weights.begin() + static_cast<std::ptrdiff_t>(from * k), k,
                  trace.weights.begin() + static_cast<std::ptrdiff_t>(to * k));
      trace.margins[to] = routing.margins[from];
      if (routing.scores.empty()) continue;
      trace.group_margins[to] = routing.group_margins[from];
      trace.expert_margins[to] = routing.expert_margins[from];
      std::copy_n(routing.scores.begin() + static_cast<std::ptrdiff_t>(from * n), n,
                  trace.scores.begin() + static_cast<std::ptrdiff_t>(to * n));
    }
  }
  return trace;
}

Status check_memory(const ModelFiles& files, const PackedModel& weights, std::uint64_t memory_bytes) {
  if (memory_bytes == 0) return {};
  const std::uint64_t least = weights.bytes +
                              static_cast<std::uint64_t>(kLeastWaveRows * bytes_per_row(files.config)) +
                              (std::uint64_t{64} << 20);
  if (memory_bytes >= least) return {};
  return Error{.code = Code::memory_limit,
               .message = "the limit given with --memory is below what this model needs",
               .file = files.checkpoint.path(),
               .expected = fmt::format("at least {} bytes", least),
               .got = std::to_string(memory_bytes)};
}

// Takes what a pass shows of the current wave's rows to the prompts that they belong to, until it goes.
class Collector {
 public:
  Collector(Forward& forward, const Wave& wave, std::vector<PromptTrace>* points)
      : forward_(forward),
        wave_(wave),
        points_(points),
        observer_([this](const Observed& seen) { take(seen); }) {
    if (points_) forward_.observe_with(&observer_);
  }
  ~Collector() { forward_.observe_with(nullptr); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  void take_logits(const std::vector<std::vector<float>>& logits, std::size_t vocab) const {
    if (!points_) return;
    for (const std::size_t prompt : wave_.sequences) {
      for (std::size_t at = 0; at < logits[prompt].size(); at += vocab)
        (*points_)[prompt].add(Point::logits, kNoLayer, std::span(logits[prompt]).subspan(at, vocab));
    }
  }

 private:
  void take(const Observed& seen) const {
    for (std::size_t i = 0; i < wave_.sequences.size(); ++i) {
      for (const std::int32_t row : wave_.rows[i])
        (*points_)[wave_.sequences[i]].add(
            seen.point, seen.layer,
            std::span(seen.x + row * seen.stride, static_cast<std::size_t>(seen.width)));
    }
  }

  Forward& forward_;
  const Wave& wave_;
  std::vector<PromptTrace>* points_;
  Observer observer_;
};

}  // namespace

std::int64_t bytes_per_row(const ModelConfig& c) {
  const std::int64_t attention =
      c.num_attention_heads * (2 * c.key_dim() + 2 * c.value_dim()) + c.q_lora_rank + c.kv_lora_rank;
  const std::int64_t experts =
      c.router.n_chosen * (3 * c.moe_intermediate_size + c.hidden_size) + 3 * c.shared_intermediate_size;
  const std::int64_t feed_forward = std::max(3 * c.intermediate_size, experts);
  const std::int64_t pages =
      2 * c.num_key_value_heads * (c.key_dim() + c.value_dim());  // twice: branches copy a part of a page
  return (5 * c.hidden_size + attention + feed_forward + pages) * static_cast<std::int64_t>(sizeof(float));
}

Engine::State::State(ModelFiles model, PackedModel packed, const Kernels& kernels, const EngineOptions& o)
    : files(std::move(model)),
      weights(std::move(packed)),
      options(o),
      pool(std::max(1, o.threads)),
      compute{kernels, pool},
      forward(files, weights, compute) {}

WaveLimits Engine::State::limits(bool reuse) const {
  WaveLimits out;
  out.reuse = reuse;
  out.chunk_rows = options.prefill_chunk;
  out.max_rows = options.wave_tokens > 0 ? options.wave_tokens : kWaveRows;
  if (options.memory_bytes > 0) {
    const auto left = static_cast<std::int64_t>(
        options.memory_bytes - std::min(options.memory_bytes, weights.bytes + (std::uint64_t{64} << 20)));
    out.max_rows =
        std::clamp(left / bytes_per_row(files.config), std::min(kLeastWaveRows, out.max_rows), out.max_rows);
  }
  const std::int64_t page_bytes = forward.page_floats_per_layer() * static_cast<std::int64_t>(sizeof(float));
  out.max_pages = std::max<std::int64_t>(64, kWavePageBytes / page_bytes);
  return out;
}

std::vector<float> Engine::State::states_of(std::span<const std::int32_t> rows) const {
  const std::int64_t width = files.config.hidden_size;
  const std::span<const float> all = forward.states();
  std::vector<float> out;
  out.reserve(rows.size() * static_cast<std::size_t>(width));
  for (const std::int32_t row : rows)
    out.insert(out.end(), all.begin() + row * width, all.begin() + (row + 1) * width);
  return out;
}

std::vector<std::int32_t> Engine::State::near_ties_of_rows(std::int64_t n_rows) const {
  std::vector<std::int32_t> out(static_cast<std::size_t>(n_rows), 0);
  const std::vector<double>& margins = forward.routing().margins;
  for (std::size_t i = 0; i < margins.size(); ++i) out[i % out.size()] += !(margins[i] >= kNearTieMargin);
  return out;
}

void Engine::State::count_routing(std::span<const std::int64_t> users) {
  const auto k = static_cast<std::size_t>(files.config.router.n_chosen),
             n_experts = static_cast<std::size_t>(files.config.router.n_experts);
  const BatchRouting& routing = forward.routing();
  for (std::size_t i = 0; i < routing.margins.size(); ++i) {
    const std::size_t layer = i / users.size();
    const auto count = static_cast<std::uint64_t>(users[i % users.size()]);
    for (std::size_t j = 0; j < k; ++j)
      stats.expert_tokens[layer * n_experts + static_cast<std::size_t>(routing.experts[i * k + j])] += count;
    stats.near_ties += routing.margins[i] >= kNearTieMargin ? 0 : count;
  }
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) { reset_stats(); }
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::load(const std::string& path, const EngineOptions& options) {
  ASSAY_TRY(ModelFiles files, open_model(path));
  return load(std::move(files), options);
}

Result<std::unique_ptr<Engine>> Engine::load(ModelFiles files, const EngineOptions& options) {
  for (const std::string& convention : options.conventions)
    ASSAY_OK(set_convention(files.config, convention));
  ASSAY_OK(check_f32_conventions(files.config));
  ASSAY_TRY(const Kernels* kernels, options.isa.empty() ? chosen_kernels() : select_kernels(options.isa));
  ASSAY_TRY(PackedModel packed, pack_model(files));
  ASSAY_OK(check_memory(files, packed, options.memory_bytes));
  return std::unique_ptr<Engine>(
      new Engine(std::make_unique<State>(std::move(files), std::move(packed), *kernels, options)));
}

Result<std::vector<ScoreAnswer>> Engine::score(std::span<const ScoreRequest> requests) {
  State& s = *state_;
  const Timer timer(s.stats.seconds);
  std::vector<std::span<const std::int32_t>> sequences;
  std::vector<ScoreAnswer> answers(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ASSAY_OK(check_score(s.files.config, requests[i], i));
    sequences.emplace_back(
        std::span(requests[i].ids).first(requests[i].ids.size() - 1));  // nothing follows the last token
    answers[i].tokens.resize(requests[i].ids.size() - static_cast<std::size_t>(requests[i].scored_from));
    if (requests[i].top_logprobs > 0) answers[i].top.resize(answers[i].tokens.size());
    s.stats.tokens_asked += sequences.back().size();
  }
  WavePlan plan(std::move(sequences), s.limits(s.options.prefix_reuse));
  PageStore pages(s.forward.page_floats_per_layer(), 1);
  Wave wave;
  while (plan.next(pages, wave)) {
    if (stop_requested()) return stopped();
    if (wave.batch.n_rows() == 0) continue;
    ASSAY_OK(s.forward.run(wave.batch, pages));
    s.stats.tokens_computed += wave.batch.ids.size();
    s.count_routing(wave.users);
    const std::vector<std::int32_t> ties = s.near_ties_of_rows(wave.batch.n_rows());
    for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
      for (const std::int32_t row : wave.rows[i])
        answers[wave.sequences[i]].near_ties += ties[static_cast<std::size_t>(row)];
    }
    const std::vector<Target> targets = targets_of(wave, requests);
    const std::vector<std::int32_t> rows = distinct_rows(targets);
    std::size_t next = 0;
    s.forward.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      const std::int64_t vocab = s.files.config.vocab_size;
      for (std::int64_t r = 0; r < n; ++r) {
        const float* row = logits + r * vocab;
        const double norm = log_sum_exp(s.compute, row, vocab);
        const auto top = static_cast<std::int32_t>(std::max<std::int64_t>(0, argmax(row, vocab)));
        for (; next < targets.size() && targets[next].row == rows[static_cast<std::size_t>(first + r)];
             ++next) {
          const Target& t = targets[next];
          const ScoreRequest& request = requests[t.answer];
          const std::int32_t token = request.ids[static_cast<std::size_t>(request.scored_from) + t.token];
          answers[t.answer].tokens[t.token] = {token, top, double{row[token]} - norm,
                                               double{row[top]} - norm};
          if (request.top_logprobs > 0)
            answers[t.answer].top[t.token] =
                top_tokens({row, static_cast<std::size_t>(vocab)}, request.top_logprobs, norm);
        }
      }
    });
    ASSAY_CHECK(next == targets.size());
  }
  for (ScoreAnswer& answer : answers) sum_up(answer);
  return answers;
}

Result<std::vector<std::vector<float>>> Engine::logits(std::span<const std::vector<std::int32_t>> prompts,
                                                       std::span<const ForcedExperts> forced,
                                                       std::vector<RouterTrace>* traces,
                                                       std::vector<std::vector<float>>* states,
                                                       std::vector<PromptTrace>* points) {
  State& s = *state_;
  const Timer timer(s.stats.seconds);
  const std::int64_t vocab = s.files.config.vocab_size;
  ASSAY_CHECK(forced.empty() || forced.size() == prompts.size());
  std::vector<std::span<const std::int32_t>> sequences;
  std::vector<std::vector<float>> out(prompts.size());
  if (traces) traces->resize(prompts.size());
  if (states) states->resize(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSAY_OK(check_ids(s.files.config, prompts[i], static_cast<std::int64_t>(i)));
    ASSAY_CHECK(forced.empty() || forced[i].n_tokens == static_cast<std::int64_t>(prompts[i].size()));
    sequences.emplace_back(prompts[i]);
    out[i].resize(prompts[i].size() * static_cast<std::size_t>(vocab));
    s.stats.tokens_asked += prompts[i].size();
  }
  WavePlan plan(std::move(sequences), s.limits(s.options.prefix_reuse && forced.empty()));
  PageStore pages(s.forward.page_floats_per_layer(), 1);
  Wave wave;
  ASSAY_CHECK(!points || points->size() == prompts.size());
  const Collector collector(s.forward, wave, points);
  while (plan.next(pages, wave)) {
    if (stop_requested()) return stopped();
    ASSAY_OK(s.forward.run(with_forced(wave, forced, s.files.config), pages));
    s.stats.tokens_computed += wave.batch.ids.size();
    s.count_routing(wave.users);
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> wanted(
        wave.batch.ids.size());  // per row: prompt, position
    for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
      for (std::size_t p = 0; p < wave.rows[i].size(); ++p)
        wanted[static_cast<std::size_t>(wave.rows[i][p])].emplace_back(wave.sequences[i], p);
      if (traces)
        (*traces)[wave.sequences[i]] =
            trace_of(s.forward.routing(), wave.rows[i], wave.batch.n_rows(), s.files.config);
      if (states) (*states)[wave.sequences[i]] = s.states_of(wave.rows[i]);
    }
    std::vector<std::int32_t> rows(wave.batch.ids.size());
    std::iota(rows.begin(), rows.end(), 0);
    s.forward.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t r = 0; r < n; ++r) {
        for (const auto& [prompt, position] : wanted[static_cast<std::size_t>(first + r)]) {
          std::copy_n(logits + r * vocab, vocab,
                      out[prompt].begin() + static_cast<std::ptrdiff_t>(position) * vocab);
        }
      }
    });
    collector.take_logits(out, static_cast<std::size_t>(vocab));
  }
  return out;
}

BackendStats Engine::stats() const { return state_->stats; }

void Engine::reset_stats() {
  const ModelConfig& c = state_->files.config;
  state_->stats = {};
  state_->stats.n_moe_layers = c.n_moe_layers();
  state_->stats.n_experts = c.router.n_experts;
  state_->stats.expert_tokens.assign(static_cast<std::size_t>(c.n_moe_layers() * c.router.n_experts), 0);
}

std::string Engine::name() const { return fmt::format("cpu {}", state_->compute.kernels.name); }
const ModelConfig& Engine::config() const { return state_->files.config; }
const Checkpoint& Engine::checkpoint() const { return state_->files.checkpoint; }

std::vector<std::pair<std::string, std::string>> Engine::conventions() const {
  auto out = conventions_of(state_->files.config);
  if (state_->files.config.quant.method.empty()) out.emplace_back("weights", name_of(Recipe::dequant_f32));
  return out;
}

}  // namespace assay
