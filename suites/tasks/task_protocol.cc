// How a task asks and judges, as protocols of ours (lm_eval/api/task.py, api/metrics.py and filters/ of 0.4.13).
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "suites/tasks/task_import.h"

namespace assay {
namespace {

constexpr std::string_view kDefaultPattern = R"(#### (\-?[0-9\.\,]+))";  // RegexFilter's own
constexpr std::string_view kPythonPunctuation = R"([!-/:-@\[-`{-~])";           // string.punctuation
constexpr std::int64_t kDefaultTokens = 256;                              // lm_eval/defaults.py, DEFAULT_MAX_GEN_TOKS

constexpr std::pair<std::string_view, std::string_view> kChoiceMetrics[] = {
    {"acc", "acc"}, {"acc_norm", "acc_char"}, {"acc_bytes", "acc_byte"}, {"acc_mutual_info", "acc_uncond"}};
constexpr std::pair<std::string_view, std::string_view> kNormalisations[] = {
    {"acc", "none"}, {"acc_norm", "chars"}, {"acc_bytes", "bytes"}, {"acc_mutual_info", "uncond"}};

std::string_view our_name(std::string_view name, std::span<const std::pair<std::string_view, std::string_view>> pairs) {
  for (const auto& [theirs, ours] : pairs) {
    if (theirs == name) return ours;
  }
  return {};
}

std::string text_of(const Json& object, const char* name) {
  const bool there = object.is_object() && object.contains(name) && object[name].is_string();
  return there ? object[name].get<std::string>() : std::string();
}

bool flag_of(const Json& object, const char* name) { return object.contains(name) && object[name] == true; }

Json shape_json(const TaskShape& shape, std::string_view kind) {
  Json out = {{"kind", kind}, {"bos", "tokenizer"}, {"block", "{question}"}, {"separator", shape.separator}};
  if (!shape.preamble.empty()) out["preamble"] = shape.preamble;
  if (!shape.shots.is_null()) out["fewshot"] = shape.shots;
  return out;
}

// The task's list, or what the harness takes for its kind of output (lm_eval/api/registry.py, DEFAULT_METRIC_REGISTRY).
Result<std::vector<Json>> metric_list(const Json& task, std::string_view output_type, const std::string& file) {
  const auto at = task.find("metric_list");
  if (at == task.end() || at->is_null()) {
    std::vector<Json> usual;
    for (const char* name : {"acc", "acc_norm", "exact_match"}) {
      const bool choice = std::string_view(name) != "exact_match";
      if (choice == (output_type == "multiple_choice")) usual.push_back(Json::object({{"metric", name}}));
    }
    return usual;
  }
  if (!at->is_array() || at->empty()) return task_refusal(file, "metric_list", "the metrics are no list", *at);
  std::vector<Json> out;
  for (const auto& entry : *at) {
    if (!entry.is_object() || !entry.contains("metric") || !entry["metric"].is_string()) return task_refusal(file, "metric_list", "a metric has no name", entry);
    const auto aggregation = entry.value("aggregation", Json("mean"));
    if (aggregation != "mean") return task_refusal(file, "metric_list", "only means are computed", aggregation);
    out.push_back(entry);
  }
  return out;
}

Result<Json> choice_protocols(const Json& task, const TaskShape& shape, std::vector<std::string>& notes) {
  ASSAY_TRY(const auto metrics, metric_list(task, "multiple_choice", shape.file));
  std::vector<std::string> theirs, ours;
  for (const auto& metric : metrics) {
    const std::string name = metric["metric"].get<std::string>();
    const auto known = our_name(name, kChoiceMetrics);
    if (known.empty()) {
      notes.push_back(fmt::format("metric_list: {} is not computed here and left out", name));
      continue;
    }
    theirs.push_back(name);
    ours.emplace_back(known);
  }
  if (theirs.empty()) return task_refusal(shape.file, "metric_list", "none of the metrics is known here", Json(metrics));
  const bool mutual = std::find(ours.begin(), ours.end(), "acc_uncond") != ours.end();
  Json protocols = Json::array();
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    Json p = {{"name", theirs[i]}};
    if (i == 0) p["main"] = true;
    p.update(shape_json(shape, "choice"));
    p["answer"] = shape.answer_delimiter + "{option}";
    p["continuation"] = shape.continuation_delimiter + "{option}";
    p["normalisation"] = our_name(theirs[i], kNormalisations);
    if (mutual) p["unconditional"] = "";
    std::vector<std::string> order = ours;
    std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(i), order.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    p["metrics"] = order;
    protocols.push_back(std::move(p));
  }
  return protocols;
}

// `until`, the token limit and the sampling. "do_sample: false" wins over a temperature, as it does in transformers.
Status add_generation(const Json& task, const TaskShape& shape, Json& p, std::vector<std::string>& notes) {
  const Json kwargs = task.contains("generation_kwargs") && task["generation_kwargs"].is_object() ? task["generation_kwargs"] : Json::object();
  Json until = kwargs.value("until", Json(shape.separator));
  if (until.is_string()) until = Json::array({until});
  if (!until.is_array()) return task_refusal(shape.file, "generation_kwargs.until", "stop strings are no list of texts", until);
  p["stops"] = Json::array();
  for (const auto& stop : until) {
    if (!stop.is_string()) return task_refusal(shape.file, "generation_kwargs.until", "a stop string is no text", stop);
    if (!stop.get<std::string>().empty()) p["stops"].push_back(stop);
  }
  p["max_tokens"] = kDefaultTokens;
  Json sampling = Json::object();
  bool sample = true;
  for (const auto& [name, value] : kwargs.items()) {
    if (name == "until") continue;
    if (name == "do_sample" && value.is_boolean()) {
      sample = value.get<bool>();
      if (sample && !kwargs.contains("temperature")) sampling["temperature"] = 1;
    } else if ((name == "max_gen_toks" || name == "max_new_tokens" || name == "max_tokens") && value.is_number_integer()) {
      p["max_tokens"] = value;
    } else if ((name == "temperature" || name == "top_p" || name == "top_k" || name == "min_p") && value.is_number()) {
      sampling[name] = value;
    } else {
      return task_refusal(shape.file, "generation_kwargs." + name, "this option of generation has no equal here", value);
    }
  }
  const Json temperature = sampling.value("temperature", Json(0));
  if (sample && temperature.get<double>() > 0) p["sampling"] = sampling;
  if (!sample && temperature.get<double>() > 0) notes.push_back("generation_kwargs: do_sample is false, so the temperature is not used");
  return {};
}

// One pipeline of filters as the extractor that gives the same.
Result<Json> extractor_of(const Json& filters, const std::string& file, std::vector<std::string>& notes) {
  Json link = {{"function", "whole"}};
  bool read = false;
  for (const auto& filter : filters) {
    const std::string function = text_of(filter, "function");
    if (function == "take_first") continue;
    if (read) return task_refusal(file, "filter_list", "two filters that read the answer follow each other", filter);
    read = true;
    if (function == "remove_whitespace") {
      link = {{"function", "all"}};
      notes.push_back("filter_list: remove_whitespace takes blanks at the beginning, here also those at the end");
      continue;
    }
    if (function != "regex") return task_refusal(file, "filter_list", "this filter has no equal here", filter);
    const Json select = filter.value("group_select", Json(0)), pattern = filter.value("regex_pattern", Json(kDefaultPattern));
    if (!pattern.is_string() || (select != 0 && select != -1)) return task_refusal(file, "filter_list", "only the first or the last match can be taken", filter);
    link = {{"function", select == 0 ? "first-match" : "last-match"}, {"pattern", pattern}};
  }
  return link;
}

// exact_match with what it ignores, in the harness's order: patterns, case, punctuation, digits.
Status add_equality(const Json& metric, const std::string& file, Json& p) {
  p["equality"] = flag_of(metric, "ignore_case") ? "exact-folded" : "exact";
  Json ignored = metric.value("regexes_to_ignore", Json::array());
  if (ignored.is_null()) ignored = Json::array();
  if (!ignored.is_array()) return task_refusal(file, "metric_list", "regexes_to_ignore is no list", ignored);
  if (flag_of(metric, "ignore_punctuation")) ignored.push_back(kPythonPunctuation);
  if (flag_of(metric, "ignore_numbers")) ignored.push_back("[0-9]");
  if (!ignored.empty()) p["ignore"] = ignored;
  for (const auto& [name, value] : metric.items()) {
    constexpr std::string_view kKnown[] = {"metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"};
    if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown))
      return task_refusal(file, "metric_list." + name, "this option of exact_match has no equal here", value);
  }
  return {};
}

