// Generic objects: members as --fields names them, else the names that are common in such files.
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

using Names = std::initializer_list<std::string_view>;

std::optional<std::string> member(const Json& record, const std::string& chosen, Names usual) {
  return chosen.empty() ? record_text(record, usual) : record_text(record, chosen);
}

// true, 1, "true", "True", "1" and their opposites.
std::optional<bool> member_flag(const Json& record, const std::string& chosen) {
  const auto text = member(record, chosen, {"correct", "is_correct"});
  if (!text) return std::nullopt;
  if (*text == "true" || *text == "True" || *text == "1" || *text == "1.0") return true;
  if (*text == "false" || *text == "False" || *text == "0" || *text == "0.0") return false;
  return std::nullopt;
}

}  // namespace

RecordReader read_jsonl_records(const StoredFile& file) {
  return [fields = file.fields](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    StoredOutput out;
    const auto id = member(record, fields.id, {"id", "task_id", "question_id", "doc_id"});
    if (!id || id->empty()) return false;
    out.id = *id;
    out.output =
        member(record, fields.output, {"output", "text", "response", "completion", "prediction", "outputs"});
    out.gold = member(record, fields.gold, {"gold", "answer", "target"});
    out.model = member(record, fields.model, {"model"}).value_or("");
    out.question = member(record, fields.question, {"question", "prompt"}).value_or("");
    out.subset = record_text(record, {"subset", "category"}).value_or("");
    out.flag = member_flag(record, fields.flag);
    out.finish_reason = record_text(record, "finish_reason");
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
