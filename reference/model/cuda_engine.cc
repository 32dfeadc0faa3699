#include "reference/model/cuda_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>

#include "base/progress.h"
#include "kernels/cuda.h"
#include "reference/model/conventions.h"
#include "reference/model/cuda_engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

constexpr std::int64_t kGpuPassRows = 16384, kLeastGpuPassRows = 256;

class GpuTimer {
 public:
  explicit GpuTimer(double& total_s) : total_s_(total_s), start_(std::chrono::steady_clock::now()) {}
  ~GpuTimer() {
    total_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  GpuTimer(const GpuTimer&) = delete;
  GpuTimer& operator=(const GpuTimer&) = delete;

 private:
  double& total_s_;
  std::chrono::steady_clock::time_point start_;
};

Error gpu_stopped() { return Error{.code = Code::interrupted, .message = "stopped on request"}; }

// Device memory that a row of a pass takes, keys and values included.
std::int64_t device_bytes_per_row(const ModelConfig& c) {
  const std::int64_t attention = c.num_attention_heads * (3 * c.key_dim() + 3 * c.value_dim()) +
                                 c.q_lora_rank + c.kv_lora_rank +
                                 2 * c.num_key_value_heads * (c.key_dim() + c.value_dim());
  const std::int64_t experts =
      c.router.n_chosen * (3 * c.moe_intermediate_size + c.hidden_size) + 3 * c.shared_intermediate_size;
  const std::int64_t rounded = std::max(c.hidden_size, c.router.n_chosen * c.moe_intermediate_size);
  return (6 * c.hidden_size + attention + std::max(3 * c.intermediate_size, experts) + rounded +
          c.router.n_experts) *
         static_cast<std::int64_t>(sizeof(float));
}

Result<std::unique_ptr<Accelerator>> open_accelerator(const CudaOptions& options, ThreadPool& pool) {
  if (options.device == "emulated") return emulated_accelerator(pool);
  if (options.device == "cuda") return open_cuda();
  return Error{.code = Code::usage,
               .message = "there is no such device",
               .field = "device",
               .expected = "cpu, cuda or emulated",
               .got = options.device};
}

Result<GpuArithmetic> arithmetic_of(const std::string& name) {
  if (name == "canonical") return GpuArithmetic::canonical;
  if (name == "bf16") return GpuArithmetic::bf16;
  if (name == "fp8") return GpuArithmetic::fp8;
  return Error{.code = Code::usage,
               .message = "there is no such arithmetic",
               .field = "gpu-arithmetic",
               .expected = "canonical, bf16 or fp8",
               .got = name};
}

Status check_request(const ModelConfig& config, const ScoreRequest& request, std::size_t i) {
  ASSAY_OK(check_ids(config, request.ids, static_cast<std::int64_t>(i), 1));
  const bool from_ok =
      request.scored_from >= 1 && request.scored_from <= static_cast<std::int64_t>(request.ids.size());
  const bool top_ok = request.top_logprobs >= 0 && request.top_logprobs <= kMaxTopLogprobs;
  if (from_ok && top_ok) return {};
  return Error{.code = Code::out_of_range,
               .message = from_ok ? "more of the likeliest tokens are asked for than are ever told"
                                  : "the first token to score must have one before it",
               .field = fmt::format("request {}", i),
               .expected = from_ok ? fmt::format("0 to {}", kMaxTopLogprobs)
                                   : fmt::format("1 to {}", request.ids.size()),
               .got = std::to_string(from_ok ? request.top_logprobs : request.scored_from)};
}

struct GpuTarget {
  std::int32_t row;
  std::size_t answer, token;
};

std::vector<GpuTarget> targets_of_pass(const CudaPass& pass, std::span<const ScoreRequest> requests) {
  std::vector<GpuTarget> out;
  for (std::size_t i = 0; i < pass.sequences.size(); ++i) {
    const ScoreRequest& request = requests[pass.sequences[i]];
    const auto from = static_cast<std::size_t>(request.scored_from);
    for (std::size_t p = from; p < request.ids.size(); ++p)
      out.push_back({pass.rows[i][p - 1], pass.sequences[i], p - from});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const GpuTarget& a, const GpuTarget& b) { return a.row < b.row; });
  return out;
}

using AskedTokens = std::vector<CudaForward::Asked>;  // one for each target

