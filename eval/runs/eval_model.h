// A model ready to be asked: weights in the engine, tokenizer, chat template, and the digests that name them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "eval/runs/record.h"
#include "reference/model/engine.h"
#include "reference/text/chat_template.h"
#include "reference/text/tokenizer.h"
#include "suites/render.h"

namespace assay {

// What asking a model needs to know of it, whoever answers.
struct ModelFacts {
  std::string family, architecture;            // "" where a server does not say
  std::vector<std::int32_t> eos_ids;
  std::int64_t context_tokens = 0, vocab_size = 0;
  std::vector<std::int64_t> moe_layers;        // layers whose experts are counted (BackendStats::expert_tokens); none for a server
  std::vector<std::pair<std::string, std::string>> conventions;
};

struct EvalModel {
  std::string name, source;  // source: the MODEL argument
  std::unique_ptr<Backend> engine;
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat;  // none where the folder has no template
  ModelFacts facts;
  bool asks_texts = false;    // nobody here has the tokenizer, or the server takes no ids: requests are texts (TextToScore)
  std::string weights_path;   // of the engine; "" for a server
  std::string texts_folder;   // where tokenizer and template lie as files; "": within the weights, or on a server
  // Of a model behind a server: what it says of itself and can do, as JSON, and a digest of that where it tells none of its weights. "" else.
  std::string server_json, server_digest;
  std::string weights_digest, config_digest, tokenizer_digest, template_digest;
  std::string weights_formats;  // "Q4_1 210, F32 61": tensors of each format, most first; "" for a server
  std::int64_t params_stored = 0, params_total = 0, params_active = 0;
  int threads = 1;
  std::string recipe;

  std::int64_t context_tokens() const { return facts.context_tokens; }
  bool is_remote() const { return !server_json.empty(); }
};

// In two steps, so that what is to be asked can be refused before weights are read, and without digests of weights, which take reading them once
// more: tokenizer and template; then the engine. A server (eval/http/http_model.h) is whole after the first.
Result<EvalModel> load_texts_of(const std::string& model, const EngineOptions& options);
Status load_engine(const EngineOptions& options, EvalModel& model);

// MODEL as INTERFACE names it, with its digests; `name` overrides the name that is recorded.
Result<EvalModel> load_eval_model(const std::string& model, const EngineOptions& options, const std::string& name = "");

// The model's row, with its artifacts.
Result<std::int64_t> record_model(Recorder& recorder, const EvalModel& model);

// What tells this model's weights from others: their digest, or that of the server which hides them.
const std::string& weights_or_server(const EvalModel& model);

// Sets chat and template_digest from the template in `folder`, if there is one.
Status load_chat_template(const std::string& folder, EvalModel& model);

// Renders turns with the generation prompt; refuses where the model has no template. `options_json`: an object whose members the
// template sees too, or "".
Result<std::string> render_chat(const EvalModel& model, const std::vector<ChatTurn>& turns, const std::string& options_json);

}  // namespace assay
