// Bodies that `assay serve` must refuse, each with its status, parameter and code; and those that it must not.
#include "eval/serve/serve_call.h"
#include "tests/serve_fixture.h"

using namespace assay;
using namespace serve_test;

namespace {

struct Refusal {
  const char* body;
  int status;
  const char* param;  // "": null
  const char* code;
};

void check(Endpoint& endpoint, const std::string& path, const Refusal& refusal) {
  INFO(path << " " << std::string(refusal.body).substr(0, 200));
  const Told told = endpoint.post(path, std::string(refusal.body));
  CHECK(told.status == refusal.status);
  REQUIRE(told.json.contains("error"));
  const Json& error = told.json["error"];
  CHECK((error["param"].is_null() ? "" : error["param"].get<std::string>()) == refusal.param);
  CHECK(error["code"] == refusal.code);
  CHECK_FALSE(error["message"].get<std::string>().empty());
  CHECK(error["type"] == (refusal.status == 404 ? "not_found_error" : "invalid_request_error"));
}

}  // namespace

TEST_CASE("serve: completions that are refused") {
  Endpoint endpoint;
  const Refusal refusals[] = {
      {"", 400, "", "invalid_json"},
      {"{", 400, "", "invalid_json"},
      {"[]", 400, "", "invalid_json"},
      {"null", 400, "", "invalid_json"},
      {"\"prompt\"", 400, "", "invalid_json"},
      {R"({"prompt": "a"} {})", 400, "", "invalid_json"},
      {R"({"prompt": "a", "prompt": "b"})", 400, "", "invalid_json"},
      {"{\"prompt\": \"\xff\"}", 400, "", "invalid_json"},
      {R"({"prompt": "a", "temperature": NaN})", 400, "", "invalid_json"},
      {R"({"prompt": "a", "temperature": 1e999})", 400, "", "invalid_json"},
      {R"({"prompt": "a", "temperature": Infinity})", 400, "", "invalid_json"},
      {R"({"prompt": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]})", 400, "", "invalid_json"},
      {"{}", 400, "prompt", "missing_required_parameter"},
      {R"({"prompt": null})", 400, "prompt", "missing_required_parameter"},
      {R"({"prompt": 3})", 400, "prompt", "invalid_value"},
      {R"({"prompt": {}})", 400, "prompt", "invalid_value"},
      {R"({"prompt": []})", 400, "prompt", "invalid_value"},
      {R"({"prompt": ["a", 3]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [3, "a"]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [3.5]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [true]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [-1]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [99999]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [[1], [99999999999]]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": [18446744073709551615]})", 400, "prompt", "invalid_value"},
      {R"({"prompt": "a", "temperature": "NaN"})", 400, "temperature", "invalid_value"},
      {R"({"prompt": "a", "temperature": -0.1})", 400, "temperature", "invalid_value"},
      {R"({"prompt": "a", "temperature": 1e300})", 400, "temperature", "invalid_value"},
      {R"({"prompt": "a", "temperature": true})", 400, "temperature", "invalid_value"},
      {R"({"prompt": "a", "top_p": 1.5})", 400, "top_p", "invalid_value"},
      {R"({"prompt": "a", "min_p": -1})", 400, "min_p", "invalid_value"},
      {R"({"prompt": "a", "top_k": 0.5})", 400, "top_k", "invalid_value"},
      {R"({"prompt": "a", "n": 0})", 400, "n", "invalid_value"},
      {R"({"prompt": "a", "n": 129})", 400, "n", "invalid_value"},
      {R"({"prompt": "a", "n": 1.5})", 400, "n", "invalid_value"},
      {R"({"prompt": "a", "n": 3, "best_of": 2})", 400, "best_of", "invalid_value"},
      {R"({"prompt": "a", "best_of": 2, "stream": true})", 400, "best_of", "invalid_value"},
      {R"({"prompt": ["a","a","a","a","a","a","a","a","a"], "n": 128})", 400, "n", "invalid_value"},
      {R"({"prompt": "a", "max_tokens": -1})", 400, "max_tokens", "invalid_value"},
      {R"({"prompt": "a", "max_tokens": 9223372036854775807})", 400, "max_tokens", "invalid_value"},
      {R"({"prompt": "a", "max_tokens": 1023})", 400, "prompt", "context_length_exceeded"},
      {R"({"prompt": "a", "logprobs": 21})", 400, "logprobs", "invalid_value"},
      {R"({"prompt": "a", "logprobs": true})", 400, "logprobs", "invalid_value"},
      {R"({"prompt": "a", "echo": 1})", 400, "echo", "invalid_value"},
      {R"({"prompt": "a", "stop": ""})", 400, "stop", "invalid_value"},
      {R"({"prompt": "a", "stop": ["a", null]})", 400, "stop", "invalid_value"},
      {R"({"prompt": "a", "stop": [["a"]]})", 400, "stop", "invalid_value"},
      {R"({"prompt": "a", "seed": 1.5})", 400, "seed", "invalid_value"},
      {R"({"prompt": "a", "seed": 18446744073709551615})", 400, "seed", "invalid_value"},
      {R"({"prompt": "a", "stream": "yes"})", 400, "stream", "invalid_value"},
      {R"({"prompt": "a", "stream_options": {"include_usage": true}})", 400, "stream_options", "invalid_value"},
      {R"({"prompt": "a", "stream": true, "stream_options": {"x": 1}})", 400, "stream_options", "invalid_value"},
      {R"({"prompt": "a", "presence_penalty": 1000})", 400, "presence_penalty", "invalid_value"},
      {R"({"prompt": "a", "frequency_penalty": "0"})", 400, "frequency_penalty", "invalid_value"},
      {R"({"prompt": "a", "repetition_penalty": 0})", 400, "repetition_penalty", "invalid_value"},
      {R"({"prompt": "a", "suffix": "b"})", 400, "suffix", "unsupported_parameter"},
      {R"({"prompt": "a", "logit_bias": {"5": 1}})", 400, "logit_bias", "unsupported_parameter"},
      {R"({"prompt": "a", "messages": []})", 400, "messages", "unsupported_parameter"},
      {R"({"prompt": "a", "guided_regex": "x"})", 400, "guided_regex", "unsupported_parameter"},
      {R"({"prompt": "a", "": 1})", 400, "", "unsupported_parameter"},
      {R"({"prompt": "a", "model": "other"})", 404, "model", "model_not_found"},
      {R"({"prompt": "a", "model": 3})", 400, "model", "invalid_value"},
  };
  for (const Refusal& refusal : refusals) check(endpoint, "/v1/completions", refusal);
}

