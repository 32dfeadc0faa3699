// openai/grade-school-math example_model_solutions.jsonl: four models a line, each with its solution and the authors' flag. The items
// have no ids: their place in the file is that of the test set.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

constexpr std::string_view kModels[] = {"6b_finetuning", "6b_verification", "175b_finetuning",
                                        "175b_verification"};
constexpr std::string_view kMarker = "A: ";

// The solution of the data set ends in "A: 18".
std::optional<std::string> gold_of(const Json& record) {
  const auto text = record_text(record, "ground_truth");
  if (!text) return std::nullopt;
  const auto at = text->rfind(kMarker);
  return at == std::string::npos ? std::nullopt : std::optional(text->substr(at + kMarker.size()));
}

}  // namespace

RecordReader read_gsm8k_solution_records(const StoredFile&) {
  return [](const Json& record, std::int64_t place, const StoredSink& sink) -> Result<bool> {
    const auto gold = gold_of(record);
    if (!gold) return false;
    for (const auto model : kModels) {
      const auto at = record.find(model);
      if (at == record.end() || !at->is_object()) return false;
    }
    for (const auto model : kModels) {
      const Json& own = record.at(std::string(model));
      StoredOutput out;
      out.model = model;
      out.id = fmt::format("gsm8k-main-test-#{}", place);
      out.question = record_text(record, "question").value_or("");
      out.gold = gold;
      out.output = record_text(own, "solution");
      if (const auto flag = own.find("is_correct"); flag != own.end() && flag->is_boolean())
        out.flag = flag->get<bool>();
      ASSAY_OK(sink(std::move(out)));
    }
    return true;
  };
}

}  // namespace assay
