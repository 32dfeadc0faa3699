#include "eval/runs/eval_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/sha256.h"
#include "eval/http/http_model.h"
#include "reference/model/cuda_engine.h"
#include "reference/model/gguf_config.h"
#include "reference/model/recipes.h"
#include "reference/model/tensors.h"
#include "reference/weights/locate.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string conventions_json(const EvalModel& model) {
  Json json = Json::object();
  for (const auto& [name, value] : model.facts.conventions) json[name] = value;
  return dump_json(json);
}

// The last part: org/name is stored as the model's name, an artifact is called like a file.
std::string artifact_name(const std::string& model) { return model.substr(model.rfind('/') + 1); }

std::optional<std::string> known(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

// How the stored numbers are written: tensors of each format.
std::string formats_of(const Checkpoint& checkpoint) {
  std::map<std::string, int> tensors;
  for (const TensorView& tensor : checkpoint.tensors()) ++tensors[std::string(name_of(tensor.format))];
  std::vector<std::pair<std::string, int>> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (const auto& [name, count] : order) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, count);
  return out;
}

ModelFacts facts_of(const ModelConfig& config, std::vector<std::pair<std::string, std::string>> conventions) {
  ModelFacts facts{.family = config.model_type, .architecture = config.architecture};
  for (const std::int64_t id : config.eos_token_ids) facts.eos_ids.push_back(static_cast<std::int32_t>(id));
  facts.context_tokens = config.max_position_embeddings;
  facts.vocab_size = config.vocab_size;
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (config.layers[i].is_moe) facts.moe_layers.push_back(static_cast<std::int64_t>(i));
  }
  facts.conventions = std::move(conventions);
  return facts;
}

}  // namespace

const std::string& weights_or_server(const EvalModel& model) { return model.weights_digest.empty() ? model.server_digest : model.weights_digest; }

Status load_chat_template(const std::string& folder, EvalModel& model) {
  ASSAY_TRY(const std::vector<std::string> names, ChatTemplate::names(folder));
  if (std::find(names.begin(), names.end(), "default") == names.end()) return {};
  ASSAY_TRY(model.chat, ChatTemplate::load(folder));
  model.template_digest = sha256_hex(model.chat->text());
  return {};
}

Result<EvalModel> load_texts_of(const std::string& model, const EngineOptions& options) {
  if (is_http_model(model)) return load_http_model(model, options, "");
  ASSAY_TRY(const ModelLocation location, locate_model(model));
  ASSAY_TRY(Tokenizer tokenizer, Tokenizer::load(location.folder));
  EvalModel loaded{.name = location.name, .source = model, .engine = nullptr, .tokenizer = std::move(tokenizer)};
  ASSAY_OK(load_chat_template(location.folder, loaded));
  loaded.weights_path = location.path;
  std::error_code ignored;
  if (fs::is_directory(location.folder, ignored)) loaded.texts_folder = location.folder;
  return loaded;
}

Status load_engine(const EngineOptions& options, EvalModel& model) {
  if (model.is_remote()) return {};
  model.threads = options.threads;
  if (options.device != "cpu") {
    ASSAY_TRY(auto engine, CudaEngine::load(model.weights_path, options, {.device = options.device, .arithmetic = options.gpu_arithmetic}));
    model.facts = facts_of(engine->config(), engine->conventions());
    model.engine = std::move(engine);
    return {};
  }
  ASSAY_TRY(auto engine, Engine::load(model.weights_path, options));
  model.facts = facts_of(engine->config(), engine->conventions());
  model.engine = std::move(engine);
  return {};
}

namespace {

// Configuration and files of a model that is computed here.
std::pair<const ModelConfig*, const Checkpoint*> files_of(const Backend& backend) {
  if (const auto* const gpu = dynamic_cast<const CudaEngine*>(&backend)) return {&gpu->config(), &gpu->checkpoint()};
  const auto& engine = dynamic_cast<const Engine&>(backend);
  return {&engine.config(), &engine.checkpoint()};
}

}  // namespace

Result<EvalModel> load_eval_model(const std::string& model, const EngineOptions& options, const std::string& name) {
  if (is_http_model(model)) return load_http_model(model, options, name);
  ASSAY_TRY(EvalModel loaded, load_texts_of(model, options));
  ASSAY_OK(load_engine(options, loaded));
  const auto [config_here, checkpoint] = files_of(*loaded.engine);
  if (!name.empty()) loaded.name = name;
  loaded.weights_formats = formats_of(*checkpoint);
  loaded.weights_digest = checkpoint->weights_digest();
  ASSAY_TRY(const ModelLocation location, locate_model(model));
  ASSAY_TRY(const std::string config, config_text(location.folder));
  loaded.config_digest = sha256_hex(config);
  loaded.tokenizer_digest = loaded.tokenizer.digest();
  const ModelCounts counts = count_model(*config_here);
  loaded.params_total = counts.params_total;
  loaded.params_active = counts.params_active;
  loaded.recipe = recipe_of(*config_here);
  return loaded;
}

Result<std::int64_t> record_model(Recorder& recorder, const EvalModel& model) {
  ModelRecord record{.name = model.name};
  record.family = known(model.facts.family);
  record.architecture = known(model.facts.architecture);
  if (model.params_total > 0) record.params_total = model.params_total;
  if (model.params_active > 0) record.params_active = model.params_active;
  record.context_length_tokens = model.context_tokens();
  record.conventions_json = conventions_json(model);
  record.weights_formats = known(model.weights_formats);
  const auto artifact = [&](const char* kind, const std::string& digest, std::optional<std::int64_t>& row) -> Status {
    if (digest.empty()) return {};
    ASSAY_TRY(row, recorder.artifact(kind, artifact_name(model.name), digest, std::nullopt));
    return {};
  };
  ASSAY_OK(artifact("weights", model.weights_digest, record.weights_artifact_id));
  ASSAY_OK(artifact("config", model.config_digest, record.config_artifact_id));
  ASSAY_OK(artifact("tokenizer", model.tokenizer_digest, record.tokenizer_artifact_id));
  ASSAY_OK(artifact("template", model.template_digest, record.template_artifact_id));
  record.identity = Sha256().add_field(model.name).add_field(weights_or_server(model)).add_field(model.config_digest)
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
