// A model ready to be asked: weights in the engine, tokenizer, chat template, and the digests that name them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "eval/record.h"
#include "reference/model/engine.h"
#include "reference/text/chat_template.h"
#include "reference/text/tokenizer.h"
#include "suites/render.h"

namespace assay {

struct EvalModel {
  std::string name, source;  // source: the MODEL argument
  std::unique_ptr<Engine> engine;
  Tokenizer tokenizer;
  std::optional<ChatTemplate> chat;  // none where the folder has no template
  std::string weights_digest, config_digest, tokenizer_digest, template_digest;
  std::int64_t params_stored = 0, params_total = 0, params_active = 0;
  int threads = 1;
  std::string recipe;

  std::int64_t context_tokens() const { return engine->config().max_position_embeddings; }
};

// MODEL as INTERFACE names it; `name` overrides the name that is recorded.
Result<EvalModel> load_eval_model(const std::string& model, const EngineOptions& options, const std::string& name = "");

// The model's row, with its artifacts.
Result<std::int64_t> record_model(Recorder& recorder, const EvalModel& model);

// Renders turns with the generation prompt; refuses where the model has no template. `options_json`: an object whose members the
// template sees too, or "".
Result<std::string> render_chat(const EvalModel& model, const std::vector<ChatTurn>& turns, const std::string& options_json);

}  // namespace assay
