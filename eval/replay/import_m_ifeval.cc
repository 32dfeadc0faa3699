// M-IFEval (lightblue-tech, shisa-ai) and IFEval results: one file a model, {"prompt", "response", "instruction_id_list", "strict": [...], "loose":
// [...]}, or with "follow_instruction_list" as evaluation_main.py writes it. Records have no ids: their prompt tells the item. A response that is
// null was never given; the authors count it as one that follows nothing, and so it is an empty output here.
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

// No value: not there, or no list of truth values.
std::optional<std::vector<bool>> read_labels(const Json& record, const char* name) {
  const auto at = record.find(name);
  if (at == record.end() || !at->is_array()) return std::nullopt;
  std::vector<bool> labels;
  for (const auto& one : *at) {
    if (!one.is_boolean()) return std::nullopt;
    labels.push_back(one.get<bool>());
  }
  return labels;
}

std::vector<std::string> read_names(const Json& record) {
  std::vector<std::string> names;
  const auto at = record.find("instruction_id_list");
  if (at == record.end() || !at->is_array()) return names;
  for (const auto& one : *at) names.push_back(one.is_string() ? one.get<std::string>() : std::string());
  return names;
}

}  // namespace

RecordReader read_m_ifeval_records(const StoredFile&) {
  return [](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    const auto prompt = record.find("prompt"), response = record.find("response");
    const bool usable = prompt != record.end() && prompt->is_string() && response != record.end() && (response->is_string() || response->is_null());
    if (!usable) return false;
    StoredOutput out;
    out.question = prompt->get<std::string>();
    out.output = response->is_string() ? response->get<std::string>() : std::string();
    out.instructions = read_names(record);
    auto strict = read_labels(record, "strict");
    if (!strict) strict = read_labels(record, "follow_instruction_list");
    if (strict && strict->size() == out.instructions.size()) out.strict_labels = std::move(*strict);
    auto loose = read_labels(record, "loose");
    if (loose && loose->size() == out.instructions.size()) out.loose_labels = std::move(*loose);
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
