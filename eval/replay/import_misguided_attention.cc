// cpldcpu/MisguidedAttention: outputs ({"results": [{prompt_id, llm, output: [texts]}]}), detailed evaluations ({prompt: {model: [{total_score,
// met}]}}, one entry an output) and summaries ({prompt: {model: {average_total_score, num_evaluations}}}). Scores go from 0 to 1; a model's
// figure is the mean over prompts of the mean over outputs.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"

namespace assay {
namespace {

// One summary has 1.06: criteria whose weights add up to more than 1. What is far from 1 is no score.
constexpr double kHighestScore = 1.5;

std::optional<double> unit_score(const Json& record, const char* name) {
  const auto score = record_number(record, name);
  return score && *score >= 0 && *score <= kHighestScore ? score : std::nullopt;
}

std::optional<std::string> criteria_note(const Json& entry) {
  const auto met = entry.find("met");
  if (met == entry.end() || !met->is_array()) return std::nullopt;
  const auto n = std::count(met->begin(), met->end(), Json(true));
  return fmt::format("{} of {} criteria met", n, met->size());
}

bool set_evaluations(const Json& list, StoredOutput& out) {
  for (const auto& entry : list) {
    const auto score = entry.is_object() ? unit_score(entry, "total_score") : std::nullopt;
    if (!score) return false;
    out.samples.push_back({.score = score, .note = criteria_note(entry)});
  }
  return !list.empty();
}

bool set_summary(const Json& value, StoredOutput& out) {
  const auto score = unit_score(value, "average_total_score");
  if (score) out.values.emplace_back("accuracy", *score);
  return score.has_value();
}

bool set_output(const Json& record, StoredOutput& out) {
  const auto id = record_text(record, "prompt_id"), model = record_text(record, "llm");
  const auto texts = record.find("output");
  if (!id || !model || texts == record.end() || !texts->is_array()) return false;
  out.id = *id;
  out.model = *model;
  out.prompt = record_text(record, "prompt");
  for (const auto& text : *texts) {
    if (text.is_string()) out.samples.push_back({.output = text.get<std::string>()});
  }
  return true;
}

bool set_part(const DocumentPart& part, const Json& value, StoredOutput& out) {
  if (part.section == "results") return value.is_object() && set_output(value, out);
  out.id = part.section;
  out.model = part.key;
  if (value.is_array()) return set_evaluations(value, out);
  return value.is_object() && set_summary(value, out);
}

}  // namespace

DocumentReader read_misguided_attention_document(const StoredFile&) {
  DocumentReader reader;
  reader.end = [](const StoredSink&) { return Status{}; };
  reader.part = [](const DocumentPart& part, const Json& value, const StoredSink& sink) -> Result<bool> {
    StoredOutput out;
    if (!set_part(part, value, out)) return false;
    ASSAY_OK(sink(std::move(out)));
    return true;
  };
  return reader;
}

}  // namespace assay
