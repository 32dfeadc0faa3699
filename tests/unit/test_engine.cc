// The engine: the same bits however the work is cut up; refusals; sampling.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/select.h"
#include "reference/model/engine.h"
#include "reference/model/sampler.h"
#include "reference/model/wave_plan.h"
#include "tests/catch.h"

using namespace assay;

namespace {

const std::string kModel = ASSAY_TREE "/suites/data/demo/model";

std::unique_ptr<Engine> engine_with(EngineOptions options) {
  auto engine = Engine::load(kModel, options);
  if (!engine.ok()) FAIL(engine.error().text());
  return std::move(*engine);
}

// Prompts that share beginnings of 0, 3, 64, 70 and 130 tokens, one of them twice, one the beginning of another.
std::vector<std::vector<std::int32_t>> prompts() {
  std::vector<std::int32_t> stem(150);
  Stream stream(7);
  for (auto& id : stem) id = static_cast<std::int32_t>(3 + stream.below(1000));
  std::vector<std::vector<std::int32_t>> out;
  for (const std::size_t shared :
       {std::size_t{0}, std::size_t{3}, std::size_t{64}, std::size_t{70}, std::size_t{130}}) {
    for (int i = 0; i < 2; ++i) {
      std::vector<std::int32_t> ids(stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(shared));
      for (int n = 0; n < 9; ++n) ids.push_back(static_cast<std::int32_t>(3 + stream.below(1000)));
      out.push_back(ids);
    }
  }
  out.push_back(out.back());
  out.push_back(stem);
  return out;
}

std::vector<EngineOptions> ways() {
  std::vector<EngineOptions> out = {
      {.threads = 2},
      {.wave_tokens = 40},
      {.wave_tokens = 100, .prefill_chunk = 7},
      {.prefix_reuse = false},
      {.threads = 3, .wave_tokens = 64, .prefill_chunk = 64, .prefix_reuse = false}};
  for (const Kernels* kernels : available_kernels()) {
    out.push_back({.threads = 1, .isa = kernels->name});
  }
  return out;
}

bool same(const std::vector<ScoreAnswer>& a, const std::vector<ScoreAnswer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ScoreAnswer& x, const ScoreAnswer& y) {
    return x.logprob == y.logprob && x.greedy == y.greedy && x.near_ties == y.near_ties &&
           x.tokens.size() == y.tokens.size();
  });
}

bool same(const std::vector<GenerateAnswer>& a, const std::vector<GenerateAnswer>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const GenerateAnswer& x, const GenerateAnswer& y) {
        return x.request == y.request && x.sample == y.sample && x.ids == y.ids && x.logprobs == y.logprobs &&
               x.finish_reason == y.finish_reason && x.near_ties == y.near_ties;
      });
}

void check_made_is_scored(const EngineOptions& options) {
  const auto engine = engine_with(options);
  const std::vector<GenerateRequest> requests = {{.ids = prompts()[4], .item = 0}};
  const auto made = engine->generate(requests, {.max_tokens = 20});
  REQUIRE(made.ok());
  std::vector<std::int32_t> whole = requests[0].ids;
  whole.insert(whole.end(), (*made)[0].ids.begin(), (*made)[0].ids.end());
  const std::vector<ScoreRequest> again = {
      {.ids = whole, .scored_from = static_cast<std::int64_t>(requests[0].ids.size())}};
  const auto scored = engine->score(again);
  REQUIRE(scored.ok());
  CHECK((*scored)[0].greedy);
  for (std::size_t i = 0; i < (*made)[0].ids.size(); ++i)
    CHECK((*scored)[0].tokens[i].logprob == (*made)[0].logprobs[i]);
}

}  // namespace

TEST_CASE(
    "engine: scores have the same bits over threads, waves, chunks, shared prefixes and instruction sets") {
  std::vector<ScoreRequest> requests;
  for (auto& ids : prompts())
    requests.push_back({.ids = ids, .scored_from = 1 + static_cast<std::int64_t>(ids.size()) / 2});
  const auto plain = engine_with({});
  const auto expected = plain->score(requests);
  REQUIRE(expected.ok());
  const BackendStats stats = plain->stats();
  CHECK(stats.tokens_computed < stats.tokens_asked);
  for (const EngineOptions& way : ways()) {
    INFO("threads " << way.threads << " wave " << way.wave_tokens << " chunk " << way.prefill_chunk
                    << " reuse " << way.prefix_reuse << " " << way.isa);
    const auto engine = engine_with(way);
    const auto got = engine->score(requests);
    REQUIRE(got.ok());
    CHECK(same(*got, *expected));
    CHECK(engine->stats().expert_tokens == stats.expert_tokens);
    CHECK(engine->stats().near_ties == stats.near_ties);
    if (!way.prefix_reuse) CHECK(engine->stats().tokens_computed == stats.tokens_asked);
  }
}

