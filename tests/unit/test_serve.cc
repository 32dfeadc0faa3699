// The endpoints of `assay serve` against the engine itself: texts, log-probabilities, streams, batching.
#include <algorithm>
#include <thread>

#include "eval/runs/generation.h"
#include "eval/runs/requests.h"
#include "reference/text/utf8.h"
#include "tests/serve_fixture.h"

using namespace assay;
using namespace serve_test;

namespace {

const std::string kCompletions = "/v1/completions", kChats = "/v1/chat/completions";
const std::string kPrompt = "Q: Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?\nA:";

std::vector<std::int32_t> ids_of(const std::string& text) { return text_ids(bundled().tokenizer, text, BosPolicy::tokenizer).value(); }

std::string text_of(const std::vector<std::int32_t>& ids) { return bundled().tokenizer.decode({ids.begin(), ids.end()}, true); }

// What the engine itself makes of a prompt.
GenerateAnswer greedy(const std::string& prompt, std::int64_t max_tokens) {
  GenerateOptions options{.max_tokens = max_tokens, .top_logprobs = 3};
  options.stop_ids = bundled().facts.eos_ids;
  const std::vector<GenerateRequest> requests = {{.ids = ids_of(prompt)}};
  return bundled().engine->generate(requests, options).value().front();
}

}  // namespace

TEST_CASE("serve: a greedy completion is the engine's, whatever form the prompt has") {
  Endpoint endpoint;
  const GenerateAnswer own = greedy(kPrompt, 20);
  const Json prompts[] = {kPrompt, Json::array({kPrompt}), ids_of(kPrompt), Json::array({ids_of(kPrompt)})};
  for (const Json& prompt : prompts) {
    const Told told = endpoint.post(kCompletions, {{"prompt", prompt}, {"max_tokens", 20}, {"temperature", 0}});
    REQUIRE(told.status == 200);
    CHECK(told.json["object"] == "text_completion");
    REQUIRE(told.json["choices"].size() == 1);
    CHECK(told.json["choices"][0]["text"] == text_of(own.ids));
    CHECK(told.json["choices"][0]["index"] == 0);
    CHECK(told.json["choices"][0]["logprobs"].is_null());
    CHECK(told.json["choices"][0]["finish_reason"] == own.finish_reason);
    CHECK(told.json["usage"]["prompt_tokens"] == ids_of(kPrompt).size());
    CHECK(told.json["usage"]["completion_tokens"] == own.ids.size());
    CHECK(told.json["usage"]["total_tokens"] == ids_of(kPrompt).size() + own.ids.size());
  }
}

TEST_CASE("serve: echo tells the prompt's log-probabilities in OpenAI's shape, to the bit") {
  Endpoint endpoint;
  const std::string prompt = "Krënshea \U0001f600 went to the barn.";
  const std::vector<std::int32_t> ids = ids_of(prompt);
  const std::vector<ScoreRequest> requests = {{.ids = ids, .scored_from = 1, .top_logprobs = 2}};
  const ScoreAnswer own = bundled().engine->score(requests).value().front();
  for (const int max_tokens : {0, 1, 3}) {
    const Told told = endpoint.post(kCompletions, {{"prompt", prompt}, {"max_tokens", max_tokens}, {"temperature", 0}, {"echo", true}, {"logprobs", 2}});
    REQUIRE(told.status == 200);
    const Json& choice = told.json["choices"][0];
    const Json& logprobs = choice["logprobs"];
    const GenerateAnswer made = greedy(prompt, max_tokens);
    const std::size_t n = ids.size() + made.ids.size();
    CHECK(choice["text"] == prompt + text_of(made.ids));
    for (const char* name : {"tokens", "token_logprobs", "top_logprobs", "text_offset"}) CHECK(logprobs[name].size() == n);
    CHECK(logprobs["token_logprobs"][0].is_null());
    CHECK(logprobs["top_logprobs"][0].is_null());
    for (std::size_t i = 1; i < ids.size(); ++i) {
      CHECK(logprobs["token_logprobs"][i] == own.tokens[i - 1].logprob);
      double best = -1e9;
      for (const auto& [text, value] : logprobs["top_logprobs"][i].items()) best = std::max(best, value.get<double>());
      CHECK(best == own.tokens[i - 1].top_logprob);  // how the harness sees that a token is the greedy one
    }
    for (std::size_t i = 0; i < made.ids.size(); ++i) CHECK(logprobs["token_logprobs"][ids.size() + i] == made.logprobs[i]);
    // Offsets count characters and never pass the text.
    CHECK(logprobs["text_offset"][0] == 0);
    CHECK(logprobs["text_offset"][1] == 0);  // BOS has no text
    const auto offsets = logprobs["text_offset"].get<std::vector<std::int64_t>>();
    CHECK(std::ranges::is_sorted(offsets));
    if (max_tokens > 0) CHECK(offsets[ids.size()] == static_cast<std::int64_t>(count_characters(prompt)));
    if (max_tokens == 0) CHECK(choice["finish_reason"] == "length");
  }
}

