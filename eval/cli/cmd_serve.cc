// serve: a model behind OpenAI's API.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/cli/command.h"
#include "eval/cli/engine_options.h"
#include "eval/serve/serve.h"

namespace assay::cli {
namespace {

struct ServeArguments {
  std::string model;
  ServeOptions serve;
};

Result<int> run(const Globals& globals, ServeArguments arguments) {
  ASSAY_TRY(const EngineOptions engine, engine_options(globals));
  ASSAY_TRY(const EvalModel model, load_eval_model(arguments.model, engine));
  ServeOptions& options = arguments.serve;
  options.seed = globals.seed;
  if (!is_loopback(options.host)) {
    fmt::print(stderr, "warning: {} can be reached from other machines{}; there is no encryption\n", options.host,
               options.api_key.empty() ? ", and no --api-key is asked for" : "");
  }
  ASSAY_OK(serve_model(model, options, [&](const std::string& address) {
    if (globals.json) fmt::print("{}\n", dump_json({{"listening", address}}));
    else fmt::print("listening on {}\n", address);
    std::fflush(stdout);
  }));
  return kFine;
}

}  // namespace

void add_serve(Cli& cli) {
  CLI::App& app = cli.command("serve", "answer OpenAI-compatible requests until SIGINT or SIGTERM",
                              "  assay serve suites/data/demo/model --port 8000\n"
                              "  curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \\\n"
                              "    -d '{\"prompt\": \"Max went to the\", \"max_tokens\": 8, \"temperature\": 0}'\n"
                              "  lm_eval --model local-completions --tasks TASK --model_args model=MODEL,\\\n"
                              "    base_url=http://127.0.0.1:8000/v1/completions,tokenizer_backend=huggingface,add_bos_token=True,max_length=1024");
  const auto arguments = std::make_shared<ServeArguments>();
  ServeOptions& serve = arguments->serve;
  app.add_option("MODEL", arguments->model, "folder, .safetensors file, or org/name in the local Hugging Face cache")->required();
  app.add_option("--host", serve.host, "address to listen on; others than this machine's own are warned about")->capture_default_str();
  app.add_option("--port", serve.port, "port, 0: any free one, printed when ready")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_option("--api-key", serve.api_key, "ask for this key (Authorization: Bearer KEY)")->envname("ASSAY_API_KEY");
  app.add_option("--name", serve.name, "what the API calls the model; its own name if absent");
  app.add_option("--max-tokens", serve.max_tokens, "most tokens of one choice, 0: the model's context")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--max-waiting", serve.max_waiting, "requests that wait for the engine; further ones are answered 429")
      ->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--max-connections", serve.http.max_connections, "connections at once; further ones are answered 503")
      ->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--max-body", serve.http.max_body_bytes, "most bytes of a request's body")->check(CLI::Range(1 << 10, 1 << 30))->capture_default_str();
  app.add_option("--request-timeout", serve.http.request_timeout_s, "seconds in which a request must have arrived whole")
      ->check(CLI::Range(1, 3600))->capture_default_str();
  cli.on_run(app, [&cli, arguments] { return run(cli.globals(), *arguments); });
}

}  // namespace assay::cli
