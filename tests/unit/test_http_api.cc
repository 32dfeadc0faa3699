// What is sent to servers and what is made of their answers, in the dialects of OpenAI, vLLM, llama.cpp and our own.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/http/http_api.h"
#include "tests/catch.h"

using namespace assay;

namespace {

constexpr const char* kUrl = "http://a/v1";

Json parsed(const std::string& text) { return parse_json(text, "").value(); }

ApiTarget target(ApiLikelihood likelihood, bool extras = false) {
  ApiTarget out{.model = "m", .abilities = {.likelihood = likelihood, .takes_ids = true}};
  out.abilities.returns_ids = out.abilities.keeps_special = out.abilities.takes_stream = extras;
  return out;
}

// An echo of ids 5 6 7 with the log-probabilities -1 and -2 and the likeliest -1 and -0.5 in their places.
constexpr const char* kEcho = R"({"choices": [{"index": 0, "text": "abc", "finish_reason": "length", "logprobs": {
  "tokens": ["a", "b", "c"], "token_logprobs": [null, -1, -2], "top_logprobs": [null, {"b": -1}, {"c": -2, "d": -0.5}],
  "text_offset": [0, 1, 2]}}], "usage": {"prompt_tokens": 3, "completion_tokens": 0}})";

Result<ScoreAnswer> scored(const ApiTarget& to, const ScoreRequest& request, const std::string& body) {
  ASSAY_TRY(const ApiAnswer answer, read_answer(body, kUrl));
  return score_answer(to, request, answer, kUrl);
}

}  // namespace

TEST_CASE("http api: bodies say just what is asked") {
  const ScoreRequest request{.ids = {5, 6, 7}, .scored_from = 2};
  CHECK(parsed(score_body(target(ApiLikelihood::echo), request)) ==
        parsed(R"({"model": "m", "temperature": 0, "prompt": [5, 6, 7], "max_tokens": 0, "echo": true, "logprobs": 1})"));
  CHECK(parsed(score_body(target(ApiLikelihood::prompt_logprobs, true), request)) ==
        parsed(R"({"model": "m", "temperature": 0, "prompt": [5, 6, 7], "max_tokens": 0, "prompt_logprobs": 1, "return_token_ids": true})"));
  ScoreRequest text{.ids = {}, .text = TextToScore{"Q:", " A"}};
  CHECK(parsed(score_body(target(ApiLikelihood::next_token), text))["prompt"] == "Q:");
  CHECK(parsed(score_body(target(ApiLikelihood::echo), text))["prompt"] == "Q: A");

  const GenerateRequest prompt{.ids = {1, 2}, .item = 9};
  const GenerateOptions greedy{.max_tokens = 4, .stop_strings = {"\n"}};
  CHECK(parsed(generate_body(target(ApiLikelihood::echo), prompt, 3, greedy, 77)) ==
        parsed(R"({"model": "m", "max_tokens": 4, "temperature": 0.0, "prompt": [1, 2], "seed": 77, "stop": ["\n"]})"));
  const GenerateOptions sampled{.max_tokens = 4, .temperature = 0.5, .top_k = 7, .top_p = 0.25, .seed = 6, .stops_see_special = true};
  const Json ours = parsed(generate_body(target(ApiLikelihood::echo, true), prompt, 3, sampled, 77));
  CHECK(ours["seed"] == 6);
  CHECK(ours["assay_stream"] == Json({9, 3}));
  CHECK(ours["skip_special_tokens"] == false);
  CHECK(ours["top_k"] == 7);
  CHECK(ours["top_p"] == 0.25);
  CHECK_FALSE(ours.contains("min_p"));
}

TEST_CASE("http api: seeds differ between samples and fit a double") {
  CHECK(sample_seed(1, 2, 3) == sample_seed(1, 2, 3));
  CHECK(sample_seed(1, 2, 3) != sample_seed(1, 2, 4));
  CHECK(sample_seed(1, 2, 3) != sample_seed(1, 3, 3));
  for (std::uint64_t i = 0; i < 1000; ++i) CHECK(sample_seed(i, i, 0) < std::uint64_t{1} << 53);
}

TEST_CASE("http api: an echo is scored from where it was asked") {
  const auto one = scored(target(ApiLikelihood::echo), {.ids = {5, 6, 7}, .scored_from = 2}, kEcho);
  REQUIRE(one.ok());
  CHECK(one->logprob == -2);
  CHECK_FALSE(one->greedy);
  CHECK_FALSE(one->counts_ties);
  REQUIRE(one->tokens.size() == 1);
  CHECK(one->tokens[0].token == 7);
  CHECK(one->tokens[0].top_logprob == -0.5);
  const auto two = scored(target(ApiLikelihood::echo), {.ids = {5, 6, 7}, .scored_from = 1}, kEcho);
  REQUIRE(two.ok());
  CHECK(two->logprob == -3);
  CHECK(two->tokens[0].top_token == 6);  // it is the likeliest itself
  // Another number of tokens than was sent was another text.
  CHECK_FALSE(scored(target(ApiLikelihood::echo), {.ids = {5, 6, 7, 8}, .scored_from = 2}, kEcho).ok());
  CHECK_FALSE(scored(target(ApiLikelihood::echo), {.ids = {5, 6}, .scored_from = 1}, kEcho).ok());
  ApiTarget with_one = target(ApiLikelihood::echo);
  with_one.abilities.echo_max_tokens = 1;  // the third token is then the generated one
  const auto short_one = scored(with_one, {.ids = {5, 6}, .scored_from = 1}, kEcho);
  REQUIRE(short_one.ok());
  CHECK(short_one->logprob == -1);
}