TEST_CASE("serve: without echo, offsets go on from the prompt and 0 log-probabilities tell the token alone") {
  Endpoint endpoint;
  const Told told = endpoint.post(kCompletions, {{"prompt", "Max went"}, {"max_tokens", 4}, {"temperature", 0}, {"logprobs", 0}});
  REQUIRE(told.status == 200);
  const Json& logprobs = told.json["choices"][0]["logprobs"];
  REQUIRE(logprobs["tokens"].size() == 4);
  CHECK(logprobs["text_offset"][0] == 8);
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(logprobs["top_logprobs"][i].size() == 1);
    CHECK(logprobs["top_logprobs"][i][logprobs["tokens"][i].get<std::string>()] == logprobs["token_logprobs"][i]);
  }
}

TEST_CASE("serve: a chat is the template's text, continued") {
  Endpoint endpoint;
  const std::string question = "Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?";
  const Json context = {{"messages", {{{"role", "user"}, {"content", question}}}}, {"add_generation_prompt", true},
                        {"bos_token", bundled().tokenizer.bos_token()}, {"eos_token", bundled().tokenizer.eos_token()}};
  const std::string rendered = bundled().chat->render(context).value();
  const Told whole = endpoint.post(kCompletions, {{"prompt", rendered}, {"max_tokens", 60}, {"temperature", 0}});
  const Json contents[] = {question, Json::array({{{"type", "text"}, {"text", question}}})};
  for (const Json& content : contents) {
    const Told told = endpoint.post(kChats, {{"messages", {{{"role", "user"}, {"content", content}}}}, {"max_completion_tokens", 60}, {"temperature", 0},
                                             {"logprobs", true}, {"top_logprobs", 2}});
    REQUIRE(told.status == 200);
    CHECK(told.json["object"] == "chat.completion");
    const Json& choice = told.json["choices"][0];
    CHECK(choice["message"]["role"] == "assistant");
    CHECK(choice["message"]["content"] == whole.json["choices"][0]["text"]);
    CHECK(choice["finish_reason"] == whole.json["choices"][0]["finish_reason"]);
    const Json& tokens = choice["logprobs"]["content"];
    CHECK(tokens.size() == told.json["usage"]["completion_tokens"].get<std::size_t>());
    CHECK(tokens[0]["top_logprobs"].size() == 2);
    CHECK(tokens[0]["top_logprobs"][0]["logprob"] == tokens[0]["logprob"]);  // greedy: the token is the likeliest
    std::string bytes;
    for (const Json& byte : tokens[0]["bytes"]) bytes += static_cast<char>(byte.get<int>());
    CHECK(bytes == tokens[0]["token"]);
  }
}

TEST_CASE("serve: tools and other words reach the template") {
  Endpoint endpoint;
  Json body = {{"messages", {{{"role", "user"}, {"content", "How many?"}}}}, {"max_tokens", 1}, {"tools", {{{"type", "function"}}}}};
  const Told plain = endpoint.post(kChats, body);
  body["chat_template_kwargs"] = {{"enable_thinking", true}};
  const Told thinking = endpoint.post(kChats, body);
  REQUIRE(thinking.status == 200);
  CHECK(thinking.json["usage"]["prompt_tokens"] == plain.json["usage"]["prompt_tokens"].get<int>() + 1);  // <|think|>
}

