// Continuous batching: prompts are admitted as room allows, every pass computes the next token of all live samples and chunks of the
// prompts that are still being read.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "base/progress.h"
#include "reference/model/engine_state.h"
#include "reference/model/sampler.h"

namespace assay {
namespace {

constexpr std::int64_t kLiveSamples = 256;
constexpr std::int64_t kPassRows = 1024;
constexpr std::size_t kMaxAnswers = std::size_t{1}
                                    << 22;  // of one call; each takes a few hundred bytes before it begins
constexpr std::int64_t kPageBytes = std::int64_t{1} << 30;
constexpr auto kKeys = static_cast<std::size_t>(kPageKeys);

const TopLogprobs kNoTop;

// A sequence with its keys and values: a prompt that is read, which becomes the first of its samples, or another sample.
struct Live {
  std::size_t unit = 0, request = 0;
  std::int64_t sample = 0;
  std::vector<std::int32_t> ids;           // prompt and what was generated
  std::size_t n_prompt = 0, computed = 0;  // computed: tokens whose keys are stored
  std::vector<std::int32_t> pages;
  std::int32_t inherited_page = -1;  // until its first pass
  std::int64_t users = 1;            // samples that its rows serve
  std::int64_t near_ties = 0;
  std::int64_t reserved_pages = 0;
  bool ended = false;
  std::vector<double> logprobs;
  std::vector<TopLogprobs> top;
  Stream stream{0};
};

// Units are read in the order of their ids, so that each goes on where it leaves the one before it.
struct Unit {
  std::size_t request = 0;
  std::int64_t sample = 0;
  std::size_t shared =
      0;  // first tokens that the unit before it computes; the last token is never among them: its logits are needed
  std::vector<std::int32_t> ties;  // near ties of the rows of tokens [shared, n_prompt)
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
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t sample = 0; sample < options.samples; sample += copies_)
        units_.push_back({.request = r, .sample = sample, .ties = {}});
    }
    if (reuse_) order_units();
  }

  Result<std::vector<GenerateAnswer>> run() {
    answers_.resize(requests_.size() * static_cast<std::size_t>(options_.samples));
    if (options_.max_tokens == 0) return finish_all_empty();
    ASSAY_OK(share_out_memory());
    WavePass pass = s_.pass(memory_);
    while (next_unit_ < units_.size() || !live_.empty()) {
      if (stop_requested()) return Error{.code = Code::interrupted, .message = "stopped on request"};
      ASSAY_OK(this->pass(pass));
    }
    return std::move(answers_);
  }

 private:
  const std::vector<std::int32_t>& prompt(const Unit& unit) const { return requests_[unit.request].ids; }

  void order_units() {
    std::stable_sort(units_.begin(), units_.end(),
                     [this](const Unit& a, const Unit& b) { return prompt(a) < prompt(b); });
    for (std::size_t u = 1; u < units_.size(); ++u) {
      const auto &before = prompt(units_[u - 1]), &own = prompt(units_[u]);
      const auto end = std::mismatch(before.begin(), before.end(), own.begin(), own.end()).second;
      units_[u].shared = std::min(static_cast<std::size_t>(end - own.begin()), own.size() - 1);
    }
  }

  // That a prompt and all its samples take at most.
  std::int64_t pages_of(std::size_t request) const {
    const std::int64_t prompt = std::ssize(requests_[request].ids),
                       context = s_.files.config.max_position_embeddings;
    const std::int64_t tokens = std::min(options_.max_tokens, std::max<std::int64_t>(0, context - prompt));
    return prompt / kPageKeys + 1 + copies_ * (tokens / kPageKeys + 2);
  }

  // Where memory is bounded, a sequence is admitted when it fits to its end.
  Status share_out_memory() {
    std::int64_t most = 0;
    for (std::size_t r = 0; r < requests_.size(); ++r) most = std::max(most, pages_of(r));
    std::int64_t budget = kPageBytes;
    if (s_.options.memory_bytes > 0) {
      const auto free = static_cast<std::int64_t>(s_.free_beside_a_pass());
      budget = std::min(budget, free / 2);
    }
    max_pages_ = std::max(budget / pages_.bytes_per_page(), most + 1);
    ASSAY_TRY(memory_, s_.plan(0, static_cast<std::uint64_t>(max_pages_ * pages_.bytes_per_page())));
    return {};
  }

  // What others call the sample; `sample` counts those of this call.
  std::int64_t number(const Live& l) const { return requests_[l.request].first_sample + l.sample; }
  Stream stream_of(const Live& l) const {
    const GenerateRequest& request = requests_[l.request];
    return Stream(request.seed.value_or(options_.seed), request.item, static_cast<std::uint32_t>(number(l)));
  }

  std::vector<GenerateAnswer> finish_all_empty() {
    const auto samples = static_cast<std::size_t>(options_.samples);
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      answers_[i].request = i / samples;
      answers_[i].sample = requests_[i / samples].first_sample + static_cast<std::int64_t>(i % samples);
      answers_[i].finish_reason = "length";
    }
    return std::move(answers_);
  }

  std::int64_t pass_rows() const {
    return s_.options.wave_tokens > 0 ? s_.options.wave_tokens : std::min(kPassRows, memory_.slab_rows);
  }

  // Where memory is bounded, samples beyond it wait for the next pass.
  std::int64_t most_rows() const { return s_.options.memory_bytes > 0 ? memory_.slab_rows : INT64_MAX; }

  bool has_room(std::int64_t more_pages) const {
    if (live_.empty()) return true;
    std::int64_t samples = 0,
                 reserved = trail_pages_.empty() ? 0 : static_cast<std::int64_t>(trail_pages_.size());
    for (const Live& l : live_) {
      samples += l.users;
      reserved += l.reserved_pages;
    }
    const bool bounded = s_.options.memory_bytes > 0;
    return samples < kLiveSamples && (bounded ? reserved + more_pages : pages_.n_in_use()) <= max_pages_;
  }

  // Prompts that go on where the one before leaves them: its whole pages are shared, the last one is copied in their first pass.
  void admit(Slab& slab, std::vector<std::int64_t>& users, std::vector<Live*>& of_segment) {
    for (; next_unit_ < units_.size() && slab.batch.n_rows() < pass_rows(); ++next_unit_) {
      const Unit& unit = units_[next_unit_];
      const std::int64_t more = pages_of(unit.request);
      if (!has_room(more) || unit.shared > trail_computed_) break;  // the one before is still read
      Live l;
      l.unit = next_unit_;
      l.request = unit.request;
      l.sample = unit.sample;
      l.ids = prompt(unit);
      l.n_prompt = l.ids.size();
      l.users = copies_;
      l.reserved_pages = more;
      l.stream = stream_of(l);
      fork_trail(unit.shared, l);
      s_.stats.tokens_asked += l.n_prompt * static_cast<std::size_t>(l.users);
      live_.push_back(std::move(l));
      append(live_.back(), slab.batch, users);
      of_segment.push_back(&live_.back());
    }
  }

  void fork_trail(std::size_t shared, Live& l) {
    l.computed = shared;
    const std::size_t whole = shared / kKeys;
    if (shared % kKeys != 0) {
      l.inherited_page = trail_pages_[whole];
      pages_.share(l.inherited_page);
    }
    for (std::size_t i = 0; i < whole; ++i) {
      pages_.share(trail_pages_[i]);
      l.pages.push_back(trail_pages_[i]);
    }
    if (shared % kKeys != 0) l.pages.push_back(pages_.take());
    for (const std::int32_t page : trail_pages_) pages_.give_back(page);
    trail_pages_.clear();
    trail_unit_ = l.unit;
  }

  // The trail is the prompt admitted last: its pages stay for the next one, also where it has ended by then.
  void follow(const Live& l) {
    if (!reuse_) return;
    const std::size_t n_pages = std::min(l.pages.size(), (l.n_prompt + kKeys - 1) / kKeys);
    for (std::size_t i = trail_pages_.size(); i < n_pages; ++i) {
      pages_.share(l.pages[i]);
      trail_pages_.push_back(l.pages[i]);
    }
    trail_computed_ = std::min(l.computed, l.n_prompt);
  }

  // Puts the tokens of `l` that are not computed yet, or a chunk of them, into the batch.
  void append(Live& l, Batch& batch, std::vector<std::int64_t>& users) {
    const std::int64_t chunk = s_.options.prefill_chunk > 0 ? s_.options.prefill_chunk : pass_rows();
    const std::int64_t room = std::max<std::int64_t>(1, pass_rows() - batch.n_rows());
    const auto n = static_cast<std::size_t>(
        std::min({std::ssize(l.ids) - static_cast<std::int64_t>(l.computed), chunk, room}));
    const bool reads_prompt = l.computed < l.n_prompt;
    ASSAY_CHECK(n > 0);
    while (l.pages.size() * kKeys < l.computed + n) l.pages.push_back(pages_.take());
    const bool branches = l.inherited_page >= 0;  // the first rows after a shared beginning
    batch.segments.push_back({.first_row = batch.n_rows(),
                              .n_rows = static_cast<std::int64_t>(n),
                              .position = static_cast<std::int64_t>(l.computed),
                              .pages = l.pages,
                              .inherited_page = branches ? l.inherited_page : -1});
    if (branches) inherited_.push_back(std::exchange(l.inherited_page, -1));
    for (std::size_t i = 0; i < n; ++i) {
      batch.ids.push_back(l.ids[l.computed + i]);
      batch.positions.push_back(static_cast<std::int64_t>(l.computed + i));
    }
    count_users(l, n, users);
    l.computed += n;
    if (reads_prompt && l.unit == trail_unit_) follow(l);
  }

  // How many of the samples asked for each row of the next n serves: those of this unit, and of the units after it that go on from it.
  void count_users(const Live& l, std::size_t n, std::vector<std::int64_t>& users) const {
    const std::size_t first = users.size();
    users.resize(first + n, l.users);
    if (!reuse_ || l.computed >= l.n_prompt) return;
    std::size_t end = l.computed + n;
    for (std::size_t u = l.unit + 1; u < units_.size(); ++u) {
      end = std::min(end, units_[u].shared);
      if (end <= l.computed) break;
      for (std::size_t p = l.computed; p < end; ++p) users[first + p - l.computed] += copies_;
    }
  }

  Status pass(WavePass& layers) {
    Slab slab;
    Engine::State::Users users(1);
    std::vector<Live*> of_segment, ready;
    std::vector<std::int32_t> rows;
    for (Live& l : live_) {
      const bool decoding = l.computed + 1 == l.ids.size() && l.ids.size() > l.n_prompt;
      if (slab.batch.n_rows() >= (decoding ? most_rows() : pass_rows())) continue;
      append(l, slab.batch, users[0]);
      of_segment.push_back(&l);
    }
    admit(slab, users[0], of_segment);
    for (std::size_t i = 0; i < of_segment.size(); ++i) {
      if (of_segment[i]->computed < of_segment[i]->ids.size()) continue;
      ready.push_back(of_segment[i]);
      rows.push_back(
          static_cast<std::int32_t>(slab.batch.segments[i].first_row + slab.batch.segments[i].n_rows - 1));
    }
    std::vector<std::int32_t> ties(users[0].size(), 0);
    ASSAY_OK(layers.run(std::span(&slab, 1), pages_,
                        [&](std::int64_t layer, const Slab& one, const BatchRouting& routing) {
                          s_.count_routing(layer, one.first_row, routing, users, ties);
                        }));
    for (const std::int32_t page : inherited_) pages_.give_back(page);
    inherited_.clear();
    account(slab.batch, ties, of_segment);
    std::vector<Live> forks;
    const std::int64_t vocab = s_.files.config.vocab_size;
    ASSAY_OK(layers.head(rows, [&](std::int64_t first, std::int64_t n, const float* logits) {
      for (std::int64_t i = 0; i < n; ++i)
        extend(*ready[static_cast<std::size_t>(first + i)],
               {logits + i * vocab, static_cast<std::size_t>(vocab)}, forks);
    }));
    if (options_.progress) options_.progress(rows.size());
    for (Live& l : forks) live_.push_back(std::move(l));
    remove_ended();
    return {};
  }

  void account(const Batch& batch, std::span<const std::int32_t> ties, const std::vector<Live*>& of_segment) {
    std::int64_t keys = 0;
    for (const std::int64_t position : batch.positions) keys += position + 1;
    s_.count_rows(batch.n_rows(), keys);
    for (std::size_t i = 0; i < batch.segments.size(); ++i) {
      const Segment& segment = batch.segments[i];
      for (std::int64_t r = 0; r < segment.n_rows; ++r) {
        const std::int32_t n = ties[static_cast<std::size_t>(segment.first_row + r)];
        const bool of_prompt = segment.position + r < static_cast<std::int64_t>(of_segment[i]->n_prompt);
        if (of_prompt)
          units_[of_segment[i]->unit].ties.push_back(n);
        else
          of_segment[i]->near_ties += n;
      }
    }
  }

  // Near ties of a whole prompt, those of the units that it goes on from included.
  std::int64_t ties_of_prompt(std::size_t u) const {
    std::int64_t sum = 0;
    for (std::size_t end = prompt(units_[u]).size(); end > 0; --u) {
      const Unit& unit = units_[u];
      for (std::size_t p = unit.shared; p < end; ++p) sum += unit.ties[p - unit.shared];
      end = std::min(end, unit.shared);
    }
    return sum;
  }

  // The next token of a sequence; where a prompt ends, one sequence per sample begins.
  void extend(Live& l, std::span<const float> logits, std::vector<Live>& forks) {
    const double norm = log_sum_exp(s_.compute, logits.data(), static_cast<std::int64_t>(logits.size()));
    if (l.ids.size() == l.n_prompt) l.near_ties = ties_of_prompt(l.unit);
    for (std::int64_t sample = 1; sample < l.users; ++sample) {
      Live other;
      other.unit = l.unit;
      other.request = l.request;
      other.sample = sample;
      other.ids = l.ids;
      other.n_prompt = l.n_prompt;
      other.reserved_pages = l.reserved_pages / l.users;
      other.stream = stream_of(other);
      fork(l, other);
      take(other, logits, norm);
      forks.push_back(std::move(other));
    }
    l.reserved_pages /= l.users;
    l.users = 1;
    take(l, logits, norm);
  }

  // A sample goes on where the prompt ends: whole pages are shared, the last one is copied where it is not full.
  void fork(const Live& from, Live& to) {
    to.computed = from.computed;
    to.near_ties = from.near_ties;
    const std::size_t whole = from.computed / kKeys;
    for (std::size_t i = 0; i < whole; ++i) {
      pages_.share(from.pages[i]);
      to.pages.push_back(from.pages[i]);
    }
    if (whole * kKeys == from.computed) return;
    to.pages.push_back(pages_.take());
    pages_.copy(from.pages[whole], to.pages.back());
  }

  void take(Live& l, std::span<const float> logits, double norm) {
    const std::int32_t id = next_token(logits, l.ids, options_, l.stream, made(l));
    l.ids.push_back(id);
    if (options_.top_logprobs > 0) l.top.push_back(top_tokens(logits, options_.top_logprobs, norm));
    l.logprobs.push_back(double{logits[static_cast<std::size_t>(id)]} - norm);
    ++s_.stats.tokens_generated;
    if (options_.token)
      options_.token(
          {l.request, number(l), id, l.logprobs.back(), l.top.empty() ? kNoTop : l.top.back(), l.near_ties});
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
      if (l.computed + 1 != l.ids.size()) continue;  // still reading its prompt
      const char* reason = reason_to_end(l);
      if (!reason) continue;
      const auto ids = made(l);
      for (const std::int32_t page : l.pages) pages_.give_back(page);
      l.ended = true;
      answers_[l.request * static_cast<std::size_t>(options_.samples) + static_cast<std::size_t>(l.sample)] =
          {.request = l.request,
           .sample = number(l),
           .ids = {ids.begin(), ids.end()},
           .logprobs = std::move(l.logprobs),
           .top = std::move(l.top),
           .finish_reason = reason,
           .near_ties = l.near_ties};
    }
    std::erase_if(live_, [](const Live& l) { return l.ended; });
  }

  Engine::State& s_;
  std::span<const GenerateRequest> requests_;
  const GenerateOptions& options_;
  PageStore pages_;
  MemoryPlan memory_;
  std::int64_t max_pages_ = 0;
  bool reuse_ = true;
  std::int64_t copies_ = 1;
  std::vector<Unit> units_;
  std::size_t next_unit_ = 0;
  std::vector<std::int32_t> trail_pages_, inherited_;  // inherited_: held for this pass
  std::size_t trail_unit_ = 0, trail_computed_ = 0;
  std::deque<Live> live_;
  std::vector<GenerateAnswer> answers_;
};

}  // namespace

