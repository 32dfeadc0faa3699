// Continuous batching: prompts are admitted as room allows, every pass computes the next token of all live samples and chunks of the
// prompts that are still being read.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>

#include "base/progress.h"
#include "reference/model/engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

constexpr std::int64_t kLiveSamples = 192;
constexpr std::int64_t kPassRows = 1024;
constexpr std::size_t kMaxAnswers = std::size_t{1} << 22;  // of one call; each takes a few hundred bytes before it begins
constexpr std::int64_t kPageBytes = std::int64_t{1} << 30;

const TopLogprobs kNoTop;

// A sequence with its keys and values; one for the common beginning, one for each prompt, one for each sample.
struct Live {
  std::size_t request = 0;
  std::int64_t sample = 0;
  std::vector<std::int32_t> ids;           // prompt and what was generated
  std::size_t n_prompt = 0, computed = 0;  // computed: tokens whose keys are stored
  std::vector<std::int32_t> pages;
  std::int64_t users = 1;  // samples that its rows serve
  std::int64_t near_ties = 0;
  bool ended = false;
  std::vector<double> logprobs;
  std::vector<TopLogprobs> top;
  Stream stream{0};
};

class Generator {
 public:
  Generator(Engine::State& state, std::span<const GenerateRequest> requests, const GenerateOptions& options)
      : s_(state),
        requests_(requests),
        options_(options),
        pages_(state.forward.page_floats_per_layer(), state.files.config.num_hidden_layers) {
    reuse_ = s_.options.prefix_reuse;
    copies_ = reuse_ ? options.samples : 1;
    units_ = requests.size() * static_cast<std::size_t>(reuse_ ? 1 : options.samples);
    answers_.resize(requests.size() * static_cast<std::size_t>(options.samples));
  }

  Result<std::vector<GenerateAnswer>> run() {
    if (options_.max_tokens == 0) return finish_all_empty();
    ASSAY_OK(read_common_beginning());
    while (next_unit_ < units_ || !live_.empty()) {
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      admit();
      ASSAY_OK(pass());
    }
    return std::move(answers_);
  }

 private:
  std::size_t answer_index(const Live& l) const {
    return l.request * static_cast<std::size_t>(options_.samples) + static_cast<std::size_t>(l.sample);
  }

  // What others call the sample; `sample` counts those of this call.
  std::int64_t number(const Live& l) const { return requests_[l.request].first_sample + l.sample; }
  Stream stream_of(const Live& l) const {
    const GenerateRequest& request = requests_[l.request];
    return Stream(request.seed.value_or(options_.seed), request.item, static_cast<std::uint32_t>(number(l)));
  }