TEST_CASE("serve: the parts of a stream are the whole answer") {
  Endpoint endpoint;
  const Json bodies[] = {
      {{"prompt", kPrompt}, {"max_tokens", 40}, {"temperature", 0}, {"stop", {" 12", "\n\n"}}},
      {{"prompt", {kPrompt, "Max went to the"}}, {"max_tokens", 12}, {"temperature", 0.8}, {"n", 3}, {"seed", 5}, {"logprobs", 2}},
      {{"prompt", "Max went to the"}, {"max_tokens", 12}, {"temperature", 3}, {"seed", 5}},
      {{"prompt", "Max went to the"}, {"max_tokens", 5}, {"temperature", 0}, {"echo", true}},
      {{"prompt", "Max went to the"}, {"max_tokens", 5}, {"temperature", 0}, {"echo", true}, {"logprobs", 1}},
      {{"prompt", "Max went to the"}, {"max_tokens", 1}, {"temperature", 0}, {"echo", true}, {"logprobs", 1}},
      {{"prompt", "Max went to the"}, {"max_tokens", 0}, {"echo", true}}};
  for (const Json& body : bodies) {
    INFO(dump_json(body));
    const Told whole = endpoint.post(kCompletions, body);
    REQUIRE(whole.status == 200);
    Json streamed = body;
    streamed["stream"] = true;
    streamed["stream_options"] = {{"include_usage", true}};
    const Told told = endpoint.post(kCompletions, streamed);
    REQUIRE(told.status == 200);
    const std::size_t n = whole.json["choices"].size();
    std::vector<std::string> texts(n);
    std::vector<Json> reasons(n), tokens(n, Json::array()), offsets(n, Json::array());
    const std::vector<Json> all = events(told.body);
    for (const Json& event : all) {
      CHECK(event["object"] == "text_completion");
      CHECK(event["id"] == all[0]["id"]);
      for (const Json& choice : event["choices"]) {
        const auto index = choice["index"].get<std::size_t>();
        CHECK(reasons[index].is_null());
        texts[index] += choice["text"].get<std::string>();
        if (!choice["logprobs"].is_null()) {
          for (const Json& token : choice["logprobs"]["tokens"]) tokens[index].push_back(token);
          for (const Json& offset : choice["logprobs"]["text_offset"]) offsets[index].push_back(offset);
        }
        reasons[index] = choice["finish_reason"];
      }
    }
    CHECK(all.back()["usage"] == whole.json["usage"]);
    for (std::size_t i = 0; i < n; ++i) {
      const Json& choice = whole.json["choices"][i];
      CHECK(texts[i] == choice["text"]);
      CHECK(reasons[i] == choice["finish_reason"]);
      if (choice["logprobs"].is_null()) continue;
      CHECK(tokens[i] == choice["logprobs"]["tokens"]);
      CHECK(offsets[i] == choice["logprobs"]["text_offset"]);
    }
  }
}

TEST_CASE("serve: a streamed chat begins with the role and ends with the reason") {
  Endpoint endpoint;
  const Json body = {{"messages", {{{"role", "user"}, {"content", "How many?"}}}}, {"max_tokens", 8}, {"temperature", 0}, {"stream", true}, {"n", 2}};
  Json plain = body;
  plain["stream"] = false;
  const Told whole = endpoint.post(kChats, plain);
  const std::vector<Json> all = events(endpoint.post(kChats, body).body);
  std::string texts[2];
  CHECK(all.front()["choices"][0]["delta"]["role"] == "assistant");
  for (const Json& event : all) {
    CHECK(event["object"] == "chat.completion.chunk");
    CHECK_FALSE(event.contains("usage"));
    const Json& choice = event["choices"][0];
    texts[choice["index"].get<std::size_t>()] += choice["delta"].value("content", "");
  }
  CHECK(all.back()["choices"][0]["finish_reason"] == whole.json["choices"][1]["finish_reason"]);
  for (std::size_t i = 0; i < 2; ++i) CHECK(texts[i] == whole.json["choices"][i]["message"]["content"]);
}

TEST_CASE("serve: samples are those of the engine's streams, and the best of several is the likeliest") {
  Endpoint endpoint;
  const Json body = {{"prompt", "Max went to the"}, {"max_tokens", 6}, {"temperature", 1.5}, {"seed", 11}, {"n", 4}, {"logprobs", 0}};
  const Told all = endpoint.post(kCompletions, body);
  REQUIRE(all.status == 200);
  GenerateOptions options{.max_tokens = 6, .samples = 4, .temperature = 1.5, .seed = 11, .stop_ids = {1}};
  const std::vector<GenerateRequest> requests = {{.ids = ids_of("Max went to the")}};
  const auto own = bundled().engine->generate(requests, options).value();
  double best = -1e9;
  std::string likeliest;
  for (std::size_t i = 0; i < 4; ++i) {
    const Json& choice = all.json["choices"][i];
    CHECK(choice["text"] == text_of(own[i].ids));
    double mean = 0;
    for (const Json& logprob : choice["logprobs"]["token_logprobs"]) mean += logprob.get<double>();
    mean /= static_cast<double>(choice["logprobs"]["token_logprobs"].size());
    if (mean > best) best = mean, likeliest = choice["text"];
  }
  Json one = body;
  one["n"] = 1;
  one["best_of"] = 4;
  const Told chosen = endpoint.post(kCompletions, one);
  REQUIRE(chosen.json["choices"].size() == 1);
  CHECK(chosen.json["choices"][0]["text"] == likeliest);
  CHECK(chosen.json["usage"]["completion_tokens"] == all.json["usage"]["completion_tokens"]);
}

