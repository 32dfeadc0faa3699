#include "eval/serve/serve_queue.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "base/check.h"

namespace assay {
namespace {

constexpr std::chrono::milliseconds kLookAtClient{200};

Error stopped() { return Error{.code = Code::interrupted, .message = "the server is shutting down"}; }
Error given_up() { return Error{.code = Code::interrupted, .message = "the client is gone"}; }

// Works that can share a call of generate(): what differs between requests of one call must not be here.
auto group_key(const GenerateOptions& o) {
  return std::tie(o.samples, o.temperature, o.top_k, o.top_p, o.min_p, o.repetition_penalty, o.presence_penalty, o.frequency_penalty, o.seed,
                  o.top_logprobs, o.stop_ids);
}

}  // namespace

struct ServeQueue::Job {
  ServeWork work;
  bool wants_tokens = false;
  ServeAnswer answer;
  std::deque<ServeToken> tokens;  // not yet told
  std::size_t n_open = 0;         // samples that go on
  bool done = false, dropped = false;
  Status status;
  std::condition_variable changed;

  ServeSample& sample(std::size_t prompt, std::int64_t number) {
    const std::int64_t at = number - work.first_sample;
    ASSAY_CHECK(at >= 0 && at < work.options.samples);
    return answer.samples[prompt * static_cast<std::size_t>(work.options.samples) + static_cast<std::size_t>(at)];
  }
};

class ServeQueue::Ticket {
 public:
  Ticket(ServeQueue& queue, std::shared_ptr<Job> its_job) : job(std::move(its_job)), queue_(queue) {}
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() {
    const std::scoped_lock lock(queue_.mutex_);
    job->dropped = true;
  }
  const std::shared_ptr<Job> job;

 private:
  ServeQueue& queue_;
};

ServeQueue::ServeQueue(Backend& backend, std::size_t max_waiting)
    : backend_(backend), max_waiting_(max_waiting), thread_([this] { run(); }) {}

ServeQueue::~ServeQueue() {
  stop();
  thread_.join();
}

void ServeQueue::stop() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  for (const auto& job : waiting_) finish(*job, stopped());
  waiting_.clear();
  work_ready_.notify_all();
}

Result<std::shared_ptr<ServeQueue::Ticket>> ServeQueue::submit(ServeWork work, bool wants_tokens) {
  ASSAY_CHECK(work.prompts.empty() || work.options.max_tokens > 0);
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  job->wants_tokens = wants_tokens;
  job->answer.samples.resize(job->work.prompts.size() * static_cast<std::size_t>(job->work.options.samples));
  job->n_open = job->answer.samples.size();
  const std::scoped_lock lock(mutex_);
  if (stopping_) return stopped();
  if (waiting_.size() >= max_waiting_) return Error{.code = Code::busy, .message = "too many requests are waiting; try again later"};
  waiting_.push_back(job);
  work_ready_.notify_one();
  return std::make_shared<Ticket>(*this, std::move(job));
}

Result<ServeAnswer> ServeQueue::wait(Ticket& ticket, const std::function<bool(const ServeToken&)>& on_token, const std::function<bool()>& connected) {
  Job& job = *ticket.job;
  ASSAY_CHECK(job.wants_tokens == static_cast<bool>(on_token));
  std::unique_lock lock(mutex_);
  while (!job.done || (job.status.ok() && !job.tokens.empty())) {
    const bool news = job.changed.wait_for(lock, kLookAtClient, [&] { return job.done || !job.tokens.empty(); });
    const std::deque<ServeToken> tokens = std::exchange(job.tokens, {});
    lock.unlock();
    const bool wanted = news ? std::ranges::all_of(tokens, [&](const ServeToken& token) { return on_token(token); }) : !connected || connected();
    lock.lock();
    if (!wanted) return given_up();
  }
  if (!job.status.ok()) return job.status.error();
  return std::move(job.answer);
}

void ServeQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_ready_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Jobs jobs(waiting_.begin(), waiting_.end());
    waiting_.clear();
    std::erase_if(jobs, [](const auto& job) { return job->dropped; });
    lock.unlock();
    answer(jobs);
    lock.lock();
  }
}

void ServeQueue::finish(Job& job, Status status) {
  if (job.done) return;
  job.done = true;
  job.status = std::move(status);
  job.changed.notify_all();
}