Result<Json> exact_match_of(const Json& task, const std::string& file, std::vector<std::string>& notes) {
  ASSAY_TRY(const auto metrics, metric_list(task, "generate_until", file));
  Json found;
  for (const auto& metric : metrics) {
    if (metric["metric"] == "exact_match")
      found = metric;
    else
      notes.push_back(fmt::format("metric_list: {} is not computed here and left out", metric["metric"].get<std::string>()));
  }
  if (found.is_null()) return task_refusal(file, "metric_list", "of generated texts only exact_match is judged", Json(metrics));
  return found;
}

Result<Json> generation_protocols(const Json& task, const TaskShape& shape, std::vector<std::string>& notes) {
  ASSAY_TRY(const Json metric, exact_match_of(task, shape.file, notes));
  Json pipelines = task.contains("filter_list") && !task["filter_list"].is_null() ? task["filter_list"] : Json::array({{{"name", "none"}, {"filter", Json::array()}}});
  if (!pipelines.is_array() || pipelines.empty()) return task_refusal(shape.file, "filter_list", "the filters are no list", pipelines);
  if (const Json repeats = task.value("repeats", Json(1)); repeats != 1)
    notes.push_back(fmt::format("repeats: {} outputs an item, of which take_first reads one; one is asked for", dump_json(repeats)));
  Json protocols = Json::array();
  for (const auto& pipeline : pipelines) {
    const bool usable = pipeline.is_object() && pipeline.contains("name") && pipeline["name"].is_string() && pipeline.contains("filter") && pipeline["filter"].is_array();
    if (!usable) return task_refusal(shape.file, "filter_list", "a pipeline is {name, filter: [...]}", pipeline);
    Json p = {{"name", pipeline["name"]}};
    if (protocols.empty()) p["main"] = true;
    p.update(shape_json(shape, "generate"));
    p["answer"] = shape.answer_delimiter + "{gold}";
    ASSAY_OK(add_generation(task, shape, p, notes));
    ASSAY_TRY(Json link, extractor_of(pipeline["filter"], shape.file, notes));
    p["extractors"] = Json::array({std::move(link)});
    ASSAY_OK(add_equality(metric, shape.file, p));
    p["metrics"] = {"exact_match", "accuracy", "no_answer"};
    protocols.push_back(std::move(p));
  }
  return protocols;
}

Json rolling_protocols(std::vector<std::string>& notes) {
  notes.push_back("metric_list: of a text's perplexities bits_per_byte is computed; the others follow from it");
  return Json::array({{{"name", "bits_per_byte"}, {"main", true}, {"kind", "rolling"}, {"bos", "tokenizer"}, {"block", "{text}"},
                       {"aggregation", "micro"}, {"metrics", {"bits_per_byte", "mean_logprob"}}}});
}

}  // namespace

Result<Json> task_protocols(const Json& task, const TaskShape& shape, std::vector<std::string>& notes) {
  ASSAY_TRY(const std::string type, task_text(task, "output_type", "generate_until", shape.file));
  if (type == "multiple_choice") return choice_protocols(task, shape, notes);
  if (type == "generate_until") return generation_protocols(task, shape, notes);
  if (type == "loglikelihood_rolling") return rolling_protocols(notes);
  return task_refusal(shape.file, "output_type", "only multiple_choice, generate_until and loglikelihood_rolling have an equal here", type);
}

}  // namespace assay
