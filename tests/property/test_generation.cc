// Generation: the same samples however requests are grouped and ordered, penalties and the likeliest tokens included; draws that follow
// the probabilities; text that never holds half a character.
#include <algorithm>
#include <cmath>
#include <map>

#include "reference/model/engine.h"
#include "reference/model/sampler.h"
#include "reference/text/tokenizer.h"
#include "reference/text/utf8.h"
#include "tests/catch.h"

namespace assay {
namespace {

const std::string kModel = ASSAY_TREE "/suites/data/demo/model";

std::unique_ptr<Engine> engine_with(EngineOptions options) {
  auto engine = Engine::load(kModel, options);
  if (!engine.ok()) FAIL(engine.error().text());
  return std::move(*engine);
}

std::vector<GenerateRequest> requests() {
  Stream stream(11);
  std::vector<std::int32_t> stem(70);
  for (auto& id : stem) id = static_cast<std::int32_t>(3 + stream.below(1000));
  std::vector<GenerateRequest> out;
  for (std::uint64_t i = 0; i < 7; ++i) {
    GenerateRequest r{.ids = {stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(i % 3 * 33)}, .item = 100 + i};
    for (std::uint64_t n = 1 + stream.below(9); n > 0; --n) r.ids.push_back(static_cast<std::int32_t>(3 + stream.below(1000)));
    out.push_back(std::move(r));
  }
  return out;
}

GenerateOptions options() {
  return {.max_tokens = 10, .samples = 2, .temperature = 1.1, .top_k = 60, .top_p = 0.97, .min_p = 0.005, .repetition_penalty = 1.2, .presence_penalty = 0.4, .frequency_penalty = 0.3, .seed = 8, .top_logprobs = 3, .stop_ids = {1}};
}

bool same(const TopLogprobs& a, const TopLogprobs& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TokenLogprob& x, const TokenLogprob& y) { return x.token == y.token && x.logprob == y.logprob; });
}

using Key = std::pair<std::uint64_t, std::int64_t>;  // item, sample

void collect(Engine& engine, const std::vector<GenerateRequest>& asked, std::map<Key, GenerateAnswer>& out) {
  const auto answers = engine.generate(asked, options());
  REQUIRE(answers.ok());
  for (const GenerateAnswer& a : *answers) out[{asked[a.request].item, a.sample}] = a;
}

void check_same(const std::map<Key, GenerateAnswer>& got, const std::map<Key, GenerateAnswer>& expected) {
  REQUIRE(got.size() == expected.size());
  for (const auto& [key, a] : got) {
    const GenerateAnswer& b = expected.at(key);
    INFO("item " << key.first << " sample " << key.second);
    CHECK(a.ids == b.ids);
    CHECK(a.logprobs == b.logprobs);
    CHECK(a.finish_reason == b.finish_reason);
    CHECK(std::equal(a.top.begin(), a.top.end(), b.top.begin(), b.top.end(), [](const TopLogprobs& x, const TopLogprobs& y) { return same(x, y); }));
  }
}

TEST_CASE("generation: samples do not depend on grouping, order, cuts of the work, or on beginning again") {
  const auto engine = engine_with({});
  const auto all = requests();
  std::map<Key, GenerateAnswer> expected;
  collect(*engine, all, expected);
  REQUIRE(expected.size() == all.size() * 2);

  std::map<Key, GenerateAnswer> alone;  // as a run that is interrupted after every item and goes on
  for (const GenerateRequest& one : all) collect(*engine, {one}, alone);
  check_same(alone, expected);

  auto turned = all;
  Stream stream(5);
  for (int i = 0; i < 2; ++i) {
    for (std::size_t k = turned.size(); k > 1; --k) std::swap(turned[k - 1], turned[stream.below(k)]);
    EngineOptions way{.threads = 1 + i, .wave_tokens = static_cast<std::int64_t>(8 + stream.below(60)), .prefill_chunk = static_cast<std::int64_t>(1 + stream.below(40)), .prefix_reuse = stream.below(2) == 0};
    INFO("threads " << way.threads << " wave " << way.wave_tokens << " chunk " << way.prefill_chunk << " reuse " << way.prefix_reuse);
    std::map<Key, GenerateAnswer> got;
    collect(*engine_with(way), turned, got);
    check_same(got, expected);
  }
}