// Gives log(sum of exp) of each target's row.
std::vector<double> answer_targets(CudaForward& forward, const std::vector<std::int32_t>& rows,
                                   const AskedTokens& asked, const std::vector<GpuTarget>& targets,
                                   std::vector<ScoreAnswer>& answers) {
  std::size_t next = 0;
  std::vector<double> norms;
  forward.score(rows, asked,
                [&](std::int64_t first, std::span<const HeadSummary> summaries,
                    std::span<const CudaForward::Asked> here, const float* logits) {
                  for (std::size_t i = 0; i < here.size(); ++i, ++next) {
                    const HeadSummary& summary = summaries[static_cast<std::size_t>(here[i].row - first)];
                    const double norm = head_log_sum(summary);
                    norms.push_back(norm);
                    const double top = summary.top_token < 0 ? std::numeric_limits<double>::quiet_NaN()
                                                             : double{summary.top} - norm;
                    answers[targets[next].answer].tokens[targets[next].token] = {
                        here[i].token, std::max(0, summary.top_token), double{logits[i]} - norm, top};
                  }
                });
  ASSAY_CHECK(next == targets.size());
  return norms;
}

// The likeliest tokens need whole rows on the host.
void answer_tops(CudaForward& forward, const std::vector<std::int32_t>& rows, const AskedTokens& asked,
                 const std::vector<GpuTarget>& targets, std::span<const double> norms,
                 std::span<const ScoreRequest> requests, std::vector<ScoreAnswer>& answers) {
  const auto vocab = static_cast<std::size_t>(forward.vocab_size());
  std::size_t next = 0;
  forward.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
    for (; next < targets.size() && asked[next].row < first + n; ++next) {
      const std::int64_t most = requests[targets[next].answer].top_logprobs;
      ScoreAnswer& answer = answers[targets[next].answer];
      const std::span<const float> row(logits + static_cast<std::size_t>(asked[next].row - first) * vocab,
                                       vocab);
      if (most > 0) answer.top[targets[next].token] = top_tokens(row, most, norms[next]);
    }
  });
}