  std::vector<GenerateAnswer> finish_all_empty() {
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      answers_[i].request = i / static_cast<std::size_t>(options_.samples);
      answers_[i].sample = requests_[answers_[i].request].first_sample + static_cast<std::int64_t>(i) % options_.samples;
      answers_[i].finish_reason = "length";
    }
    return std::move(answers_);
  }

  // Tokens that all prompts begin with; the last token of a prompt is never among them, because its logits are needed.
  std::size_t common_length() const {
    if (!reuse_ || requests_.size() < 2) return 0;
    const auto& first = requests_[0].ids;
    std::size_t n = first.size() - 1;
    for (const GenerateRequest& r : requests_) {
      n = std::min(n, r.ids.size() - 1);
      n = static_cast<std::size_t>(
          std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n), r.ids.begin()).first -
          first.begin());
    }
    return n;
  }

  Status read_common_beginning() {
    const std::size_t n = common_length();
    root_.users = static_cast<std::int64_t>(requests_.size()) * copies_;
    if (n == 0) return {};
    root_.ids.assign(requests_[0].ids.begin(), requests_[0].ids.begin() + static_cast<std::ptrdiff_t>(n));
    root_.n_prompt = n + 1;  // its last row asks for no logits
    while (root_.computed < n) {
      Batch batch;
      std::vector<std::int64_t> users;
      append(root_, batch, users);
      ASSAY_OK(s_.forward.run(batch, pages_));
      account(batch, users, {&root_});
    }
    return {};
  }

  // A sequence that goes on where `from` stands: whole pages are shared, the last one is copied where it is not full.
  void fork(const Live& from, Live& to) {
    to.computed = from.computed;
    to.near_ties = from.near_ties;
    const std::size_t whole = from.computed / static_cast<std::size_t>(kPageKeys);
    for (std::size_t i = 0; i < whole; ++i) {
      pages_.share(from.pages[i]);
      to.pages.push_back(from.pages[i]);
    }
    if (whole * static_cast<std::size_t>(kPageKeys) == from.computed) return;
    to.pages.push_back(pages_.take());
    pages_.copy(from.pages[whole], to.pages.back());
  }

  std::int64_t n_samples_live() const {
    std::int64_t n = 0;
    for (const Live& l : live_) n += l.users;
    return n;
  }

  bool has_room() const {
    const std::int64_t limit =
        s_.options.memory_bytes > 0
            ? std::min<std::int64_t>(kPageBytes, static_cast<std::int64_t>(s_.options.memory_bytes / 4))
            : kPageBytes;
    return live_.empty() ||
           (n_samples_live() < kLiveSamples && pages_.n_in_use() * pages_.bytes_per_page() < limit);
  }

  void admit() {
    std::int64_t prompt_rows = 0;
    for (; next_unit_ < units_ && has_room() && prompt_rows < pass_rows(); ++next_unit_) {
      Live l;
      l.request = reuse_ ? next_unit_ : next_unit_ / static_cast<std::size_t>(options_.samples);
      l.sample =
          reuse_ ? 0 : static_cast<std::int64_t>(next_unit_ % static_cast<std::size_t>(options_.samples));
      l.ids = requests_[l.request].ids;
      l.n_prompt = l.ids.size();
      l.users = copies_;
      l.stream = stream_of(l);
      fork(root_, l);
      prompt_rows += static_cast<std::int64_t>(l.n_prompt - l.computed);
      s_.stats.tokens_asked += l.n_prompt * static_cast<std::size_t>(l.users);
      live_.push_back(std::move(l));
    }
  }

  std::int64_t pass_rows() const { return s_.options.wave_tokens > 0 ? s_.options.wave_tokens : kPassRows; }

  // Puts the tokens of `l` that are not computed yet, or a chunk of them, into the batch.
  void append(Live& l, Batch& batch, std::vector<std::int64_t>& users) {
    const std::int64_t chunk = s_.options.prefill_chunk > 0 ? s_.options.prefill_chunk : pass_rows();
    const auto n =
        static_cast<std::size_t>(std::min(static_cast<std::int64_t>(l.ids.size() - l.computed), chunk));
    ASSAY_CHECK(n > 0);
    while (l.pages.size() * static_cast<std::size_t>(kPageKeys) < l.computed + n)
      l.pages.push_back(pages_.take());
    batch.segments.push_back({.first_row = batch.n_rows(),
                              .n_rows = static_cast<std::int64_t>(n),
                              .position = static_cast<std::int64_t>(l.computed),
                              .pages = l.pages,
                              .inherited_rows = {}});
    for (std::size_t i = 0; i < n; ++i) {
      batch.ids.push_back(l.ids[l.computed + i]);
      batch.positions.push_back(static_cast<std::int64_t>(l.computed + i));
      users.push_back(l.users);
    }
    l.computed += n;
  }

  void account(const Batch& batch, const std::vector<std::int64_t>& users,
               const std::vector<Live*>& of_segment) {
    s_.stats.tokens_computed += batch.ids.size();
    s_.count_routing(users);
    const std::vector<std::int32_t> ties = s_.near_ties_of_rows(batch.n_rows());
    for (std::size_t i = 0; i < batch.segments.size(); ++i) {
      const Segment& segment = batch.segments[i];
      for (std::int64_t r = 0; r < segment.n_rows; ++r)
        of_segment[i]->near_ties += ties[static_cast<std::size_t>(segment.first_row + r)];
    }
  }

  Status pass() {
    Batch batch;
    std::vector<std::int64_t> users;
    std::vector<Live*> of_segment;
    std::vector<Live*> ready;
    std::vector<std::int32_t> rows;
    for (Live& l : live_) {
      const bool decoding = l.computed + 1 == l.ids.size() && l.ids.size() > l.n_prompt;
      if (!decoding && batch.n_rows() >= pass_rows()) continue;
      append(l, batch, users);
      of_segment.push_back(&l);
      if (l.computed < l.ids.size()) continue;
      ready.push_back(&l);
      rows.push_back(static_cast<std::int32_t>(batch.n_rows() - 1));
    }
    ASSAY_OK(s_.forward.run(batch, pages_));
    account(batch, users, of_segment);
    std::vector<Live> forks;
    const std::int64_t vocab = s_.files.config.vocab_size;
    s_.forward.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t i = 0; i < n; ++i)
        extend(*ready[static_cast<std::size_t>(first + i)],
               {logits + i * vocab, static_cast<std::size_t>(vocab)}, forks);
    });
    if (options_.progress) options_.progress(rows.size());
    remove_ended();
    for (Live& l : forks) live_.push_back(std::move(l));
    remove_ended();
    return {};
  }

  // The next token of a sequence; where a prompt ends, one sequence per sample begins.
  void extend(Live& l, std::span<const float> logits, std::vector<Live>& forks) {
    const double norm = log_sum_exp(s_.compute, logits.data(), static_cast<std::int64_t>(logits.size()));
    for (std::int64_t sample = 1; sample < l.users; ++sample) {
      Live other;
      other.request = l.request;
      other.sample = sample;
      other.ids = l.ids;
      other.n_prompt = l.n_prompt;
      other.stream = stream_of(other);
      fork(l, other);
      take(other, logits, norm);
      forks.push_back(std::move(other));
    }
    l.users = 1;
    take(l, logits, norm);
  }

  void take(Live& l, std::span<const float> logits, double norm) {
    const std::int32_t id = next_token(logits, l.ids, options_, l.stream, made(l));
    l.ids.push_back(id);
    if (options_.top_logprobs > 0) l.top.push_back(top_tokens(logits, options_.top_logprobs, norm));
    l.logprobs.push_back(double{logits[static_cast<std::size_t>(id)]} - norm);
    ++s_.stats.tokens_generated;
    if (options_.token) options_.token({l.request, number(l), id, l.logprobs.back(), l.top.empty() ? kNoTop : l.top.back(), l.near_ties});
  }

  std::span<const std::int32_t> made(const Live& l) const { return std::span(l.ids).subspan(l.n_prompt); }

  const char* reason_to_end(const Live& l) const {
    if (l.ids.size() == l.n_prompt) return nullptr;
    const bool stop_id = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), l.ids.back()) !=
                         options_.stop_ids.end();
    if (stop_id || (options_.stop && options_.stop(l.request, number(l), made(l)))) return "stop";
    const bool full = static_cast<std::int64_t>(l.ids.size()) >= s_.files.config.max_position_embeddings;
    return full || static_cast<std::int64_t>(l.ids.size() - l.n_prompt) >= options_.max_tokens ? "length"
                                                                                               : nullptr;
  }

  void remove_ended() {
    for (Live& l : live_) {
      if (l.computed + 1 != l.ids.size() || l.ended) continue;  // still reading its prompt
      const char* reason = reason_to_end(l);
      if (!reason) continue;
      const auto ids = made(l);
      answers_[answer_index(l)] = {.request = l.request,
                                   .sample = number(l),
                                   .ids = {ids.begin(), ids.end()},
                                   .logprobs = std::move(l.logprobs),
                                   .top = std::move(l.top),
                                   .finish_reason = reason,
                                   .near_ties = l.near_ties};
      for (const std::int32_t page : l.pages) pages_.give_back(page);
      l.ended = true;
    }
    std::erase_if(live_, [](const Live& l) { return l.ended; });
  }

  Engine::State& s_;
  std::span<const GenerateRequest> requests_;
  const GenerateOptions& options_;
  PageStore pages_;
  bool reuse_ = true;
  std::int64_t copies_ = 1;
  std::size_t units_ = 0, next_unit_ = 0;
  Live root_;
  std::deque<Live> live_;
  std::vector<GenerateAnswer> answers_;
};

}  // namespace

Result<std::vector<GenerateAnswer>> Engine::generate(std::span<const GenerateRequest> requests,
                                                     const GenerateOptions& options) {
  ASSAY_OK(check_generate_options(options));
  if (requests.size() > kMaxAnswers / static_cast<std::size_t>(options.samples)) {
    return Error{.code = Code::too_large,
                 .message = "more samples are asked for than one call makes",
                 .field = "samples",
                 .expected = fmt::format("at most {} over all prompts", kMaxAnswers),
                 .got = fmt::format("{} of each of {} prompts", options.samples, requests.size())};
  }
  for (const GenerateRequest& request : requests) {
    ASSAY_CHECK(!request.text);
    ASSAY_CHECK(request.first_sample >= 0 && request.first_sample <= UINT32_MAX - options.samples);
  }
  for (std::size_t i = 0; i < requests.size(); ++i)
    ASSAY_OK(check_ids(state_->files.config, requests[i].ids, static_cast<std::int64_t>(i)));
  const auto start = std::chrono::steady_clock::now();
  Generator generator(*state_, requests, options);
  auto answers = generator.run();
  state_->stats.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return answers;
}

}  // namespace assay
