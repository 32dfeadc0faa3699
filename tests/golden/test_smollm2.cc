// A real trained model: SmolLM2-135M-Instruct as GGUF Q4_1 (tests/oracle/fetch_smollm2.sh) against what transformers computes in
// float64 from the same blocks (../shared/models/smollm2-oracle): ids, rendered chats, logits, greedy answers.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "base/parallel.h"
#include "reference/model/engine.h"
#include "reference/text/chat_template.h"
#include "reference/text/tokenizer.h"
#include "tests/catch.h"
#include "tests/smollm2_file.h"

using namespace assay;

namespace {

const std::string kOracle = ASSAY_SHARED "/models/smollm2-oracle";
constexpr double kSmolBar = 1e-5;  // of the largest logit

std::optional<std::string> weights() { return smollm2::weights(kOracle); }

Json oracle() {
  auto json = read_json_file(kOracle + "/oracle.json");
  REQUIRE(json.ok());
  return std::move(*json);
}

Tokenizer tokenizer_of(const std::string& path) {
  auto tokenizer = Tokenizer::load(path);
  if (!tokenizer.ok()) FAIL(tokenizer.error().text());
  return std::move(*tokenizer);
}

template <class T>
std::vector<T> stored_weight(const Checkpoint& file, const std::string& name) {
  const TensorView* view = file.find(name);
  REQUIRE(view);
  std::vector<T> out(view->bytes.size() / sizeof(T));
  std::memcpy(out.data(), view->bytes.data(), view->bytes.size());
  return out;
}

TEST_CASE("smollm2: the ids of 40 strings") {
  const auto path = weights();
  if (!path) return;
  const Tokenizer tokenizer = tokenizer_of(*path);
  const Json json = oracle();
  REQUIRE(json.at("tokenizer_cases").size() == 40);
  for (const Json& one : json.at("tokenizer_cases")) {
    INFO(one.at("text").get<std::string>());
    const auto ids = tokenizer.encode(one.at("text").get<std::string>(), true);
    CHECK(ids == one.at("ids").get<std::vector<int>>());
    CHECK(tokenizer.decode(ids, false) == one.at("text").get<std::string>());
  }
}

TEST_CASE("smollm2: six chats rendered") {
  const auto path = weights();
  if (!path) return;
  const auto chat = ChatTemplate::load(*path);
  REQUIRE(chat.ok());
  const Tokenizer tokenizer = tokenizer_of(*path);
  const Json json = oracle();
  REQUIRE(json.at("chats").size() == 6);
  for (const Json& one : json.at("chats")) {
    const Json context = {{"messages", one.at("messages")},
                          {"add_generation_prompt", true},
                          {"bos_token", tokenizer.bos_token()},
                          {"eos_token", tokenizer.eos_token()}};
    const auto text = chat->render(context);
    REQUIRE(text.ok());
    CHECK(*text == one.at("rendered").get<std::string>());
    CHECK(tokenizer.encode(*text, false) == one.at("ids").get<std::vector<int>>());
  }
}

struct SmolWorst {
  double difference = 0, largest = 0;
  void add(double got, double expected) {
    const double d = std::abs(got - expected);
    difference = d <= difference ? difference : d;  // a NaN stays and fails
    largest = std::max(largest, std::abs(expected));
  }
};

// Logits (n_tokens, vocab) of one prompt: the best 64 and the sum of every position, all of the last.
void compare_prompt(const std::vector<float>& got, const Checkpoint& file, const std::string& p,
                    SmolWorst& worst) {
  const auto top = stored_weight<std::int64_t>(file, p + ".top_ids");
  const auto values = stored_weight<double>(file, p + ".top_logits"),
             last = stored_weight<double>(file, p + ".last_logits"), sums = stored_weight<double>(file, p + ".logsumexp");
  const std::size_t vocab = last.size(), n = sums.size(), kept = top.size() / n;
  REQUIRE(got.size() == n * vocab);
  for (std::size_t t = 0; t < n; ++t) {
    const float* row = got.data() + t * vocab;
    for (std::size_t i = t * kept; i < (t + 1) * kept; ++i) worst.add(row[top[i]], values[i]);
    double sum = 0;
    for (std::size_t i = 0; i < vocab; ++i) sum += std::exp(row[i] - sums[t]);
    worst.add(std::log(sum), 0);
    CHECK(row[top[t * kept]] == *std::max_element(row, row + vocab));
  }
  for (std::size_t i = 0; i < vocab; ++i) worst.add(got[(n - 1) * vocab + i], last[i]);
}

std::vector<std::int32_t> ids_of(const Json& list) { return list.get<std::vector<std::int32_t>>(); }

// Greedy tokens are the oracle's as far as its own margins decide them: an f32 program may take the other side of a tie.
void check_greedy(const Json& chat, const std::vector<std::int32_t>& got) {
  const auto expected = ids_of(chat.at("greedy_ids"));
  const auto margins = chat.at("margins").get<std::vector<double>>();
  REQUIRE(margins.size() >= expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("token " << i << " with a margin of " << margins[i]);
    if (margins[i] < 1e-4 && (i >= got.size() || got[i] != expected[i])) return;
    REQUIRE(i < got.size());
    REQUIRE(got[i] == expected[i]);
  }
  CHECK(got.size() == expected.size());
}

TEST_CASE("smollm2: logits within 1e-5 of the largest, greedy answers identical") {
  const auto path = weights();
  if (!path) return;
  auto engine = Engine::load(*path, {.threads = hardware_threads()});
  if (!engine.ok()) FAIL(engine.error().text());
  const Json json = oracle();
  const auto file = Checkpoint::open(kOracle + "/logits.safetensors");
  REQUIRE(file.ok());
  std::vector<std::vector<std::int32_t>> prompts;
  for (const Json& prompt : json.at("prompts")) prompts.push_back(ids_of(prompt.at("ids")));
  const auto logits = (*engine)->logits(prompts);
  REQUIRE(logits.ok());
  SmolWorst worst;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    compare_prompt((*logits)[i], *file, "prompt" + std::to_string(i), worst);
  std::printf("smollm2: logits differ by %.3g of the largest, %.4g\n", worst.difference / worst.largest,
              worst.largest);
  CHECK(worst.difference <= kSmolBar * worst.largest);
  CHECK(worst.difference > 0);

  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < json.at("chats").size(); ++i)
    requests.push_back({.ids = ids_of(json.at("chats")[i].at("ids")), .item = i});
  GenerateOptions options;
  options.max_tokens = 64;
  options.stop_ids = {json.at("eos_token_id").get<std::int32_t>()};
  const auto answers = (*engine)->generate(requests, options);
  REQUIRE(answers.ok());
  REQUIRE(answers->size() == 6);
  for (std::size_t i = 0; i < answers->size(); ++i) {
    INFO("chat " << i);
    check_greedy(json.at("chats")[i], (*answers)[i].ids);
  }
}

}  // namespace
