// The queue before the engine: what is asked together, what is refused, what happens to the others when one fails.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/rng.h"
#include "eval/runs/generation.h"
#include "eval/serve/serve_queue.h"
#include "eval/serve/serve_text.h"
#include "reference/text/utf8.h"
#include "tests/serve_fixture.h"

using namespace assay;

namespace {

// Counts its calls and holds each until it is let go, so that a test decides what waits together.
class HeldBackend final : public Backend {
 public:
  Result<std::vector<ScoreAnswer>> score(std::span<const ScoreRequest> requests) override {
    hold("score " + std::to_string(requests.size()));
    std::vector<ScoreAnswer> out;
    for (const ScoreRequest& request : requests) {
      if (request.ids[0] == 666) return Error{.code = Code::bad_value, .message = "no"};
      out.push_back({.tokens = {}, .logprob = -double(request.ids[0])});
    }
    return out;
  }
  // Every sample counts up from its prompt's last id.
  Result<std::vector<GenerateAnswer>> generate(std::span<const GenerateRequest> requests, const GenerateOptions& options) override {
    hold("generate " + std::to_string(requests.size()));
    static const TopLogprobs kNone;
    for (std::size_t r = 0; r < requests.size(); ++r) {
      std::vector<std::int32_t> ids;
      for (std::int32_t id = requests[r].ids.back() + 1; static_cast<std::int64_t>(ids.size()) < options.max_tokens; ++id) {
        ids.push_back(id);
        options.token({r, 0, id, -0.5, kNone});
        if (options.stop(r, 0, ids)) break;
      }
    }
    return std::vector<GenerateAnswer>(requests.size());
  }
  BackendStats stats() const override { return {}; }
  void reset_stats() override {}
  std::string name() const override { return "held"; }

  void let_go() {
    const std::scoped_lock lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }
  void wait_for_call() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !calls_.empty(); });
  }
  std::vector<std::string> calls() {
    const std::scoped_lock lock(mutex_);
    return calls_;
  }

 private:
  void hold(const std::string& call) {
    std::unique_lock lock(mutex_);
    calls_.push_back(call);
    changed_.notify_all();
    changed_.wait(lock, [this] { return free_; });
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> calls_;
  bool free_ = false;
};

ServeWork score_of(std::int32_t id) { return {.scores = {{.ids = {id, 1}, .scored_from = 1}}, .prompts = {}, .options = {}, .ended = {}}; }
ServeWork generate_from(std::int32_t id, std::int64_t max_tokens, double temperature = 0) {
  ServeWork work{.scores = {}, .prompts = {{id}}, .options = {}, .ended = {}};
  work.options.max_tokens = max_tokens;
  work.options.temperature = temperature;
  return work;
}

}  // namespace

TEST_CASE("serve queue: what waits together is asked together, and too much is refused") {
  HeldBackend backend;
  ServeQueue queue(backend, 5);
  auto first = queue.submit(score_of(1), false).value();
  backend.wait_for_call();  // from here on the engine is busy
  auto second = queue.submit(score_of(2), false).value(), third = queue.submit(score_of(3), false).value();
  auto fourth = queue.submit(generate_from(10, 3), false).value(), fifth = queue.submit(generate_from(20, 5), false).value();
  auto sixth = queue.submit(generate_from(30, 2, 0.5), false).value();
  const auto refused = queue.submit(score_of(4), false);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::busy);
  backend.let_go();
  CHECK(queue.wait(*first, {}, {})->scores[0].logprob == -1);
  CHECK(queue.wait(*third, {}, {})->scores[0].logprob == -3);
  CHECK(queue.wait(*second, {}, {})->scores[0].logprob == -2);
  const auto a = queue.wait(*fourth, {}, {}), b = queue.wait(*fifth, {}, {}), c = queue.wait(*sixth, {}, {});
  CHECK(a->samples[0].ids == std::vector<std::int32_t>{11, 12, 13});
  CHECK(b->samples[0].ids == std::vector<std::int32_t>{21, 22, 23, 24, 25});
  CHECK(c->samples[0].ids == std::vector<std::int32_t>{31, 32});
  CHECK(a->samples[0].finish_reason == "length");
  CHECK(a->samples[0].logprobs == std::vector<double>{-0.5, -0.5, -0.5});
  // Different lengths share a call, different temperatures do not.
  CHECK(backend.calls() == std::vector<std::string>{"score 1", "score 2", "generate 2", "generate 1"});
}