TEST_CASE("serve: chats that are refused") {
  Endpoint endpoint;
  const Refusal refusals[] = {
      {"{}", 400, "messages", "missing_required_parameter"},
      {R"({"messages": []})", 400, "messages", "invalid_value"},
      {R"({"messages": "hello"})", 400, "messages", "invalid_value"},
      {R"({"messages": [3]})", 400, "messages[0]", "invalid_value"},
      {R"({"messages": [{"content": "a"}]})", 400, "messages[0]", "invalid_value"},
      {R"({"messages": [{"role": 3, "content": "a"}]})", 400, "messages[0]", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": 3}]})", 400, "messages[0]", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]})", 400, "messages[1]",
       "invalid_value"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})", 400, "messages[0]", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}], "top_logprobs": 2})", 400, "top_logprobs", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}], "logprobs": 2})", 400, "logprobs", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}], "echo": true})", 400, "echo", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "best_of": 2})", 400, "best_of", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "tools": {}})", 400, "tools", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}], "tools": [1]})", 400, "tools", "invalid_value"},
      {R"({"messages": [{"role": "user", "content": "a"}], "tool_choice": "required"})", 400, "tool_choice", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}})", 400, "response_format", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "reasoning_effort": "high"})", 400, "reasoning_effort", "unsupported_parameter"},
      {R"({"messages": [{"role": "user", "content": "a"}], "max_completion_tokens": 5000})", 400, "messages", "context_length_exceeded"},
      {R"({"messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": []})", 400, "chat_template_kwargs", "invalid_value"},
      {R"({"messages": [{"role": "nobody", "content": null}, {"role": "user", "content": {}}]})", 400, "messages[1]", "invalid_value"},
      {R"({"messages": [{"role": "nobody", "content": "a"}]})", 422, "messages", "template_error"},
      {R"({"messages": [{"role": "user"}]})", 422, "messages", "template_error"},  // no text to join
  };
  for (const Refusal& refusal : refusals) check(endpoint, "/v1/chat/completions", refusal);
}