TEST_CASE("generation: the likeliest tokens are those of scoring the same text, bit for bit") {
  const auto engine = engine_with({});
  const auto all = requests();
  const auto made = engine->generate(all, options());
  REQUIRE(made.ok());
  std::vector<ScoreRequest> again;
  for (const GenerateAnswer& a : *made) {
    ScoreRequest r{.ids = all[a.request].ids, .scored_from = static_cast<std::int64_t>(all[a.request].ids.size()), .top_logprobs = 3};
    r.ids.insert(r.ids.end(), a.ids.begin(), a.ids.end());
    again.push_back(std::move(r));
  }
  const auto scored = engine->score(again);
  REQUIRE(scored.ok());
  for (std::size_t i = 0; i < made->size(); ++i) {
    const GenerateAnswer& a = (*made)[i];
    REQUIRE(a.top.size() == a.ids.size());
    REQUIRE((*scored)[i].top.size() == a.ids.size());
    for (std::size_t t = 0; t < a.ids.size(); ++t) {
      CHECK(a.top[t].size() == 3);
      CHECK(same(a.top[t], (*scored)[i].top[t]));
      CHECK(a.top[t][0].token == (*scored)[i].tokens[t].top_token);
      CHECK(a.top[t][0].logprob == (*scored)[i].tokens[t].top_logprob);
      CHECK(a.top[t][0].logprob >= a.logprobs[t]);
    }
  }
  CHECK(engine->score(std::vector<ScoreRequest>{{.ids = {0, 5}, .top_logprobs = kMaxTopLogprobs + 1}}).error().code == Code::out_of_range);
}

// Pearson's statistic over the tokens that may be drawn: mean k - 1, variance 2(k - 1); far below is as wrong as far above.
TEST_CASE("generation: frequencies of draws follow the probabilities under every filter") {
  Stream make(21);
  std::vector<float> logits(40);
  for (float& x : logits) x = static_cast<float>(make.normal());
  logits[7] = logits[9];  // a tie
  const std::vector<std::int32_t> seen = {3, 9, 9, 12}, sampled = {9, 9, 12};
  const std::vector<GenerateOptions> ways = {{.temperature = 1},
                                             {.temperature = 0.6, .top_k = 12},
                                             {.temperature = 1.5, .top_p = 0.8},
                                             {.temperature = 1, .min_p = 0.15},
                                             {.temperature = 0.9, .top_k = 30, .top_p = 0.9, .min_p = 0.05, .repetition_penalty = 1.3, .presence_penalty = 0.5, .frequency_penalty = 0.25}};
  constexpr int kDraws = 20'000;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    INFO(way);
    const auto expected = draw_probabilities(logits, seen, ways[way], sampled);
    std::map<std::int32_t, int> counts;
    for (std::uint32_t i = 0; i < kDraws; ++i) {
      Stream stream(77, way, i);
      ++counts[next_token(logits, seen, ways[way], stream, sampled)];
    }
    double statistic = 0;
    int drawn = 0;
    for (const auto& [id, p] : expected) {
      statistic += (counts[id] - kDraws * p) * (counts[id] - kDraws * p) / (kDraws * p);
      drawn += counts[id];
    }
    CHECK(drawn == kDraws);  // nothing that the filters took away
    const double freedom = static_cast<double>(expected.size()) - 1, spread = std::sqrt(2 * freedom);
    REQUIRE(freedom >= 4);
    CHECK(statistic < freedom + 4 * spread);
    CHECK(statistic > std::max(0.2, freedom - 3 * spread));
  }
}

