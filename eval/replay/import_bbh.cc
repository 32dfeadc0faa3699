// suzgunmirac/BIG-Bench-Hard, code-davinci-002-outputs: MODEL/cot/TASK_few_shot_template_....json, an object whose `outputs` are the
// items of one task in their order, each with the whole prompt, the prediction and the target.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string task_of(const std::string& path) {
  const std::string name = stem_of(path);
  return name.substr(0, name.find("_few_shot"));
}

// The folder names the model; folders cot and direct inside it are two ways of asking it.
std::string bbh_model(const std::string& path) {
  const fs::path folder = fs::absolute(path).parent_path();
  const std::string own = folder.filename().string();
  return own == "cot" || own == "direct" ? fmt::format("{}/{}", folder.parent_path().filename().string(), own) : own;
}

// What is asked after the solved examples: from the last "Q: " to the last "A:".
std::string question_of(const std::string& prompt) {
  constexpr std::string_view kBegin = "\nQ: ", kEnd = "\nA:";
  const auto end = prompt.rfind(kEnd);
  const auto begin = prompt.rfind(kBegin, end);
  if (begin == std::string::npos || end == std::string::npos || begin >= end) return prompt;
  return prompt.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

}  // namespace

DocumentReader read_bbh_document(const StoredFile& file) {
  const std::string task = task_of(file.path), model = bbh_model(file.path);
  DocumentReader reader;
  reader.end = [](const StoredSink&) { return Status{}; };
  reader.part = [task, model](const DocumentPart& part, const Json& value, const StoredSink& sink) -> Result<bool> {
    if (part.section != "outputs") return true;  // the canary
    if (!value.is_object()) return false;
    StoredOutput out;
    out.model = model;
    out.id = fmt::format("{}/{}", task, part.place);
    out.subset = task;
    out.gold = record_text(value, "target");
    out.output = record_text(value, "prediction");
    out.prompt = record_text(value, "input");
    out.question = question_of(out.prompt.value_or(""));
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
  return reader;
}

}  // namespace assay