void ServeQueue::answer(const Jobs& jobs) {
  score(jobs);
  Jobs open;
  {
    const std::scoped_lock lock(mutex_);
    std::ranges::copy_if(jobs, std::back_inserter(open), [](const auto& job) { return !job->done; });
  }
  while (!open.empty()) {
    const std::shared_ptr<Job> first = open.front();
    const auto same = std::stable_partition(open.begin(), open.end(), [&first](const auto& job) {
      return group_key(job->work.options) != group_key(first->work.options);
    });
    Jobs group(same, open.end());
    open.erase(same, open.end());
    generate(group);
  }
}

void ServeQueue::score(const Jobs& jobs) {
  std::vector<ScoreRequest> requests;
  for (const auto& job : jobs) requests.insert(requests.end(), job->work.scores.begin(), job->work.scores.end());
  Result<std::vector<ScoreAnswer>> answers = requests.empty() ? std::vector<ScoreAnswer>() : backend_.score(requests);
  // Requests were checked before they came here; should one be refused all the same, it must not take the others with it.
  if (!answers.ok() && answers.error().code != Code::interrupted && jobs.size() > 1) {
    for (const auto& job : jobs) score({job});
    return;
  }
  const std::scoped_lock lock(mutex_);
  std::size_t next = 0;
  for (const auto& job : jobs) {
    if (!answers.ok() && !job->work.scores.empty()) finish(*job, answers.error());
    if (!answers.ok()) continue;
    for (std::size_t i = 0; i < job->work.scores.size(); ++i) job->answer.scores.push_back(std::move((*answers)[next++]));
    if (job->n_open == 0) finish(*job, {});
  }
}

void ServeQueue::take(const GeneratedToken& token, Job& job, std::size_t prompt) {
  const std::scoped_lock lock(mutex_);
  ServeSample& sample = job.sample(prompt, token.sample);
  sample.ids.push_back(token.id);
  sample.logprobs.push_back(token.logprob);
  sample.near_ties = token.near_ties;
  if (job.work.options.top_logprobs > 0) sample.top.push_back(token.top);
  if (!job.wants_tokens) return;
  job.tokens.push_back({prompt, token.sample, token.id, token.logprob, token.top});
  job.changed.notify_all();
}

void ServeQueue::generate(const Jobs& jobs) {
  struct Origin {
    Job* job;
    std::size_t prompt;
  };
  std::vector<GenerateRequest> requests;
  std::vector<Origin> origins;
  GenerateOptions options = jobs.front()->work.options;
  for (const auto& job : jobs) {
    options.max_tokens = std::max(options.max_tokens, job->work.options.max_tokens);
    for (std::size_t i = 0; i < job->work.prompts.size(); ++i) {
      requests.push_back({.ids = job->work.prompts[i], .item = job->work.item.value_or(i), .first_sample = job->work.first_sample});
      origins.push_back({job.get(), i});
    }
  }
  const std::vector<std::int32_t> stop_ids = std::exchange(options.stop_ids, {});
  options.token = [&](const GeneratedToken& token) { take(token, *origins[token.request].job, origins[token.request].prompt); };
  options.stop = [&](std::size_t request, std::int64_t number, std::span<const std::int32_t> ids) {
    Job& job = *origins[request].job;
    const bool stop = std::ranges::find(stop_ids, ids.back()) != stop_ids.end() || (job.work.ended && job.work.ended(ids));
    const bool full = static_cast<std::int64_t>(ids.size()) >= job.work.options.max_tokens;
    const std::scoped_lock lock(mutex_);
    if (!stop && !full) return job.dropped || stopping_;
    job.sample(origins[request].prompt, number).finish_reason = stop ? "stop" : "length";
    if (--job.n_open == 0) finish(job, {});
    return true;
  };
  const auto answers = backend_.generate(requests, options);
  if (!answers.ok() && answers.error().code != Code::interrupted && jobs.size() > 1) {
    for (const auto& job : jobs) generate({job});
    return;
  }
  const std::scoped_lock lock(mutex_);
  for (const auto& job : jobs) {  // those that did not come to their own end
    if (!answers.ok()) finish(*job, answers.error());
    else finish(*job, stopping_ ? stopped() : given_up());
  }
}

}  // namespace assay
