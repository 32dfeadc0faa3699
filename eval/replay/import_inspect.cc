// Inspect AI logs, version 2 (inspect_ai/log/_log.py, EvalLog and EvalSample): the .eval form is a zip with one document a sample and epoch
// (samples/ID_epoch_N.json), header.json and _journal/start.json; the .json form is one document with all of it.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/replay/stored_parts.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxEpochs = 1'000'000;

// Long texts may stand once under `attachments` and by their digest elsewhere.
std::string resolved(const Json& sample, std::string text) {
  constexpr std::string_view kAttachment = "attachment://";
  if (!text.starts_with(kAttachment)) return text;
  const auto all = sample.find("attachments");
  if (all == sample.end() || !all->is_object()) return text;
  const auto at = all->find(text.substr(kAttachment.size()));
  return at != all->end() && at->is_string() ? at->get<std::string>() : text;
}

// Texts, or lists of parts of which some are text: {"type": "text", "text": ...}. Reasoning is a part of its own and not the answer.
std::optional<std::string> content_text(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return std::nullopt;
  std::string all;
  for (const auto& part : content) {
    const Json* text = record_at(part, "text");
    const auto type = part.is_object() ? record_text(part, "type") : std::nullopt;
    if (text != nullptr && text->is_string() && (!type || *type == "text")) all += text->get<std::string>();
  }
  return all;
}

// The prompt is a text, or messages: the last one of the user asks.
std::string input_text(const Json& input) {
  if (input.is_string()) return input.get<std::string>();
  if (!input.is_array()) return {};
  for (auto at = input.rbegin(); at != input.rend(); ++at) {
    const Json* content = record_at(*at, "content");
    if (content != nullptr && record_text(*at, "role") == "user") return content_text(*content).value_or("");
  }
  return {};
}

// "C" correct, "P" partial, "I" incorrect, "N" no answer (inspect_ai/scorer/_metric.py, value_to_float), or a number.
std::optional<double> score_value(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text == "C") return 1;
  if (text == "P") return 0.5;
  if (text == "I" || text == "N") return 0;
  return std::nullopt;
}

void add_scores(const Json& sample, StoredOutput& out) {
  const auto scores = sample.find("scores");
  if (scores == sample.end() || !scores->is_object()) return;
  for (const auto& [scorer, score] : scores->items()) {
    const Json* value = record_at(score, "value");
    if (value == nullptr) continue;
    if (const auto number = score_value(*value)) out.values.emplace_back("accuracy," + scorer, *number);
  }
}

// What the model said last. A sample that failed has no choices: it has no prediction.
void set_last_message(const Json& sample, StoredOutput& out) {
  const Json* choice = record_at(sample, "output.choices.0");
  if (choice == nullptr) return;
  if (const Json* content = record_at(*choice, "message.content")) out.output = content_text(*content);
  if (out.output) out.output = resolved(sample, std::move(*out.output));
  const auto reason = record_text(*choice, "stop_reason");
  if (reason) out.finish_reason = *reason == "max_tokens" || *reason == "model_length" ? "length" : *reason;
}

void set_question(const Json& sample, StoredOutput& out) {
  if (const auto input = sample.find("input"); input != sample.end()) out.question = resolved(sample, input_text(*input));
  if (const auto choices = sample.find("choices"); choices != sample.end() && choices->is_array()) {
    for (const auto& choice : *choices) out.options.push_back(choice.is_string() ? choice.get<std::string>() : "");
  }
  out.gold = record_text(sample, "target");
  const bool letter = out.gold && out.gold->size() == 1 && out.gold->front() >= 'A' &&
                      out.gold->front() < 'A' + static_cast<int>(out.options.size());
  if (letter) out.gold_index = out.gold->front() - 'A';
}

class InspectReader : public PartReader {
 public:
  Cut cut(std::string_view member) const override {
    if (member.empty()) return Cut::document;
    const bool wanted = member == "header.json" || member == "_journal/start.json" ||
                        (member.starts_with("samples/") && member.ends_with(".json"));
    return wanted ? Cut::whole : Cut::skip;
  }

  Result<Used> add(const PartPlace& part, const Json& value, const StoredSink& sink) override {
    if (part.section == "samples" || part.file.starts_with("samples/")) return add_sample(value, sink);
    if (!part.file.empty()) {
      read_header(value, sink);
    } else if (part.section == "eval" && part.key == "model") {
      set_model(value);
    } else if (part.section == "results" && part.key == "scores") {
      read_scores(value, sink);
    } else if (!is_member(part.section)) {
      return Used::malformed;
    }
    return Used::header;
  }

 private:
  // The members of an EvalLog: a document with others is no log.
  static bool is_member(std::string_view key) {
    constexpr std::string_view kMembers[] = {"version", "status", "eval",        "plan",     "results", "stats",
                                             "error",   "samples", "reductions", "location", "etag",    "invalidated",
                                             "tags",    "metadata", "log_updates"};
    return std::find(std::begin(kMembers), std::end(kMembers), key) != std::end(kMembers);
  }

  Result<Used> add_sample(const Json& sample, const StoredSink& sink) {
    if (!sample.is_object()) return Used::malformed;
    const auto id = record_text(sample, "id");
    if (!id || id->empty()) return Used::malformed;
    StoredOutput out;
    out.model = model_;
    out.id = *id;
    const Json& raw_id = sample.at("id");
    if (raw_id.is_number_integer()) out.ordinal = raw_id.get<std::int64_t>() - 1;  // data sets without ids are numbered from 1
    if (const auto epoch = sample.find("epoch"); epoch != sample.end() && epoch->is_number_integer())
      out.sample = std::clamp<std::int64_t>(epoch->get<std::int64_t>() - 1, 0, kMaxEpochs);
    set_question(sample, out);
    set_last_message(sample, out);
    add_scores(sample, out);
    ASSAY_OK(sink(std::move(out)));
    return Used::record;
  }

  void read_header(const Json& header, const StoredSink& sink) {
    if (const Json* model = record_at(header, "eval.model")) set_model(*model);
    if (const Json* scores = record_at(header, "results.scores")) read_scores(*scores, sink);
  }

  void set_model(const Json& model) {
    if (model.is_string() && model_.empty()) model_ = model.get<std::string>();
  }

  // results.scores: one entry a scorer and reducer of epochs, with its metrics by name. Only means can be held against ours.
  static void read_scores(const Json& scores, const StoredSink& sink) {
    if (!scores.is_array()) return;
    for (const auto& score : scores) {
      const auto scorer = score.is_object() ? record_text(score, "scorer") : std::nullopt;
      const auto reducer = score.is_object() ? record_text(score, "reducer") : std::nullopt;
      const Json* value = record_at(score, "metrics.accuracy.value");
      if (!scorer || value == nullptr || !value->is_number() || (reducer && *reducer != "mean")) continue;
      sink.figure({.metric = "accuracy", .printed = value->dump(), .scale = 1, .filter = *scorer, .source = fmt::format("results.scores, {}", *scorer)});
    }
  }

  std::string model_;
};

}  // namespace

std::unique_ptr<PartReader> read_inspect_parts(const StoredFile&) { return std::make_unique<InspectReader>(); }

}  // namespace assay