TEST_CASE("http api: texts are cut where the context ends, and a token across that place counts") {
  const auto text = [](const char* context, const char* rest) { return ScoreRequest{.ids = {}, .text = TextToScore{context, rest}}; };
  const auto last = scored(target(ApiLikelihood::echo), text("ab", "c"), kEcho);
  REQUIRE(last.ok());
  CHECK(last->logprob == -2);
  CHECK(last->texts == std::vector<std::string>{"c"});
  CHECK(last->tokens[0].token == kUnknownToken);
  CHECK(scored(target(ApiLikelihood::echo), text("a", "bc"), kEcho)->logprob == -3);
  CHECK(scored(target(ApiLikelihood::echo), text("", "abc"), kEcho)->tokens.size() == 2);  // the first token is given, not scored
  constexpr const char* kAcross = R"({"choices": [{"text": "über", "logprobs": {"tokens": ["ü", "be", "r"], "token_logprobs": [null, -1, -4]}}]})";
  CHECK(scored(target(ApiLikelihood::echo), text("üb", "er"), kAcross)->logprob == -5);  // offsets are counted in characters where none are told
  CHECK(scored(target(ApiLikelihood::echo), text("übe", "r"), kAcross)->logprob == -4);
}

TEST_CASE("http api: vLLM's prompt_logprobs") {
  const std::string body = R"({"choices": [{"index": 0, "text": "x", "prompt_logprobs": [null, {"6": {"logprob": -1.5, "rank": 2}, "9": {"logprob": -0.5, "rank": 1}},
    {"7": {"logprob": -0.25, "rank": 1}}], "prompt_token_ids": [5, 6, 7], "token_ids": [1]}]})";
  const auto answer = scored(target(ApiLikelihood::prompt_logprobs), {.ids = {5, 6, 7}, .scored_from = 1}, body);
  REQUIRE(answer.ok());
  CHECK(answer->logprob == -1.75);
  CHECK(answer->tokens[0].top_token == 9);
  CHECK_FALSE(answer->greedy);
  CHECK(answer->tokens[1].top_token == 7);
  CHECK_FALSE(scored(target(ApiLikelihood::prompt_logprobs), {.ids = {5, 4, 7}, .scored_from = 1}, body).ok());  // other ids than were sent
}

TEST_CASE("http api: letters from the likeliest next tokens, and nothing longer") {
  const std::string body = R"({"choices": [{"text": " B", "logprobs": {"tokens": [" B"], "token_logprobs": [-0.5], "top_logprobs": [{" B": -0.5, "A": -1, " C": -3}]}}]})";
  const auto letter = [&](const char* text) {
    return scored(target(ApiLikelihood::next_token), {.ids = {}, .text = TextToScore{"Answer:", text}}, body);
  };
  CHECK(letter(" B")->logprob == -0.5);
  CHECK(letter(" B")->greedy);
  CHECK(letter(" A")->logprob == -1);  // told without its blank
  CHECK_FALSE(letter(" A")->greedy);
  CHECK(letter(" D")->logprob == kLeastApiLogprob);
  CHECK(letter(" a long answer").error().code == Code::unsupported);
  const std::string content = R"({"choices": [{"text": "B", "logprobs": {"content": [{"token": "B", "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": -2}, {"token": "B", "logprob": -0.5}]}]}}]})";
  CHECK(scored(target(ApiLikelihood::next_token), {.ids = {}, .text = TextToScore{"Answer:", " A"}}, content)->logprob == -2);
}

TEST_CASE("http api: `assay serve` tells the likeliest ids and the near-ties") {
  std::string body = kEcho;
  body.insert(body.find("\"text\""), R"("prompt_token_ids": [5, 6, 7], "token_ids": [], "assay": {"near_ties": 3, "likeliest": [[6, -1], [7, -2]]}, )");
  const auto answer = scored(target(ApiLikelihood::echo, true), {.ids = {5, 6, 7}, .scored_from = 1}, body);
  REQUIRE(answer.ok());
  CHECK(answer->greedy);  // what the texts alone cannot tell: the two "d" are one token here
  CHECK(answer->counts_ties);
  CHECK(answer->near_ties == 3);
  CHECK_FALSE(scored(target(ApiLikelihood::echo, true), {.ids = {5, 6, 8}, .scored_from = 1}, body).ok());
}

