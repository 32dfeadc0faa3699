// One thread that asks the backend for all who wait: works that stand in the queue together go into one call of score() and one of generate()
// for each set of sampling options. A work's answer does not depend on what it was batched with.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "reference/model/backend.h"

namespace assay {

// What one client's request asks of the backend.
struct ServeWork {
  std::vector<ScoreRequest> scores;
  std::vector<std::vector<std::int32_t>> prompts;  // to go on from
  GenerateOptions options;                         // its functions are not used; max_tokens >= 1 where there are prompts
  std::optional<std::uint64_t> item;               // names the random streams of all prompts; none: each prompt's place does
  std::int64_t first_sample = 0;                   // as GenerateRequest's
  std::function<bool(std::span<const std::int32_t> ids)> ended;  // after every token: a stop string is complete; may be empty
};

struct ServeToken {
  std::size_t prompt = 0;
  std::int64_t sample = 0;
  std::int32_t id = 0;
  double logprob = 0;
  TopLogprobs top;
};

struct ServeSample {
  std::vector<std::int32_t> ids;
  std::vector<double> logprobs;
  std::vector<TopLogprobs> top;  // one for each id, or empty
  std::string finish_reason;     // stop, length
  std::int64_t near_ties = 0;
};

struct ServeAnswer {
  std::vector<ScoreAnswer> scores;
  std::vector<ServeSample> samples;  // (n_prompts, options.samples)
};

class ServeQueue {
 public:
  ServeQueue(Backend& backend, std::size_t max_waiting);
  ~ServeQueue();

  // A place in the queue. Letting it go gives the work up.
  class Ticket;
  // Code::busy: too many wait. Code::interrupted: the queue stops. `wants_tokens`: wait() tells of every token.
  Result<std::shared_ptr<Ticket>> submit(ServeWork work, bool wants_tokens);
  // Blocks until the work is done. `on_token` is told of every token in the calling thread as it is made; false gives the work up. `connected`
  // is asked now and then while nothing happens; false gives it up as well. Code::interrupted: the queue stops, or the work was given up.
  Result<ServeAnswer> wait(Ticket& ticket, const std::function<bool(const ServeToken&)>& on_token, const std::function<bool()>& connected);

  void stop();  // whoever waits is answered Code::interrupted; what runs ends at its next token

 private:
  struct Job;
  using Jobs = std::vector<std::shared_ptr<Job>>;

  void run();
  void answer(const Jobs& jobs);
  void score(const Jobs& jobs);
  void generate(const Jobs& jobs);
  void take(const GeneratedToken& token, Job& job, std::size_t prompt);
  void finish(Job& job, Status status);

  Backend& backend_;
  const std::size_t max_waiting_;
  std::mutex mutex_;  // of everything below and of every job
  std::condition_variable work_ready_;
  std::deque<std::shared_ptr<Job>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace assay