TEST_CASE("serve: many clients at once are answered as one alone") {
  Endpoint endpoint;
  std::vector<Json> bodies;
  for (int i = 0; i < 24; ++i) {
    Json body = {{"prompt", "Item " + std::to_string(i % 5) + ": Max went to the"}, {"max_tokens", 4 + i % 3 * 10}, {"temperature", i % 2}, {"seed", i % 4}};
    if (i % 3 == 0) body["logprobs"] = 1;
    if (i % 4 == 0) body["echo"] = true;
    if (i % 5 == 0) body["stop"] = "a";
    bodies.push_back(std::move(body));
  }
  std::vector<std::string> alone, together(bodies.size());
  const auto answer_of = [&](const Json& body) {
    const HttpRequest request{.head = {}, .body = dump_json(body), .connected = {}};
    const HttpReply reply = endpoint.service().answer(request);
    const auto json = parse_json(reply.body, "");
    return json.ok() ? dump_json((*json)["choices"]) + dump_json((*json)["usage"]) : "refused";
  };
  for (const Json& body : bodies) alone.push_back(answer_of(body));
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < bodies.size(); ++i) clients.emplace_back([&, i] { together[i] = answer_of(bodies[i]); });
  for (std::thread& client : clients) client.join();
  CHECK(together == alone);
  CHECK(std::ranges::count(alone, "refused") == 0);
}

TEST_CASE("serve: penalties, stop tokens by name and the other models' names") {
  Endpoint endpoint({.name = "org/demo"});
  // A penalty below zero is a reward: the first token is taken again and again; without it, it is not.
  const Json body = {{"prompt", "Max went to the"}, {"max_tokens", 6}, {"temperature", 0}, {"logprobs", 0}};
  const auto tokens_with = [&](const char* penalty, double value) {
    Json changed = body;
    changed[penalty] = value;
    return endpoint.post(kCompletions, changed).json["choices"][0]["logprobs"]["tokens"];
  };
  const Json plain = tokens_with("presence_penalty", 0);
  CHECK(plain[0] != plain[1]);
  for (const char* penalty : {"presence_penalty", "frequency_penalty"}) CHECK(tokens_with(penalty, -100) == Json(std::vector<Json>(6, plain[0])));
  CHECK(endpoint.post(kCompletions, {{"prompt", "Max went to the"}, {"max_tokens", 40}, {"temperature", 0}, {"stop", "<|eos|>"}}).status == 200);
  const std::string path = ASSAY_TREE "/suites/data/demo/model";
  for (const char* name : {"org/demo", path.c_str()}) {
    CHECK(endpoint.post(kCompletions, {{"model", name}, {"prompt", "a"}, {"max_tokens", 1}}).status == 200);
    CHECK(endpoint.get("/v1/models/" + std::string(name)).json["id"] == "org/demo");
  }
  CHECK(endpoint.post(kCompletions, {{"model", "gpt-4"}, {"prompt", "a"}}).status == 404);
  CHECK(endpoint.get("/v1/models").json["data"][0]["max_model_len"] == 1024);
  CHECK(endpoint.get("/v1/models/gpt-4").json["error"]["code"] == "model_not_found");
  CHECK(endpoint.get("/health").json["status"] == "ok");
}

TEST_CASE("serve: a key is asked for everywhere but at /health") {
  Endpoint endpoint({.api_key = "secret"});
  const std::string body = R"({"prompt": "a", "max_tokens": 1})";
  CHECK(endpoint.get("/health").status == 200);
  CHECK(endpoint.get("/v1/models").status == 401);
  for (const char* key : {"", "secret", "Bearer ", "Bearer secre", "Bearer secret2", "Bearer Secret", "bearer secret"}) {
    INFO(key);
    const Told told = endpoint.post(kCompletions, body, key);
    CHECK(told.status == 401);
    CHECK(told.json["error"]["code"] == "invalid_api_key");
  }
  CHECK(endpoint.post(kCompletions, body, "Bearer secret").status == 200);
}