TEST_CASE("http api: generated texts with ids and without") {
  const std::string body = R"({"choices": [{"index": 0, "text": "ab", "finish_reason": "stop", "stop_reason": null, "token_ids": [3, 4, 0]}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 3}})";
  const auto answer = read_answer(body, kUrl);
  const auto ids = generate_answer(target(ApiLikelihood::echo, true), {.max_tokens = 5}, *answer, false, kUrl);
  REQUIRE(ids.ok());
  CHECK(ids->ids == std::vector<std::int32_t>{3, 4, 0});
  CHECK_FALSE(ids->text.has_value());
  CHECK_FALSE(generate_answer(target(ApiLikelihood::echo, true), {.max_tokens = 2}, *answer, false, kUrl).ok());  // more than was asked for
  const auto text = generate_answer(target(ApiLikelihood::echo), {.max_tokens = 5}, *answer, false, kUrl);
  CHECK(text->text == "ab");
  CHECK(text->text_tokens == 3);
  CHECK(text->text_ended);
  const auto stopped = read_answer(R"({"choices": [{"text": "ab", "finish_reason": "stop", "stop_reason": "\n"}]})", kUrl);
  CHECK_FALSE(generate_answer(target(ApiLikelihood::echo), {.max_tokens = 5}, *stopped, false, kUrl)->text_ended);
  const auto cut = read_answer(R"({"choices": [{"text": "ab", "finish_reason": "length"}]})", kUrl);
  CHECK(generate_answer(target(ApiLikelihood::echo), {.max_tokens = 5}, *cut, false, kUrl)->finish_reason == "length");
}

TEST_CASE("http api: choices are taken by their index, each once") {
  const auto both = read_answer(R"({"choices": [{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]})", kUrl, 2);
  REQUIRE(both.ok());
  CHECK(both->choices[0].text == "a");
  CHECK(both->choices[1].text == "b");
  for (const char* bad : {R"({"choices": [{"index": 0, "text": "a"}, {"index": 0, "text": "b"}]})", R"({"choices": [{"index": 0, "text": "a"}, {"index": 2, "text": "b"}]})",
                          R"({"choices": [{"index": -1, "text": "a"}, {"index": 1, "text": "b"}]})", R"({"choices": [{"text": "a"}]})"}) {
    INFO(bad);
    CHECK_FALSE(read_answer(bad, kUrl, 2).ok());
  }
}

TEST_CASE("http api: answers that cannot be used are refused") {
  const char* const bad[] = {
      "", "null", "[]", "{}", R"({"choices": {}})", R"({"choices": []})", R"({"choices": [null]})", R"({"choices": [{"text": 1}]})",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": []}}]})",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [0.5]}}]})",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": ["-1"]}}]})",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": [7], "token_logprobs": [-1]}}]})",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [[]]}}]})",
      R"({"choices": [{"text": "a", "prompt_logprobs": [{"x": {"logprob": -1}}]}]})",
      R"({"choices": [{"text": "a", "prompt_logprobs": [{"1": {"logprob": 1}}]}]})",
      R"({"choices": [{"text": "a", "token_ids": [-1]}]})", R"({"choices": [{"text": "a", "token_ids": [4294967296]}]})",
      R"({"choices": [{"text": "a", "assay": {"likeliest": [[1]]}}]})", R"({"choices": [{"text": "a"}])",
      R"({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1e999]}}]})"};
  for (const char* body : bad) {
    INFO(body);
    const auto answer = read_answer(body, kUrl);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().file == (std::string(body).empty() ? kUrl : answer.error().file));
  }
}

TEST_CASE("http api: lists of models, and what a refusal says") {
  const auto models = read_models(R"({"object": "list", "data": [{"id": "a", "owned_by": "vllm", "max_model_len": 4096}, {"id": "b", "meta": {"n_ctx_train": 512}}, {"id": "c"}]})", kUrl);
  REQUIRE(models.ok());
  REQUIRE(models->size() == 3);
  CHECK((*models)[0].context_tokens == 4096);
  CHECK((*models)[0].owned_by == "vllm");
  CHECK((*models)[1].context_tokens == 512);
  CHECK_FALSE((*models)[2].context_tokens.has_value());
  CHECK((*models)[0].told.empty());
  for (const char* bad : {"{}", R"({"data": 1})", R"({"data": [{}]})", R"({"data": [{"id": 3}]})"}) CHECK_FALSE(read_models(bad, kUrl).ok());
  CHECK(refusal_text(R"({"error": {"message": "no"}})") == "no");
  CHECK(refusal_text(R"({"detail": "not here"})") == "not here");
  CHECK(refusal_text(R"({"object": "error", "message": "vLLM's older form"})") == "vLLM's older form");
  CHECK(refusal_text("<html>").empty());
  CHECK(refusal_text(R"({"error": {"message": ")" + std::string(5000, 'x') + "\"}}").size() == 300);
}
