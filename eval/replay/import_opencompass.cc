// OpenCompass predictions/MODEL/DATASET.json (opencompass/openicl/icl_inferencer, output handlers): an object whose members are named by the
// place of the item. Generation: origin_prompt, prediction, gold. Perplexity: besides, "label: X" with the mean loss of every option ("PPL"),
// of which the smallest is the prediction.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "eval/replay/stored_parts.h"

namespace assay {
namespace {

constexpr std::string_view kLabel = "label: ";
constexpr std::size_t kMaxPredictions = 4096;

// A prompt is a text, or turns of which the last one asks.
std::string prompt_text(const Json& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  if (!prompt.is_array() || prompt.empty()) return {};
  const Json* last = record_at(prompt.back(), "prompt");
  return last != nullptr && last->is_string() ? last->get<std::string>() : std::string();
}

std::optional<std::int64_t> place_of(std::string_view key) {
  std::int64_t place = 0;
  const auto [end, bad] = std::from_chars(key.data(), key.data() + key.size(), place);
  return bad == std::errc{} && end == key.data() + key.size() && place >= 0 ? std::optional(place) : std::nullopt;
}

// Minus the mean loss orders the options as the log-likelihood per token does.
bool set_losses(const Json& record, StoredOutput& out) {
  const auto gold = record_text(record, {"gold", "refr"});
  for (const auto& [name, value] : record.items()) {
    if (!name.starts_with(kLabel)) continue;
    const Json* loss = record_at(value, "PPL");
    if (loss == nullptr || !loss->is_number()) return false;
    const std::string label = name.substr(kLabel.size());
    if (gold && *gold == label) out.gold_index = static_cast<int>(out.options.size());
    out.options.push_back(label);
    out.log_likelihoods.push_back(-loss->get<double>());
  }
  return true;
}

class OpenCompassReader : public PartReader {
 public:
  explicit OpenCompassReader(const std::string& path) : model_(folder_of_file(path)) {}
  Cut cut(std::string_view) const override { return Cut::document; }

  // The members of a record follow each other.
  Result<Used> add(const PartPlace& part, const Json& value, const StoredSink& sink) override {
    if (part.section != place_) ASSAY_OK(end(sink));
    if (part.key.empty()) return Used::malformed;  // a bare value among the records
    const bool fresh = record_.empty();
    place_ = std::string(part.section);
    record_[std::string(part.key)] = value.is_discarded() ? Json() : value;
    return fresh ? Used::record : Used::header;
  }

  // A record that cannot be used has no output, which the replay counts.
  Status end(const StoredSink& sink) override {
    const Json record = std::exchange(record_, Json::object());
    StoredOutput out;
    out.id = std::exchange(place_, {});
    if (record.empty() || out.id.empty()) return {};
    out.model = model_;
    out.ordinal = place_of(out.id);
    if (const auto prompt = record.find("origin_prompt"); prompt != record.end()) out.prompt = prompt_text(*prompt);
    out.gold = record_text(record, {"gold", "refr"});
    if (!out.ordinal) return sink(std::move(out));
    if (!set_losses(record, out)) out.log_likelihoods.clear();
    const auto predictions = record.find("prediction");
    if (predictions != record.end() && predictions->is_array()) return add_samples(*predictions, out, sink);
    out.output = record_text(record, "prediction");
    return sink(std::move(out));
  }

 private:
  // Self-consistency and n-sample inferencers keep a list.
  static Status add_samples(const Json& predictions, const StoredOutput& whole, const StoredSink& sink) {
    for (std::size_t i = 0; i < std::min(predictions.size(), kMaxPredictions); ++i) {
      if (!predictions[i].is_string()) continue;
      StoredOutput out = whole;
      out.sample = static_cast<std::int64_t>(i);
      out.output = predictions[i].get<std::string>();
      ASSAY_OK(sink(std::move(out)));
    }
    return {};
  }

  std::string model_, place_;
  Json record_ = Json::object();
};

}  // namespace

std::unique_ptr<PartReader> read_opencompass_parts(const StoredFile& file) { return std::make_unique<OpenCompassReader>(file.path); }

}  // namespace assay
