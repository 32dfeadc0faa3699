#include "eval/eval_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/sha256.h"
#include "reference/model/gguf_config.h"
#include "reference/model/tensors.h"
#include "reference/weights/locate.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Status load_template(const std::string& folder, EvalModel& model) {
  ASSAY_TRY(const std::vector<std::string> names, ChatTemplate::names(folder));
  if (std::find(names.begin(), names.end(), "default") == names.end()) return {};
  ASSAY_TRY(model.chat, ChatTemplate::load(folder));
  model.template_digest = sha256_hex(model.chat->text());
  return {};
}

std::string conventions_json(const EvalModel& model) {
  Json json = Json::object();
  for (const auto& [name, value] : model.engine->conventions()) json[name] = value;
  return dump_json(json);
}

std::optional<std::string> known(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

}  // namespace

Result<EvalModel> load_eval_model(const std::string& model, const EngineOptions& options, const std::string& name) {
  ASSAY_TRY(const ModelLocation location, locate_model(model));
  ASSAY_TRY(Tokenizer tokenizer, Tokenizer::load(location.folder));
  EvalModel loaded{.name = name.empty() ? location.name : name, .engine = nullptr, .tokenizer = std::move(tokenizer)};
  ASSAY_OK(load_template(location.folder, loaded));
  ASSAY_TRY(loaded.engine, Engine::load(location.path, options));
  loaded.weights_digest = loaded.engine->checkpoint().weights_digest();
  ASSAY_TRY(const std::string config, config_text(location.folder));
  loaded.config_digest = sha256_hex(config);
  loaded.tokenizer_digest = loaded.tokenizer.digest();
  const ModelCounts counts = count_model(loaded.engine->config());
  loaded.params_total = counts.params_total;
  loaded.params_active = counts.params_active;
  loaded.source = model;
  loaded.threads = options.threads;
  loaded.recipe = name_of(loaded.engine->config().quant.recipe);
  return loaded;
}

Result<std::int64_t> record_model(Recorder& recorder, const EvalModel& model) {
  ModelRecord record{.name = model.name};
  record.family = model.engine->config().model_type;
  record.architecture = model.engine->config().architecture;
  record.params_total = model.params_total;
  record.params_active = model.params_active;
  record.context_length_tokens = model.context_tokens();
  record.conventions_json = conventions_json(model);
  ASSAY_TRY(record.weights_artifact_id, recorder.artifact("weights", model.name, model.weights_digest, std::nullopt));
  ASSAY_TRY(record.config_artifact_id, recorder.artifact("config", model.name, model.config_digest, std::nullopt));
  ASSAY_TRY(record.tokenizer_artifact_id, recorder.artifact("tokenizer", model.name, model.tokenizer_digest, std::nullopt));
  if (known(model.template_digest)) {
    ASSAY_TRY(record.template_artifact_id, recorder.artifact("template", model.name, model.template_digest, std::nullopt));
  }
  record.identity = Sha256().add_field(model.name).add_field(model.weights_digest).add_field(model.config_digest)
                        .add_field(model.tokenizer_digest).add_field(model.template_digest).hex();
  return recorder.model(record);
}

Result<std::string> render_chat(const EvalModel& model, const std::vector<ChatTurn>& turns, const std::string& options_json) {
  if (!model.chat) {
    return Error{.code = Code::not_found, .message = "the protocol asks for a chat template and the model has none", .field = "chat_template", .got = model.name};
  }
  ASSAY_CHECK(!turns.empty());
  Json context = Json::object();
  if (!options_json.empty()) {
    ASSAY_TRY(context, parse_json(options_json, "chat_options"));
  }
  context["messages"] = Json::array();
  for (const ChatTurn& turn : turns) context["messages"].push_back({{"role", turn.role}, {"content", turn.content}});
  context["add_generation_prompt"] = true;
  context["bos_token"] = model.tokenizer.bos_token();
  context["eos_token"] = model.tokenizer.eos_token();
  return model.chat->render(context, {});
}

}  // namespace assay