Status check_generate_requests(const ModelConfig& config, std::span<const GenerateRequest> requests,
                               const GenerateOptions& options, std::size_t most_answers) {
  ASSAY_OK(check_generate_options(options));
  if (requests.size() > most_answers / static_cast<std::size_t>(options.samples)) {
    return Error{.code = Code::too_large,
                 .message = "more samples are asked for than one call makes",
                 .field = "samples",
                 .expected = fmt::format("at most {} over all prompts", most_answers),
                 .got = fmt::format("{} of each of {} prompts", options.samples, requests.size())};
  }
  for (const GenerateRequest& request : requests) {
    ASSAY_CHECK(!request.text);
    ASSAY_CHECK(request.first_sample >= 0 && request.first_sample <= UINT32_MAX - options.samples);
  }
  for (std::size_t i = 0; i < requests.size(); ++i)
    ASSAY_OK(check_ids(config, requests[i].ids, static_cast<std::int64_t>(i)));
  return {};
}

Result<std::vector<GenerateAnswer>> Engine::generate(std::span<const GenerateRequest> requests,
                                                     const GenerateOptions& options) {
  ASSAY_OK(check_generate_requests(state_->files.config, requests, options, kMaxAnswers));
  const Timer timer(state_->stats.seconds);
  auto answers = Generator(*state_, requests, options).run();
  state_->end_call();
  return answers;
}

}  // namespace assay
