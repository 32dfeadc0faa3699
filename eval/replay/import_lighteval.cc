// lighteval details: parquet with the columns __doc__, __model_response__ and __metric__ (lighteval/logging/info_loggers.py, DetailsLogger),
// turned into lines by suites/data/convert/lighteval.py, which adds `model` and `task`. A doc with log-probabilities is a choice, one with
// texts a generation.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/replay/stored_parts.h"

namespace assay {
namespace {

constexpr std::size_t kMaxResponses = 4096;
constexpr std::pair<std::string_view, std::string_view> kLightevalMetrics[] = {
    {"acc", "acc"}, {"acc_norm", "acc_char"}, {"em", "exact_match"}, {"extractive_match", "accuracy"}, {"f1", "f1"}};

// Choices of lighteval carry the blank that stands before them.
std::string option_text(const Json& choice) {
  std::string text = choice.is_string() ? choice.get<std::string>() : std::string();
  if (text.size() > 1 && text.front() == ' ') text.erase(0, 1);
  return text;
}

void set_doc(const Json& doc, StoredOutput& out) {
  const auto id = record_text(doc, "id");
  out.id = id.value_or("");
  const bool numbered = id && !id->empty() && id->size() < 10 && std::all_of(id->begin(), id->end(), [](char c) { return c >= '0' && c <= '9'; });
  if (numbered) out.ordinal = std::stoll(*id);
  out.prompt = record_text(doc, "query");
  out.question = out.prompt.value_or("");
  if (auto own = record_text(doc, {"specific.id", "specific.question_id"})) out.id = *own;
  const Json* choices = record_at(doc, "choices");
  const Json* gold = record_at(doc, "gold_index");
  if (gold != nullptr && gold->is_array() && !gold->empty()) gold = &gold->front();
  if (choices == nullptr || !choices->is_array()) return;
  for (const auto& choice : *choices) out.options.push_back(option_text(choice));
  const bool inside = gold != nullptr && gold->is_number_integer() && gold->get<std::int64_t>() >= 0 &&
                      gold->get<std::int64_t>() < static_cast<std::int64_t>(out.options.size());
  if (inside) out.gold_index = gold->get<int>();
  if (inside) out.gold = out.options[static_cast<std::size_t>(out.gold_index)];
}

void add_lighteval_values(const Json& metrics, StoredOutput& out) {
  for (const auto& [theirs, ours] : kLightevalMetrics) {
    const Json* value = record_at(metrics, theirs);
    if (value != nullptr && value->is_boolean()) out.values.emplace_back(ours, value->get<bool>() ? 1 : 0);
    if (value != nullptr && value->is_number()) out.values.emplace_back(ours, value->get<double>());
  }
}

class LightevalReader : public PartReader {
 public:
  Cut cut(std::string_view) const override { return Cut::records; }

  Result<Used> add(const PartPlace&, const Json& record, const StoredSink& sink) override {
    const Json* doc = record.is_object() ? record_at(record, "__doc__") : nullptr;
    const Json* response = record.is_object() ? record_at(record, "__model_response__") : nullptr;
    if (doc == nullptr || !doc->is_object() || response == nullptr || !response->is_object()) return Used::malformed;
    StoredOutput out;
    out.model = record_text(record, "model").value_or("");
    set_doc(*doc, out);
    if (out.id.empty()) return Used::malformed;
    if (const Json* metrics = record_at(record, "__metric__")) add_lighteval_values(*metrics, out);
    const Json* logprobs = record_at(*response, "logprobs");
    if (logprobs != nullptr && logprobs->is_array() && !logprobs->empty()) return add_choice(*logprobs, std::move(out), sink);
    return add_texts(*response, out, sink);
  }

 private:
  static Result<Used> add_choice(const Json& logprobs, StoredOutput out, const StoredSink& sink) {
    for (const auto& value : logprobs) {
      if (!value.is_number()) return Used::malformed;
      out.log_likelihoods.push_back(value.get<double>());
    }
    if (out.log_likelihoods.size() != out.options.size()) return Used::malformed;
    ASSAY_OK(sink(std::move(out)));
    return Used::record;
  }

  static Result<Used> add_texts(const Json& response, const StoredOutput& whole, const StoredSink& sink) {
    const Json* texts = record_at(response, "text");
    if (texts == nullptr || !texts->is_array() || texts->empty() || texts->size() > kMaxResponses) return Used::malformed;
    for (std::size_t i = 0; i < texts->size(); ++i) {
      StoredOutput out = whole;
      out.sample = static_cast<std::int64_t>(i);
      if ((*texts)[i].is_string()) out.output = (*texts)[i].get<std::string>();
      if (texts->size() > 1) out.values.clear();  // they speak of all responses together
      ASSAY_OK(sink(std::move(out)));
    }
    return Used::record;
  }
};

}  // namespace

std::unique_ptr<PartReader> read_lighteval_parts(const StoredFile&) { return std::make_unique<LightevalReader>(); }

}  // namespace assay
