#include "eval/serve/told_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

constexpr std::size_t kMaxTold = 4096;  // conventions, stop ids: lists of a few

Error unusable(std::string_view url, std::string_view field) {
  return Error{.code = Code::bad_value, .message = "the server tells something of its model that cannot be used", .file = std::string(url),
               .field = std::string(field)};
}

bool is_digest_or_empty(const std::string& text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.empty() || (text.size() == 64 && std::ranges::all_of(text, hex));
}

Status read_digests(const Json& told, std::string_view url, EvalModel& model) {
  const std::pair<const char*, std::string*> digests[] = {{"weights", &model.weights_digest}, {"config", &model.config_digest},
                                                          {"tokenizer", &model.tokenizer_digest}, {"template", &model.template_digest}};
  for (const auto& [name, digest] : digests) {
    ASSAY_TRY(*digest, json_string(told, name, url));
    if (!is_digest_or_empty(*digest)) return unusable(url, name);
  }
  return {};
}

Status read_conventions(const Json& told, std::string_view url, EvalModel& model) {
  if (!told.contains("conventions") || !told["conventions"].is_object() || told["conventions"].size() > kMaxTold) return unusable(url, "conventions");
  for (const auto& [name, value] : told["conventions"].items()) {
    if (!value.is_string()) return unusable(url, "conventions");
    model.facts.conventions.emplace_back(name, value.get<std::string>());
  }
  return {};
}

Status read_eos_ids(const Json& told, std::string_view url, EvalModel& model) {
  if (!told.contains("eos_ids") || !told["eos_ids"].is_array() || told["eos_ids"].size() > kMaxTold) return unusable(url, "eos_ids");
  for (const Json& id : told["eos_ids"]) {
    if (!id.is_number_integer() || id < 0 || id > INT32_MAX) return unusable(url, "eos_ids");
    model.facts.eos_ids.push_back(id.get<std::int32_t>());
  }
  return {};
}

}  // namespace

Json told_facts(const EvalModel& model) {
  Json conventions = Json::object();
  for (const auto& [name, value] : model.facts.conventions) conventions[name] = value;
  return {{"weights", model.weights_digest},
          {"config", model.config_digest},
          {"tokenizer", model.tokenizer_digest},
          {"template", model.template_digest},
          {"recipe", model.recipe},
          {"family", model.facts.family},
          {"architecture", model.facts.architecture},
          {"context_tokens", model.facts.context_tokens},
          {"vocab_size", model.facts.vocab_size},
          {"eos_ids", model.facts.eos_ids},
          {"params_total", model.params_total},
          {"params_active", model.params_active},
          {"conventions", std::move(conventions)}};
}

Status read_told_facts(std::string_view text, std::string_view url, EvalModel& model) {
  ASSAY_TRY(const Json told, parse_json(text, url));
  if (!told.is_object()) return unusable(url, "assay");
  ASSAY_OK(read_digests(told, url, model));
  ASSAY_TRY(model.recipe, json_string(told, "recipe", url));
  ASSAY_TRY(model.facts.family, json_string(told, "family", url));
  ASSAY_TRY(model.facts.architecture, json_string(told, "architecture", url));
  const std::pair<const char*, std::int64_t*> counts[] = {{"context_tokens", &model.facts.context_tokens}, {"vocab_size", &model.facts.vocab_size},
                                                          {"params_total", &model.params_total}, {"params_active", &model.params_active}};
  for (const auto& [name, count] : counts) {
    ASSAY_TRY(*count, json_int(told, name, url));
    if (*count < 0) return unusable(url, name);
  }
  if (model.facts.context_tokens < 1) return unusable(url, "context_tokens");
  ASSAY_OK(read_conventions(told, url, model));
  return read_eos_ids(told, url, model);
}

}  // namespace assay
