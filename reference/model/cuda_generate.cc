// Generation on an accelerator: prompts are read in chunks, every pass computes the next token of all live samples. The answers are those
// of the CPU's generation (generate.cc): draws come from each sample's own stream, and a row's logits do not depend on the batch.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>

#include "base/check.h"
#include "base/progress.h"
#include "kernels/select.h"
#include "reference/model/cuda_engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

constexpr std::size_t kGpuLiveSamples = 512;
constexpr std::size_t kMaxGpuAnswers = std::size_t{1} << 22;

struct GpuSample {
  std::size_t request = 0;
  std::int64_t sample = 0;
  std::vector<std::int32_t> ids;  // prompt and what was generated
  std::size_t n_prompt = 0, computed = 0;
  std::vector<std::int32_t> pages;
  bool splits = false;  // its prompt serves all samples of the request
  bool ended = false;
  GenerateAnswer answer;
  Stream stream{0};
};

class GpuGenerator {
 public:
  GpuGenerator(CudaEngine::State& state, std::span<const GenerateRequest> requests,
               const GenerateOptions& options)
      : s_(state),
        requests_(requests),
        options_(options),
        pages_(*state.accelerator, state.forward->page_floats_per_layer(),
               state.files.config.num_hidden_layers) {
    answers_.resize(requests.size() * static_cast<std::size_t>(options.samples));
  }

  Result<std::vector<GenerateAnswer>> run() {
    if (options_.max_tokens == 0) {
      for (std::size_t i = 0; i < answers_.size(); ++i)
        finish(start(i / n_samples(), static_cast<std::int64_t>(i % n_samples())), "length");
      return std::move(answers_);
    }
    std::size_t next = 0;
    while (next < requests_.size() || !live_.empty()) {
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      std::int64_t rows = 0;
      for (; next < requests_.size() && has_room() && rows < s_.pass_rows; ++next) {
        live_.push_back(start(next, 0));
        live_.back().splits = true;
        rows += static_cast<std::int64_t>(live_.back().ids.size());
        s_.stats.tokens_asked += live_.back().ids.size() * n_samples();
      }
      ASSAY_OK(pass());
    }
    return std::move(answers_);
  }

 private:
  std::size_t n_samples() const { return static_cast<std::size_t>(options_.samples); }
  std::int64_t number(const GpuSample& l) const { return requests_[l.request].first_sample + l.sample; }

  bool has_room() const {
    return live_.empty() || (live_.size() + n_samples() <= kGpuLiveSamples &&
                             pages_.n_in_use() * pages_.bytes_per_page() < s_.page_bytes);
  }

  GpuSample start(std::size_t request, std::int64_t sample) const {
    const GenerateRequest& r = requests_[request];
    GpuSample out;
    out.request = request;
    out.sample = sample;
    out.ids = r.ids;
    out.n_prompt = r.ids.size();
    out.stream =
        Stream(r.seed.value_or(options_.seed), r.item, static_cast<std::uint32_t>(r.first_sample + sample));
    return out;
  }

  void append(GpuSample& l, DeviceBatch& batch) {
    const auto chunk =
        static_cast<std::size_t>(s_.options.prefill_chunk > 0 ? s_.options.prefill_chunk : s_.pass_rows);
    const std::size_t n = std::min(l.ids.size() - l.computed, chunk);
    ASSAY_CHECK(n > 0);
    while (l.pages.size() * static_cast<std::size_t>(kPageKeys) < l.computed + n)
      l.pages.push_back(pages_.take());
    batch.segments.push_back(
        {batch.n_rows(), static_cast<std::int64_t>(n), static_cast<std::int64_t>(l.computed), l.pages});
    for (std::size_t i = 0; i < n; ++i) {
      batch.ids.push_back(l.ids[l.computed + i]);
      batch.positions.push_back(static_cast<std::int64_t>(l.computed + i));
    }
    l.computed += n;
  }

