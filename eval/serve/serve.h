// `assay serve`: a model behind OpenAI's API, so that what speaks to such servers (the openai client, lm-evaluation-harness) can be pointed at it.
// /v1/completions, /v1/chat/completions (eval/serve/serve_call.h says which parameters), /v1/models, /v1/models/ID, /health. Answers are those of the
// other commands, whoever else is served at the time; a request without `seed` takes the server's, so that it can be repeated.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "eval/runs/eval_model.h"
#include "eval/serve/serve_http.h"

namespace assay {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 8000;                  // 0: any free one
  std::string api_key;              // "": no key is asked for
  std::string name;                 // what the API calls the model; "": its own
  std::uint64_t seed = 1;
  std::int64_t max_tokens = 0;      // most tokens of one choice; 0: the model's context
  std::size_t max_waiting = 256;    // requests that wait for the engine; further ones are answered 429
  HttpLimits http;
};

// The endpoints without the network, for serve_model and for tests.
std::unique_ptr<HttpService> serve_endpoints(const EvalModel& model, const ServeOptions& options);

// Serves until a stop is requested (SIGINT, SIGTERM). `ready` is called with the address ("http://127.0.0.1:8000/v1") once it listens.
Status serve_model(const EvalModel& model, const ServeOptions& options, const std::function<void(const std::string& address)>& ready);

}  // namespace assay