TEST_CASE(
    "engine: generated samples have the same bits over threads, waves, chunks, shared prefixes and "
    "instruction sets") {
  std::vector<GenerateRequest> requests;
  for (auto& ids : prompts()) requests.push_back({.ids = ids, .item = requests.size()});
  GenerateOptions options{.max_tokens = 12,
                          .samples = 3,
                          .temperature = 0.9,
                          .top_k = 50,
                          .top_p = 0.95,
                          .min_p = 0.01,
                          .repetition_penalty = 1.1,
                          .seed = 5,
                          .stop_ids = {1}};
  const auto expected = engine_with({})->generate(requests, options);
  REQUIRE(expected.ok());
  REQUIRE(expected->size() == requests.size() * 3);
  CHECK((*expected)[0].ids != (*expected)[1].ids);
  for (const EngineOptions& way : ways()) {
    INFO("threads " << way.threads << " wave " << way.wave_tokens << " chunk " << way.prefill_chunk
                    << " reuse " << way.prefix_reuse << " " << way.isa);
    const auto got = engine_with(way)->generate(requests, options);
    REQUIRE(got.ok());
    CHECK(same(*got, *expected));
  }
}

TEST_CASE("engine: generated log-probabilities are those of scoring the same text, bit for bit") {
  check_made_is_scored({});
  check_made_is_scored({.recipe = "mla-absorbed"});
}

TEST_CASE("engine: what cannot be answered is refused") {
  const auto engine = engine_with({});
  const auto code_of = [&](ScoreRequest request) {
    const std::vector<ScoreRequest> requests = {std::move(request)};
    const auto answer = engine->score(requests);
    return answer.ok() ? std::string("fine") : std::string(name_of(answer.error().code));
  };
  CHECK(code_of({.ids = {0, 5}, .scored_from = 1}) == "fine");
  CHECK(code_of({.ids = {0, 1024}, .scored_from = 1}) == "out_of_range");
  CHECK(code_of({.ids = {0, -1}, .scored_from = 1}) == "out_of_range");
  CHECK(code_of({.ids = {}, .scored_from = 1}) == "bad_value");
  CHECK(code_of({.ids = {0, 5}, .scored_from = 0}) == "out_of_range");
  CHECK(code_of({.ids = {0, 5}, .scored_from = 3}) == "out_of_range");
  CHECK(code_of({.ids = std::vector<std::int32_t>(1025, 5), .scored_from = 1024}) == "fine");
  CHECK(code_of({.ids = std::vector<std::int32_t>(1026, 5), .scored_from = 1}) == "too_large");
  const std::vector<GenerateRequest> one = {{.ids = {0}, .item = 0}};
  CHECK(engine->generate(one, {.top_p = 0}).error().code == Code::usage);
  CHECK(engine->generate(one, {.temperature = std::nan("")}).error().code == Code::usage);
  CHECK(engine->generate(one, {.repetition_penalty = 0}).error().code == Code::usage);
  CHECK(Engine::load(kModel, {.memory_bytes = 1000}).error().code == Code::memory_limit);
  CHECK(Engine::load(kModel, {.conventions = {"router-numbers=bf16-scores"}}).error().code ==
        Code::unsupported);
  CHECK(Engine::load(kModel, {.isa = "mmx"}).error().code == Code::unsupported);
  CHECK(Engine::load("/nowhere", {}).error().code == Code::not_found);
}

TEST_CASE(
    "sampler: arg-max takes the lower id of a tie, the penalty lowers seen ids, filters keep what they say") {
  const std::vector<float> logits = {1.0f, 3.0f, 3.0f, -2.0f};
  Stream stream(1);
  CHECK(next_token(logits, {}, {.temperature = 0}, stream) == 1);
  const std::vector<std::int32_t> seen = {1, 1};
  CHECK(next_token(logits, seen, {.temperature = 0, .repetition_penalty = 1.5}, stream) == 2);
  for (int i = 0; i < 200; ++i) {
    CHECK(next_token(logits, {}, {.temperature = 5, .top_k = 2}, stream) != 0);
    CHECK(next_token(logits, {}, {.temperature = 1, .top_p = 0.4}, stream) == 1);
    CHECK(next_token(logits, {}, {.temperature = 1, .min_p = 0.5}, stream) != 0);
  }
}

TEST_CASE("sampler: frequencies of draws are the probabilities") {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  std::vector<int> counts(3);
  constexpr int kDraws = 20000;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    Stream stream(9, 4, i);
    ++counts[static_cast<std::size_t>(next_token(logits, {}, {.temperature = 1}, stream))];
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = std::exp(static_cast<double>(logits[i])), sigma = std::sqrt(p * (1 - p) / kDraws);
    CHECK(std::abs(counts[i] / double{kDraws} - p) < 5 * sigma);
  }
}