TEST_CASE("generation: filters keep what the header says, ties and ends included") {
  const std::vector<float> logits = {0, 2, 2, 2, -INFINITY, 1};
  const auto ids = [&](const GenerateOptions& o) {
    std::vector<std::int32_t> out;
    for (const auto& [id, p] : draw_probabilities(logits, {}, o)) out.push_back(id);
    return out;
  };
  using Ids = std::vector<std::int32_t>;
  CHECK(ids({.temperature = 1}) == Ids{1, 2, 3, 5, 0, 4});
  CHECK(ids({.temperature = 1, .top_k = 2}) == Ids{1, 2});  // transformers would keep the third, which ties
  CHECK(ids({.temperature = 1, .top_k = 100}).size() == 6);
  CHECK(ids({.temperature = 1, .top_p = 1e-9}) == Ids{1});
  CHECK(ids({.temperature = 1, .min_p = 1}) == Ids{1, 2, 3});
  CHECK(ids({.temperature = 0}) == Ids{1});
  CHECK(ids({.temperature = 1e-30}).size() == 6);
  const std::vector<float> strange = {NAN, 1, INFINITY, NAN};
  CHECK(draw_probabilities(strange, {}, {.temperature = 1, .top_k = 1})[0] == std::pair<std::int32_t, double>(2, 1.0));
  const TopLogprobs top = top_tokens(strange, 9, 0);
  REQUIRE(top.size() == 4);
  CHECK(top[0].token == 2);
  CHECK(top[1].token == 1);
  CHECK(top[2].token == 0);
  CHECK(top[3].token == 3);
}

TEST_CASE("generation: options outside their ranges are refused by name") {
  const auto field = [](const GenerateOptions& o) {
    const Status s = check_generate_options(o);
    return s.ok() ? std::string("fine") : s.error().field;
  };
  CHECK(field({}) == "fine");
  CHECK(field({.max_tokens = -1}) == "max-tokens");
  CHECK(field({.max_tokens = INT64_MAX}) == "max-tokens");
  CHECK(field({.samples = 0}) == "samples");
  CHECK(field({.samples = INT64_MAX}) == "samples");
  CHECK(field({.temperature = -1}) == "temperature");
  CHECK(field({.temperature = NAN}) == "temperature");
  CHECK(field({.temperature = INFINITY}) == "temperature");
  CHECK(field({.top_k = -1}) == "top-k");
  CHECK(field({.top_p = 0}) == "top-p");
  CHECK(field({.top_p = 1.5}) == "top-p");
  CHECK(field({.top_p = NAN}) == "top-p");
  CHECK(field({.min_p = -0.1}) == "min-p");
  CHECK(field({.min_p = NAN}) == "min-p");
  CHECK(field({.repetition_penalty = 0}) == "repetition-penalty");
  CHECK(field({.repetition_penalty = NAN}) == "repetition-penalty");
  CHECK(field({.presence_penalty = NAN}) == "presence-penalty");
  CHECK(field({.frequency_penalty = INFINITY}) == "frequency-penalty");
  CHECK(field({.top_logprobs = -1}) == "top-logprobs");
  CHECK(field({.top_logprobs = 1000}) == "top-logprobs");
  const auto engine = engine_with({});
  const std::vector<GenerateRequest> many(100, {.ids = {0}, .item = 0});
  CHECK(engine->generate(many, {.max_tokens = 1, .samples = 65'536}).error().code == Code::too_large);
}

// Ids drawn at random, so that bytes of characters come in any order.
TEST_CASE("generation: text that is streamed holds whole characters and is the text of all ids") {
  const auto tokenizer = Tokenizer::load(kModel);
  REQUIRE(tokenizer.ok());
  for (std::uint32_t i = 0; i < 500; ++i) {
    Stream random(31, i);
    std::vector<int> ids(1 + random.below(40));
    for (int& id : ids) id = static_cast<int>(random.below(random.below(2) == 0 ? 300 : 1024));
    StreamDecoder stream(*tokenizer);
    std::string text;
    for (const int id : ids) {
      const std::string part = stream.add(id);
      REQUIRE(valid_utf8(part));
      text += part;
    }
    REQUIRE(text + stream.finish() == tokenizer->decode(ids, false));
  }
}

}  // namespace
}  // namespace assay
