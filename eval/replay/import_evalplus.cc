// EvalPlus: samples.jsonl (task_id with solution or completion), *_eval_results.json ({"eval": {task: [samples with base_status and
// plus_status]}}), and EvalPerf results ({"summary", "eval": {task: {dps, dps_norm, pass@1, profiled}}}, all in percent; dps and dps_norm
// are null where too few solutions were right to be timed).
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "eval/replay/stored.h"

namespace assay {
namespace {

constexpr std::string_view kEvalPerf[] = {"dps", "dps_norm", "pass@1"};
constexpr double kPercent = 100;

// deepseek-chat-v3_openai_temp_1.0_evalperf_results.brief: before the backend and the temperature.
std::string evalplus_model(const std::string& path) {
  const std::string name = stem_of(path);
  const auto temperature = name.find("_temp_");
  if (temperature == std::string::npos || temperature == 0) return name;
  const auto backend = name.rfind('_', temperature - 1);
  return name.substr(0, backend == std::string::npos ? temperature : backend);
}

std::optional<bool> passed(const Json& sample, const char* name) {
  const auto status = record_text(sample, name);
  return status ? std::optional(*status == "pass" || *status == "success") : std::nullopt;
}

// A list of samples with their status. What counts is EvalPlus' own figure: all tests, the further ones too.
bool set_samples(const Json& list, StoredOutput& out) {
  double base = 0;
  for (const auto& sample : list) {
    if (!sample.is_object()) return false;
    const auto basic = passed(sample, "base_status"), further = passed(sample, "plus_status");
    base += basic == true ? 1 : 0;
    out.samples.push_back({.output = record_text(sample, {"solution", "completion"}).value_or(""),
                           .flag = basic ? std::optional(*basic && further.value_or(true)) : std::nullopt});
  }
  if (!list.empty()) out.values.emplace_back("pass@1_base", base / static_cast<double>(list.size()));
  return true;
}

void set_profiled(const Json& list, StoredOutput& out) {
  for (const auto& solution : list) {
    if (!solution.is_object()) continue;
    const auto cluster = record_text(solution, "matching_cluster_idx");
    out.samples.push_back({.output = record_text(solution, "solution").value_or(""), .flag = true});
    if (cluster) out.samples.back().note = "speed cluster " + *cluster;
  }
}

bool set_task(const Json& value, StoredOutput& out) {
  if (value.is_array()) return set_samples(value, out);
  if (!value.is_object()) return false;
  for (const auto name : kEvalPerf) {
    if (const auto figure = record_number(value, name)) out.values.emplace_back(name, *figure / kPercent);
  }
  if (const auto profiled = value.find("profiled"); profiled != value.end() && profiled->is_array()) set_profiled(*profiled, out);
  return !out.values.empty();
}

// A line of samples.jsonl is a document of its own.
class SampleLine {
 public:
  bool add(const DocumentPart& part, const Json& value) {
    if (!part.key.empty() || !value.is_string()) return true;  // other members
    if (part.section == "task_id") line_.id = value.get<std::string>();
    if (part.section == "solution" || part.section == "completion") line_.output = value.get<std::string>();
    return true;
  }
  Status give(const StoredSink& sink, const std::string& model) {
    StoredOutput line = std::exchange(line_, {});
    line.model = model;
    if (line.id.empty()) return {};
    line.sample = next_[line.id]++;  // samples of one task are numbered as they come
    return sink(std::move(line));
  }

 private:
  StoredOutput line_;
  std::unordered_map<std::string, std::int64_t> next_;
};

}  // namespace

DocumentReader read_evalplus_document(const StoredFile& file) {
  const auto line = std::make_shared<SampleLine>();
  const std::string model = evalplus_model(file.path);
  DocumentReader reader;
  reader.end = [line, model](const StoredSink& sink) { return line->give(sink, model); };
  reader.part = [line, model](const DocumentPart& part, const Json& value, const StoredSink& sink) -> Result<bool> {
    if (part.section == "summary" && value.is_number()) {
      sink.figure({.model = model, .metric = part.key, .printed = std::string(part.text)});
      return true;
    }
    if (part.section != "eval") return line->add(part, value);
    StoredOutput out;
    out.model = model;
    out.id = part.key;
    out.subset = part.key.substr(0, part.key.find('/'));
    if (!set_task(value, out)) return false;
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
  return reader;
}

}  // namespace assay