TEST_CASE("serve: what changes nothing is accepted") {
  Endpoint endpoint;
  const char* accepted[] = {
      R"("user": "me", "metadata": {"a": 1}, "store": true, "service_tier": "auto", "parallel_tool_calls": false)",
      R"("suffix": null, "logit_bias": {}, "stop": [], "stream_options": null, "best_of": 1, "logprobs": null, "echo": false)",
      R"("temperature": 0.0, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "n": null, "seed": -3, "top_k": -1, "min_p": 0)",
      R"("top_p": 0, "repetition_penalty": 1.0, "stop": "\n", "stream": false)"};
  for (const char* members : accepted) {
    INFO(members);
    CHECK(endpoint.post("/v1/completions", std::string(R"({"prompt": "a", "max_tokens": 1, )") + members + "}").status == 200);
  }
  const char* chats[] = {R"("tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "modalities": ["text"], "functions": [])",
                         R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none", "verbosity": null)"};
  for (const char* members : chats) {
    INFO(members);
    const std::string body = std::string(R"({"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, )") + members + "}";
    CHECK(endpoint.post("/v1/chat/completions", body).status == 200);
  }
}

TEST_CASE("serve: paths, methods and content types") {
  Endpoint endpoint;
  CHECK(endpoint.get("/").status == 404);
  CHECK(endpoint.get("/v1").status == 404);
  CHECK(endpoint.get("/v1/completions/").status == 404);
  CHECK(endpoint.get("/v1/embeddings", "POST").status == 404);
  CHECK(endpoint.get("/../etc/passwd").status == 404);
  CHECK(endpoint.get("/v1/completions").status == 405);
  CHECK(endpoint.get("/v1/models", "DELETE").status == 405);
  CHECK(endpoint.get("/health", "POST").status == 405);
  const std::pair<const char*, bool> types[] = {{"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"", false}, {"text/plain", false},
                                                {"application/x-www-form-urlencoded", false}, {"application/jsonx", false}, {"multipart/form-data; boundary=x", false}};
  for (const auto& [type, fine] : types) {
    INFO(type);
    const auto reply = endpoint.service().answer_head({.method = "POST", .path = "/v1/completions", .authorization = {}, .content_type = type});
    CHECK(reply.has_value() == !fine);
    if (reply) CHECK(reply->status == 415);
  }
}

TEST_CASE("serve: limits on prompts and log-probabilities hold before anything is computed") {
  Endpoint endpoint;
  std::string many = R"({"max_tokens": 1, "prompt": ["a")";
  for (std::size_t i = 0; i < kMaxPrompts; ++i) many += R"(,"a")";
  CHECK(endpoint.post("/v1/completions", many + "]}").status == 400);
  Json stops = Json::array();
  for (std::size_t i = 0; i <= kMaxStops; ++i) stops.push_back("a");
  CHECK(endpoint.post("/v1/completions", {{"prompt", "a"}, {"stop", stops}}).json["error"]["param"] == "stop");
  CHECK(endpoint.post("/v1/completions", {{"prompt", "a"}, {"stop", std::string(kMaxStopBytes + 1, 'a')}}).status == 400);
  const Json prompts = std::vector<std::string>(300, "a");
  CHECK(endpoint.post("/v1/completions", {{"prompt", prompts}, {"max_tokens", 1000}, {"logprobs", 20}}).json["error"]["code"] == "invalid_value");
  CHECK(read_chat(R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]})").value().context->at("messages")[0]["content"] == "a\nb");
}