  Status pass() {
    DeviceBatch batch;
    std::vector<GpuSample*> of_segment, ready;
    std::vector<std::int32_t> rows;
    std::vector<std::int64_t> users;
    for (GpuSample& l : live_) {
      const bool decoding = l.ids.size() > l.n_prompt;
      if (!decoding && batch.n_rows() >= s_.pass_rows) continue;
      append(l, batch);
      of_segment.push_back(&l);
      users.resize(batch.ids.size(), l.splits ? options_.samples : 1);
      if (l.computed < l.ids.size()) continue;
      ready.push_back(&l);
      rows.push_back(static_cast<std::int32_t>(batch.n_rows() - 1));
    }
    ASSAY_OK(s_.forward->run(batch, pages_));
    s_.stats.tokens_computed += batch.ids.size();
    s_.count_routing(users);
    const std::vector<std::int32_t> ties = s_.near_ties_of_rows(batch.n_rows());
    for (std::size_t i = 0; i < batch.segments.size(); ++i) {
      for (std::int64_t r = 0; r < batch.segments[i].n_rows; ++r)
        of_segment[i]->answer.near_ties += ties[static_cast<std::size_t>(batch.segments[i].first_row + r)];
    }
    std::vector<GpuSample> forks;
    const std::int64_t vocab = s_.files.config.vocab_size;
    const Compute host{kernels(), s_.pool};
    s_.forward->head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t i = 0; i < n; ++i) {
        const std::span<const float> row(logits + i * vocab, static_cast<std::size_t>(vocab));
        extend(*ready[static_cast<std::size_t>(first + i)], row, log_sum_exp(host, row.data(), vocab), forks);
      }
    });
    if (options_.progress) options_.progress(rows.size());
    for (GpuSample& l : forks) live_.push_back(std::move(l));
    end_samples();
    return {};
  }

  // Where a prompt ends, one sequence per sample begins: whole pages are shared, the last one is copied where it is not full.
  void extend(GpuSample& l, std::span<const float> logits, double norm, std::vector<GpuSample>& forks) {
    for (std::int64_t sample = 1; l.splits && sample < options_.samples; ++sample) {
      GpuSample other = start(l.request, sample);
      other.computed = l.computed;
      other.answer.near_ties = l.answer.near_ties;
      const std::size_t whole = l.computed / static_cast<std::size_t>(kPageKeys);
      for (std::size_t i = 0; i < whole; ++i) {
        pages_.share(l.pages[i]);
        other.pages.push_back(l.pages[i]);
      }
      if (whole * static_cast<std::size_t>(kPageKeys) != l.computed) {
        other.pages.push_back(pages_.take());
        pages_.copy(l.pages[whole], other.pages.back());
      }
      take(other, logits, norm);
      forks.push_back(std::move(other));
    }
    l.splits = false;
    take(l, logits, norm);
  }

  std::span<const std::int32_t> made(const GpuSample& l) const {
    return std::span(l.ids).subspan(l.n_prompt);
  }

  void take(GpuSample& l, std::span<const float> logits, double norm) {
    const std::int32_t id = next_token(logits, l.ids, options_, l.stream, made(l));
    l.ids.push_back(id);
    if (options_.top_logprobs > 0) l.answer.top.push_back(top_tokens(logits, options_.top_logprobs, norm));
    l.answer.logprobs.push_back(double{logits[static_cast<std::size_t>(id)]} - norm);
    ++s_.stats.tokens_generated;
    const TopLogprobs none;
    if (options_.token)
      options_.token({l.request, number(l), id, l.answer.logprobs.back(),
                      l.answer.top.empty() ? none : l.answer.top.back(), l.answer.near_ties});
  }

  const char* reason_to_end(const GpuSample& l) const {
    if (l.ids.size() == l.n_prompt || l.computed + 1 != l.ids.size()) return nullptr;
    const bool stop_id = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), l.ids.back()) !=
                         options_.stop_ids.end();
    if (stop_id || (options_.stop && options_.stop(l.request, number(l), made(l)))) return "stop";
    const bool full = static_cast<std::int64_t>(l.ids.size()) >= s_.files.config.max_position_embeddings;
    return full || static_cast<std::int64_t>(made(l).size()) >= options_.max_tokens ? "length" : nullptr;
  }

  void finish(GpuSample l, const char* reason) {
    const auto ids = made(l);
    l.answer.ids.assign(ids.begin(), ids.end());
    l.answer.request = l.request;
    l.answer.sample = number(l);
    l.answer.finish_reason = reason;
    for (const std::int32_t page : l.pages) pages_.give_back(page);
    answers_[l.request * n_samples() + static_cast<std::size_t>(l.sample)] = std::move(l.answer);
  }

  void end_samples() {
    for (GpuSample& l : live_) {
      const char* const reason = reason_to_end(l);
      if (reason == nullptr) continue;
      l.ended = true;
      finish(std::move(l), reason);
      l.ended = true;
    }
    std::erase_if(live_, [](const GpuSample& l) { return l.ended; });
  }

  CudaEngine::State& s_;
  std::span<const GenerateRequest> requests_;
  const GenerateOptions& options_;
  DevicePages pages_;
  std::deque<GpuSample> live_;
  std::vector<GenerateAnswer> answers_;
};

}  // namespace

Result<std::vector<GenerateAnswer>> CudaEngine::generate(std::span<const GenerateRequest> requests,
                                                         const GenerateOptions& options) {
  ASSAY_OK(check_generate_requests(state_->files.config, requests, options, kMaxGpuAnswers));
  const auto start = std::chrono::steady_clock::now();
  GpuGenerator generator(*state_, requests, options);
  auto answers = generator.run();
  state_->stats.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return answers;
}

}  // namespace assay
