// Logits of whole prompts, with what was decided and seen on the way.
#include <algorithm>
#include <numeric>

#include "base/progress.h"
#include "reference/model/engine_state.h"

namespace assay {
namespace {

// The wave is one slab.
void force(Wave& wave, std::span<const ForcedExperts> forced, const ModelConfig& c) {
  Batch& batch = wave.slabs.front().batch;
  if (forced.empty()) return;
  const auto k = static_cast<std::size_t>(c.router.n_chosen), n = batch.ids.size();
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

// The decisions of all layers of a wave, from those of one layer each.
class WaveRouting {
 public:
  WaveRouting(const ModelConfig& c, std::int64_t n_rows)
      : n_rows_(static_cast<std::size_t>(n_rows)),
        k_(static_cast<std::size_t>(c.router.n_chosen)),
        experts_(static_cast<std::size_t>(c.router.n_experts)),
        layers_(static_cast<std::size_t>(c.n_moe_layers())) {}

  void add(std::int64_t moe_layer, std::int64_t first_row, const BatchRouting& one) {
    const std::size_t at =
        static_cast<std::size_t>(moe_layer) * n_rows_ + static_cast<std::size_t>(first_row);
    put(one.experts, at, k_, all_.experts);
    put(one.weights, at, k_, all_.weights);
    put(one.margins, at, 1, all_.margins);
    put(one.group_margins, at, 1, all_.group_margins);
    put(one.expert_margins, at, 1, all_.expert_margins);
    put(one.scores, at, experts_, all_.scores);
  }
  const BatchRouting& all() const { return all_; }

 private:
  template <class T>
  void put(const std::vector<T>& from, std::size_t row, std::size_t width, std::vector<T>& to) const {
    if (from.empty()) return;
    to.resize(layers_ * n_rows_ * width);
    std::copy(from.begin(), from.end(), to.begin() + static_cast<std::ptrdiff_t>(row * width));
  }

  std::size_t n_rows_, k_, experts_, layers_;
  BatchRouting all_;
};

using Prompts = std::span<const std::vector<std::int32_t>>;

// One call.
class LogitsRun {
 public:
  LogitsRun(Engine::State& state, Prompts prompts, std::span<const ForcedExperts> forced)
      : s_(state), prompts_(prompts), forced_(forced) {}

  Status read() {
    std::size_t longest = 0;
    ASSAY_CHECK(forced_.empty() || forced_.size() == prompts_.size());
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      ASSAY_OK(check_ids(s_.files.config, prompts_[i], static_cast<std::int64_t>(i)));
      ASSAY_CHECK(forced_.empty() || forced_[i].n_tokens == static_cast<std::int64_t>(prompts_[i].size()));
      sequences_.push_back({.ids = prompts_[i]});
      longest = std::max(longest, prompts_[i].size());
      s_.stats.tokens_asked += prompts_[i].size();
    }
    out_.resize(prompts_.size());
    ASSAY_TRY(memory_, s_.plan(static_cast<std::int64_t>(longest)));
    return {};
  }

  Result<std::vector<std::vector<float>>> run(std::vector<RouterTrace>* traces,
                                              std::vector<std::vector<float>>* states,
                                              std::vector<PromptTrace>* points) {
    WavePlan plan(sequences_,
                  s_.limits(memory_, s_.options.prefix_reuse && forced_.empty(), !points && forced_.empty()));
    PageStore pages(s_.forward.page_floats_per_layer(), 1);
    WavePass pass = s_.pass(memory_);
    Wave wave;
    const Collector collector(s_.forward, wave, points);
    while (plan.next(pages, wave)) {
      force(wave, forced_, s_.files.config);
      WaveRouting routing(s_.files.config, wave.n_rows);
      std::vector<std::int32_t> ties(static_cast<std::size_t>(wave.n_rows), 0);
      ASSAY_OK(
          pass.run(wave.slabs, pages, [&](std::int64_t layer, const Slab& slab, const BatchRouting& one) {
            s_.count_routing(layer, slab.first_row, one, wave.users, ties);
            if (traces) routing.add(layer, slab.first_row, one);
          }));
      s_.count_rows(wave.n_rows, wave.n_keys());
      for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
        if (traces)
          (*traces)[wave.sequences[i]] = trace_of(routing.all(), wave.rows[i], wave.n_rows, s_.files.config);
        if (states) {
          ASSAY_TRY((*states)[wave.sequences[i]], pass.states_of(wave.rows[i]));
        }
      }
      ASSAY_OK(read_head(wave, pass));
      collector.take_logits(out_, static_cast<std::size_t>(s_.files.config.vocab_size));
    }
    return std::move(out_);
  }

 private:
  Status read_head(const Wave& wave, WavePass& pass) {
    const std::int64_t vocab = s_.files.config.vocab_size;
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> wanted(
        static_cast<std::size_t>(wave.n_rows));  // prompt, position
    for (std::size_t i = 0; i < wave.sequences.size(); ++i) {
      out_[wave.sequences[i]].resize(wave.rows[i].size() * static_cast<std::size_t>(vocab));
      for (std::size_t p = 0; p < wave.rows[i].size(); ++p)
        wanted[static_cast<std::size_t>(wave.rows[i][p])].emplace_back(wave.sequences[i], p);
    }
    std::vector<std::int32_t> rows(wanted.size());
    std::iota(rows.begin(), rows.end(), 0);
    return pass.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t r = 0; r < n; ++r) {
        for (const auto& [prompt, position] : wanted[static_cast<std::size_t>(first + r)])
          std::copy_n(logits + r * vocab, vocab,
                      out_[prompt].begin() + static_cast<std::ptrdiff_t>(position) * vocab);
      }
    });
  }

  Engine::State& s_;
  Prompts prompts_;
  std::span<const ForcedExperts> forced_;
  std::vector<Sequence> sequences_;
  std::vector<std::vector<float>> out_;
  MemoryPlan memory_;
};

}  // namespace

Result<std::vector<std::vector<float>>> Engine::logits(Prompts prompts, std::span<const ForcedExperts> forced,
                                                       std::vector<RouterTrace>* traces,
                                                       std::vector<std::vector<float>>* states,
                                                       std::vector<PromptTrace>* points) {
  const Timer timer(state_->stats.seconds);
  if (traces) traces->resize(prompts.size());
  if (states) states->resize(prompts.size());
  ASSAY_CHECK(!points || points->size() == prompts.size());
  LogitsRun run(*state_, prompts, forced);
  ASSAY_OK(run.read());
  auto out = run.run(traces, states, points);
  state_->end_call();
  return out;
}

}  // namespace assay