TEST_CASE("serve queue: a work that fails does not take the others with it") {
  HeldBackend backend;
  ServeQueue queue(backend, 8);
  auto busy = queue.submit(score_of(1), false).value();
  backend.wait_for_call();
  auto good = queue.submit(score_of(2), false).value(), bad = queue.submit(score_of(666), false).value(), other = queue.submit(generate_from(5, 2), false).value();
  backend.let_go();
  CHECK(queue.wait(*good, {}, {})->scores[0].logprob == -2);
  const auto refused = queue.wait(*bad, {}, {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::bad_value);
  CHECK(queue.wait(*other, {}, {})->samples[0].ids == std::vector<std::int32_t>{6, 7});
}

TEST_CASE("serve queue: stop strings, stop ids and tokens as they come") {
  HeldBackend backend;
  backend.let_go();
  ServeQueue queue(backend, 8);
  ServeWork work = generate_from(10, 100);
  work.options.stop_ids = {14};
  auto ticket = queue.submit(std::move(work), true).value();
  std::vector<std::int32_t> seen;
  const auto answer = queue.wait(*ticket, [&](const ServeToken& token) { return seen.push_back(token.id), true; }, {});
  REQUIRE(answer.ok());
  CHECK(seen == std::vector<std::int32_t>{11, 12, 13, 14});
  CHECK(answer->samples[0].ids == seen);
  CHECK(answer->samples[0].finish_reason == "stop");
  ServeWork strings = generate_from(10, 100);
  strings.ended = [](std::span<const std::int32_t> ids) { return ids.back() == 12; };
  auto second = queue.submit(std::move(strings), false).value();
  CHECK(queue.wait(*second, {}, {})->samples[0].ids == std::vector<std::int32_t>{11, 12});
}

TEST_CASE("serve queue: a stop answers whoever waits, a client that is gone is forgotten") {
  HeldBackend backend;
  ServeQueue queue(backend, 8);
  auto running = queue.submit(generate_from(1, 5), false).value();
  backend.wait_for_call();
  const auto gone = queue.wait(*running, {}, [] { return false; });
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == Code::interrupted);
  auto waiting = queue.submit(score_of(2), false).value();
  { auto dropped = queue.submit(score_of(3), false).value(); }
  queue.stop();
  const auto stopped = queue.wait(*waiting, {}, {});
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == Code::interrupted);
  CHECK_FALSE(queue.submit(score_of(4), false).ok());
  backend.let_go();
}

TEST_CASE("serve queue: work whose client is gone is never asked") {
  HeldBackend backend;
  ServeQueue queue(backend, 8);
  auto busy = queue.submit(score_of(1), false).value();
  backend.wait_for_call();
  { auto dropped = queue.submit(score_of(3), false).value(); }
  auto last = queue.submit(score_of(4), false).value();
  backend.let_go();
  CHECK(queue.wait(*last, {}, {})->scores[0].logprob == -4);
  CHECK(backend.calls() == std::vector<std::string>{"score 1", "score 1"});
}

TEST_CASE("serve text: streamed pieces are whole characters and join to the text before the stop") {
  const Tokenizer& tokenizer = serve_test::bundled().tokenizer;
  REQUIRE(tokenizer.decodes_token_by_token());
  const std::vector<std::vector<std::string>> stops = {{}, {"e"}, {" the", "the "}, {"\n\n", "ab", "abab"}, {"\u00eb", "aaaaab"}};
  for (std::uint64_t i = 0; i < 400; ++i) {
    Stream random(3, i);
    std::vector<std::int32_t> ids(random.below(60));
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(tokenizer.vocab_size())));
    const auto& list = stops[i % stops.size()];
    StreamText stream(tokenizer, list);
    std::string joined;
    for (const std::int32_t id : ids) {
      const std::string piece = stream.add(id);
      CHECK(valid_utf8(piece));
      joined += piece;
    }
    joined += stream.finish();
    CHECK(joined == StopStrings(tokenizer, list).text(ids));
  }
}