// The choices of each sequence (n_moe_layers, n_tokens, n_chosen) in the rows of the pass.
void force_experts(CudaPass& pass, std::span<const ForcedExperts> forced, const ModelConfig& c) {
  if (forced.empty()) return;
  const auto k = static_cast<std::size_t>(c.router.n_chosen),
             layers = static_cast<std::size_t>(c.n_moe_layers()), n = pass.batch.ids.size();
  pass.batch.forced_experts.resize(layers * n * k);
  for (std::size_t i = 0; i < pass.sequences.size(); ++i) {
    const ForcedExperts& f = forced[pass.sequences[i]];
    for (std::size_t l = 0; l < layers; ++l) {
      for (std::size_t t = 0; t < pass.rows[i].size(); ++t) {
        const auto from = (l * pass.rows[i].size() + t) * k,
                   to = (l * n + static_cast<std::size_t>(pass.rows[i][t])) * k;
        std::copy_n(f.experts.begin() + static_cast<std::ptrdiff_t>(from), k,
                    pass.batch.forced_experts.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }
}

RouterTrace trace_of_rows(const BatchRouting& routing, const std::vector<std::int32_t>& rows, std::size_t n,
                          const ModelConfig& c) {
  RouterTrace trace(c.n_moe_layers(), static_cast<std::int64_t>(rows.size()), c.router.n_chosen,
                    std::max(c.router.n_experts, c.router.n_chosen), false);
  const auto k = static_cast<std::size_t>(c.router.n_chosen);
  for (std::size_t l = 0; l < static_cast<std::size_t>(c.n_moe_layers()); ++l) {
    for (std::size_t t = 0; t < rows.size(); ++t) {
      const std::size_t from = l * n + static_cast<std::size_t>(rows[t]),
                        to = trace.at(static_cast<std::int64_t>(l), static_cast<std::int64_t>(t));
      std::copy_n(routing.experts.begin() + static_cast<std::ptrdiff_t>(from * k), k,
                  trace.experts.begin() + static_cast<std::ptrdiff_t>(to * k));
      std::copy_n(routing.weights.begin() + static_cast<std::ptrdiff_t>(from * k), k,
                  trace.weights.begin() + static_cast<std::ptrdiff_t>(to * k));
      trace.margins[to] = routing.margins[from];
    }
  }
  return trace;
}

std::int32_t token_of(const ScoreRequest& request, std::size_t token) {
  return request.ids[static_cast<std::size_t>(request.scored_from) + token];
}

}  // namespace

void CudaEngine::State::count_routing(std::span<const std::int64_t> users) {
  const auto k = static_cast<std::size_t>(files.config.router.n_chosen),
             n_experts = static_cast<std::size_t>(files.config.router.n_experts);
  const BatchRouting& routing = forward->routing();
  for (std::size_t i = 0; i < routing.margins.size(); ++i) {
    const auto count = static_cast<std::uint64_t>(users[i % users.size()]);
    for (std::size_t j = 0; j < k; ++j)
      stats.expert_tokens[i / users.size() * n_experts +
                          static_cast<std::size_t>(routing.experts[i * k + j])] += count;
    stats.near_ties += routing.margins[i] >= kNearTieMargin ? 0 : count;
  }
}

std::vector<std::int32_t> CudaEngine::State::near_ties_of_rows(std::int64_t n_rows) const {
  std::vector<std::int32_t> out(static_cast<std::size_t>(n_rows), 0);
  const std::vector<double>& margins = forward->routing().margins;
  for (std::size_t i = 0; i < margins.size(); ++i) out[i % out.size()] += !(margins[i] >= kNearTieMargin);
  return out;
}

CudaEngine::CudaEngine(std::unique_ptr<State> state) : state_(std::move(state)) { reset_stats(); }
CudaEngine::~CudaEngine() = default;

Result<std::unique_ptr<CudaEngine>> CudaEngine::load(const std::string& path, const EngineOptions& options,
                                                     const CudaOptions& cuda) {
  ASSAY_TRY(ModelFiles files, open_model(path));
  return load(std::move(files), options, cuda);
}

Result<std::unique_ptr<CudaEngine>> CudaEngine::load(ModelFiles files, const EngineOptions& options,
                                                     const CudaOptions& cuda) {
  if (!options.recipe.empty()) {
    return Error{.code = Code::unsupported,
                 .message = "this recipe is computed on the CPU only; leave out --device",
                 .field = "--recipe",
                 .got = options.recipe};
  }
  for (const std::string& convention : options.conventions)
    ASSAY_OK(set_convention(files.config, convention));
  ASSAY_OK(check_f32_conventions(files.config));
  ASSAY_OK(CudaForward::check(files.config));
  ASSAY_TRY(const GpuArithmetic arithmetic, arithmetic_of(cuda.arithmetic));
  auto state = std::make_unique<State>(std::move(files), PackedModel{}, options, cuda);
  State& s = *state;
  s.arithmetic = arithmetic;
  ASSAY_TRY(s.accelerator,
            open_accelerator(cuda, s.pool));  // before the weights are read: it may not be there
  ASSAY_TRY(s.packed, pack_model(s.files, PanelFormats::common));
  const std::int64_t per_row = device_bytes_per_row(s.files.config);
  const std::uint64_t all = s.accelerator->free_bytes(),
                      usable = cuda.device_bytes > 0 ? std::min(all, cuda.device_bytes) : all / 16 * 15;
  const auto wanted = options.wave_tokens > 0 ? options.wave_tokens : kGpuPassRows;
  const auto least = static_cast<std::uint64_t>(per_row * std::min(wanted, kLeastGpuPassRows));
  ASSAY_TRY(DeviceWeights weights,
            DeviceWeights::place(*s.accelerator, s.packed, usable > least ? usable - least : 0,
                                 cuda.stream_weights));
  s.weights.emplace(std::move(weights));
  const auto left = static_cast<std::int64_t>(usable > s.weights->bytes() ? usable - s.weights->bytes() : 0);
  s.page_bytes = left / 2;
  s.pass_rows = std::clamp(left / 2 / per_row, std::min(kLeastGpuPassRows, wanted), wanted);
  s.forward = std::make_unique<CudaForward>(s.files, *s.weights, *s.accelerator, arithmetic);
  return std::unique_ptr<CudaEngine>(new CudaEngine(std::move(state)));
}

Result<std::vector<ScoreAnswer>> CudaEngine::score(std::span<const ScoreRequest> requests) {
  State& s = *state_;
  const GpuTimer timer(s.stats.seconds);
  std::vector<std::span<const std::int32_t>> sequences;
  std::vector<ScoreAnswer> answers(requests.size());
  bool tops = false;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ASSAY_OK(check_request(s.files.config, requests[i], i));
    sequences.emplace_back(
        std::span(requests[i].ids).first(requests[i].ids.size() - 1));  // nothing follows the last token
    answers[i].tokens.resize(requests[i].ids.size() - static_cast<std::size_t>(requests[i].scored_from));
    if (requests[i].top_logprobs > 0) answers[i].top.resize(answers[i].tokens.size());
    tops = tops || requests[i].top_logprobs > 0;
    s.stats.tokens_asked += sequences.back().size();
  }
  CudaPlan plan(std::move(sequences), s.pass_rows, s.options.prefill_chunk, s.options.prefix_reuse);
  DevicePages pages(*s.accelerator, s.forward->page_floats_per_layer(), 1);
  CudaPass pass;
  while (plan.next(pages, pass)) {
    if (stop_requested()) return gpu_stopped();
    if (pass.batch.n_rows() == 0) continue;
    ASSAY_OK(s.forward->run(pass.batch, pages));
    s.stats.tokens_computed += pass.batch.ids.size();
    s.count_routing(pass.users);
    const std::vector<std::int32_t> ties = s.near_ties_of_rows(pass.batch.n_rows());
    for (std::size_t i = 0; i < pass.sequences.size(); ++i) {
      for (const std::int32_t row : pass.rows[i])
        answers[pass.sequences[i]].near_ties += ties[static_cast<std::size_t>(row)];
    }
    const std::vector<GpuTarget> targets = targets_of_pass(pass, requests);
    std::vector<std::int32_t> rows;
    std::vector<CudaForward::Asked> asked;
    for (const GpuTarget& t : targets) {
      if (rows.empty() || rows.back() != t.row) rows.push_back(t.row);
      asked.push_back({static_cast<std::int64_t>(rows.size()) - 1, token_of(requests[t.answer], t.token)});
    }
    const std::vector<double> norms = answer_targets(*s.forward, rows, asked, targets, answers);
    if (tops) answer_tops(*s.forward, rows, asked, targets, norms, requests, answers);
  }
  for (ScoreAnswer& answer : answers) {
    for (const TokenScore& t : answer.tokens) {
      answer.logprob += t.logprob;
      answer.greedy = answer.greedy && t.token == t.top_token;
    }
  }
  return answers;
}

Result<std::vector<std::vector<float>>> CudaEngine::logits(std::span<const std::vector<std::int32_t>> prompts,
                                                           std::span<const ForcedExperts> forced,
                                                           std::vector<RouterTrace>* traces) {
  State& s = *state_;
  const GpuTimer timer(s.stats.seconds);
  const ModelConfig& c = s.files.config;
  ASSAY_CHECK(forced.empty() || forced.size() == prompts.size());
  std::vector<std::span<const std::int32_t>> sequences;
  std::vector<std::vector<float>> out(prompts.size());
  if (traces != nullptr) traces->resize(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSAY_OK(check_ids(c, prompts[i], static_cast<std::int64_t>(i)));
    sequences.emplace_back(prompts[i]);
    out[i].resize(prompts[i].size() * static_cast<std::size_t>(c.vocab_size));
    s.stats.tokens_asked += prompts[i].size();
  }
  CudaPlan plan(std::move(sequences), s.pass_rows, s.options.prefill_chunk,
                s.options.prefix_reuse && forced.empty());
  DevicePages pages(*s.accelerator, s.forward->page_floats_per_layer(), 1);
  CudaPass pass;
  while (plan.next(pages, pass)) {
    if (stop_requested()) return gpu_stopped();
    const std::size_t n = pass.batch.ids.size();
    force_experts(pass, forced, c);
    ASSAY_OK(s.forward->run(pass.batch, pages));
    s.stats.tokens_computed += n;
    s.count_routing(pass.users);
    std::vector<std::int32_t> all(n);
    std::iota(all.begin(), all.end(), 0);
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> wanted(n);
    for (std::size_t i = 0; i < pass.sequences.size(); ++i) {
      for (std::size_t p = 0; p < pass.rows[i].size(); ++p)
        wanted[static_cast<std::size_t>(pass.rows[i][p])].emplace_back(pass.sequences[i], p);
      if (traces != nullptr)
        (*traces)[pass.sequences[i]] = trace_of_rows(s.forward->routing(), pass.rows[i], n, c);
    }
    s.forward->head(all, [&](std::int64_t first, std::int64_t rows, const float* logits) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (const auto& [prompt, position] : wanted[static_cast<std::size_t>(first + r)])
          std::copy_n(logits + r * c.vocab_size, c.vocab_size,
                      out[prompt].begin() + static_cast<std::ptrdiff_t>(position) * c.vocab_size);
      }
    });
  }
  return out;
}

BackendStats CudaEngine::stats() const { return state_->stats; }

void CudaEngine::reset_stats() {
  const ModelConfig& c = state_->files.config;
  state_->stats = {};
  state_->stats.n_moe_layers = c.n_moe_layers();
  state_->stats.n_experts = c.router.n_experts;
  state_->stats.expert_tokens.assign(static_cast<std::size_t>(c.n_moe_layers() * c.router.n_experts), 0);
}

std::string CudaEngine::name() const {
  return fmt::format("cuda {} {}", state_->accelerator->name(), state_->cuda.arithmetic);
}
const ModelConfig& CudaEngine::config() const { return state_->files.config; }
const Checkpoint& CudaEngine::checkpoint() const { return state_->files.checkpoint; }
bool CudaEngine::weights_resident() const { return state_->weights->is_resident(); }

std::vector<std::pair<std::string, std::string>> CudaEngine::conventions() const {
  auto out = conventions_of(state_->files.config);
  if (state_->files.config.quant.method.empty()) out.emplace_back("weights", name_of(Recipe::dequant_f32));
  if (state_->arithmetic != GpuArithmetic::canonical)
    out.emplace_back("gpu-arithmetic", state_->cuda.arithmetic);
  return out;
}

}  // namespace assay
