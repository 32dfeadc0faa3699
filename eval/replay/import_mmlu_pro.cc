// TIGER-AI-Lab/MMLU-Pro eval_results: one model a file, an array of questions with the model's text under model_outputs (API models) or
// generated_text (local ones), and `pred`, what the authors' script took from it (null: nothing, and a letter was drawn for the score).
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

// model_outputs_Meta-Llama-3-70B_5shots
std::string mmlu_pro_model(const std::string& path) {
  std::string name = stem_of(path);
  constexpr std::string_view kHead = "model_outputs_", kTail = "shots";
  if (name.starts_with(kHead)) name.erase(0, kHead.size());
  const auto cut = name.rfind('_');
  if (cut != std::string::npos && name.ends_with(kTail)) name.erase(cut);
  return name;
}

void set_options(const Json& record, StoredOutput& out) {
  const auto options = record.find("options");
  if (options == record.end() || !options->is_array()) return;
  for (const auto& option : *options) out.options.push_back(option.is_string() ? option.get<std::string>() : option.dump());
}

}  // namespace

RecordReader read_mmlu_pro_records(const StoredFile& file) {
  return [model = mmlu_pro_model(file.path)](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    const auto id = record_text(record, {"question_id", "id"});
    const auto gold = record_text(record, "answer");
    if (!id || id->empty() || !gold) return false;
    StoredOutput out;
    out.model = model;
    out.id = *id;
    out.subset = record_text(record, "category").value_or("");
    out.question = record_text(record, "question").value_or("");
    set_options(record, out);
    out.output = record_text(record, {"model_outputs", "generated_text", "model_output"});
    if (record.contains("pred")) out.flag = record_text(record, "pred") == gold;
    out.gold = gold;
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
