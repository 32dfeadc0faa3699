// allenai/WildBench eval_results: one model a file, each output with the judge's score from 1 to 10 (a number or a text). The published
// table (src/show_table.py there) has the mean score, that less 5 and doubled, and the mean length of the outputs that are not empty.
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"
#include "suites/score.h"

namespace assay {
namespace {

constexpr double kLowestMark = 1, kHighestMark = 10, kMiddleMark = 5;

std::string wildbench_model(const std::string& path) {
  std::string name = stem_of(path);
  constexpr std::string_view kTail = ".score";
  if (name.ends_with(kTail)) name.erase(name.size() - kTail.size());
  return name;
}

}  // namespace

RecordReader read_wildbench_records(const StoredFile& file) {
  return [model = wildbench_model(file.path)](const Json& record, std::int64_t, const StoredSink& sink) -> Result<bool> {
    const auto id = record_text(record, {"session_id", "id"});
    const auto score = record_number(record, "score");
    if (!id || id->empty() || !score || !(*score >= kLowestMark && *score <= kHighestMark)) return false;
    StoredOutput out;
    out.model = model;
    out.id = *id;
    out.output = record_text(record, {"model_output", "output"});
    if (!out.output) return false;
    out.values = {{"score", *score}, {"adjusted_score", (*score - kMiddleMark) * 2}};
    if (!out.output->empty()) out.values.emplace_back("avg_len", static_cast<double>(count_code_points(*out.output)));
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
}

}  // namespace assay
