// HELM scenario_state.json (helm/benchmark/adaptation/scenario_state.py and request_state.py): adapter_spec, then request_states, one a
// request. Generation and joint multiple choice have one request an instance; separate multiple choice has one a reference, whose text is
// echoed with its log-probabilities, and in the calibrated form one more without the question. Further trials and outputs are samples.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "eval/replay/stored_parts.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxIndex = 1'000'000;
constexpr std::size_t kMaxReferences = 26;

std::optional<std::int64_t> integer_at(const Json& record, std::string_view path) {
  const Json* at = record_at(record, path);
  const bool usable = at != nullptr && at->is_number_integer() && at->get<std::int64_t>() >= 0 && at->get<std::int64_t>() < kMaxIndex;
  return usable ? std::optional(at->get<std::int64_t>()) : std::nullopt;
}

// "id12" is the instance's place in the scenario.
std::optional<std::int64_t> ordinal_of(const std::string& id) {
  const bool numbered = id.size() > 2 && id.size() < 10 && id.starts_with("id") &&
                        std::all_of(id.begin() + 2, id.end(), [](char c) { return c >= '0' && c <= '9'; });
  return numbered ? std::optional<std::int64_t>(std::stoll(id.substr(2))) : std::nullopt;
}

bool is_correct(const Json& reference) {
  const Json* tags = record_at(reference, "tags");
  return tags != nullptr && tags->is_array() && std::find(tags->begin(), tags->end(), "correct") != tags->end();
}

// References are the options of a choice; of a generation the accepted answers, of which the first is kept.
void set_instance(const Json& state, StoredOutput& out) {
  out.id = record_text(state, "instance.id").value_or("");
  out.ordinal = ordinal_of(out.id);
  out.question = record_text(state, "instance.input.text").value_or(record_text(state, "instance.input").value_or(""));
  out.subset = record_text(state, "instance.sub_split").value_or("");
  out.prompt = record_text(state, "request.prompt");
  const Json* references = record_at(state, "instance.references");
  if (references == nullptr || !references->is_array() || references->size() > kMaxReferences) return;
  for (const auto& reference : *references) {
    const auto text = record_text(reference, "output.text");
    const bool correct = is_correct(reference);
    if (correct && out.gold_index < 0) out.gold_index = static_cast<int>(out.options.size());
    if (correct && !out.gold) out.gold = text;
    out.options.push_back(text.value_or(""));
  }
}

// The letter under which the right option was shown.
void set_gold_letter(const Json& state, StoredOutput& out) {
  const Json* mapping = record_at(state, "output_mapping");
  if (mapping == nullptr || !mapping->is_object() || !out.gold) return;
  for (const auto& [letter, text] : mapping->items()) {
    if (text.is_string() && text.get<std::string>() == *out.gold) {
      out.gold = letter;
      return;
    }
  }
}

struct Echo {
  double logprob_nats = 0;
  std::int64_t tokens = 0;
};

// The last tokens of an echoed prompt that make up " REFERENCE".
std::optional<Echo> echo_of(const Json& completion, const std::string& reference) {
  const Json* tokens = record_at(completion, "tokens");
  if (tokens == nullptr || !tokens->is_array()) return std::nullopt;
  Echo echo;
  std::size_t left = reference.size() + 1;
  for (auto token = tokens->rbegin(); token != tokens->rend() && left > 0; ++token) {
    const auto text = record_text(*token, "text");
    const Json* logprob = record_at(*token, "logprob");
    if (!text || logprob == nullptr || !logprob->is_number()) return std::nullopt;
    echo.logprob_nats += logprob->get<double>();
    ++echo.tokens;
    left -= std::min(left, text->size());
  }
  return left <= 1 && echo.tokens > 0 ? std::optional(echo) : std::nullopt;
}

class HelmReader : public PartReader {
 public:
  Cut cut(std::string_view) const override { return Cut::document; }
  Result<Used> add(const PartPlace& part, const Json& value, const StoredSink& sink) override {
    if (part.section != "request_states" || part.key.empty()) {
      const bool names = part.section == "adapter_spec" && value.is_string();
      if (names && (part.key == "model" || (part.key == "model_deployment" && model_.empty()))) model_ = value.get<std::string>();
      const bool known = part.section == "adapter_spec" || part.section == "annotator_specs" || part.section == "request_states";
      return known ? Used::header : Used::malformed;
    }
    const bool usable = value.is_object() && record_at(value, "instance.id") != nullptr;
    if (!usable) return Used::malformed;
    const auto reference = integer_at(value, "reference_index");
    if (reference) return add_reference(value, *reference, sink);
    return add_completions(value, sink);
  }

  Status end(const StoredSink& sink) override { return put_choice(sink); }

 private:
  // A perturbed instance is another question of the same name.
  static void name_perturbed(const Json& state, StoredOutput& out) {
    const auto name = record_text(state, "instance.perturbation.name");
    if (name) out.id += "@" + *name;
    if (name) out.ordinal.reset();
  }

  Result<Used> add_completions(const Json& state, const StoredSink& sink) {
    StoredOutput whole;
    whole.model = model_;
    set_instance(state, whole);
    set_gold_letter(state, whole);
    name_perturbed(state, whole);
    const std::int64_t trial = integer_at(state, "train_trial_index").value_or(0);
    const Json* completions = record_at(state, "result.completions");
    const std::size_t n = completions != nullptr && completions->is_array() ? completions->size() : 0;
    for (std::size_t i = 0; i < std::max<std::size_t>(n, 1); ++i) {
      StoredOutput out = whole;
      out.sample = trial * kMaxIndex + static_cast<std::int64_t>(i);
      if (i < n) out.output = record_text((*completions)[i], "text");
      if (i < n) out.finish_reason = record_text((*completions)[i], {"finish_reason.reason", "finish_reason"});
      ASSAY_OK(sink(std::move(out)));
    }
    return Used::record;
  }

  // Requests about one instance follow each other.
  Result<Used> add_reference(const Json& state, std::int64_t reference, const StoredSink& sink) {
    StoredOutput out;
    out.model = model_;
    set_instance(state, out);
    name_perturbed(state, out);
    out.sample = integer_at(state, "train_trial_index").value_or(0);
    if (out.id != choice_.id || out.sample != choice_.sample) {
      ASSAY_OK(put_choice(sink));
      choice_ = out;
    }
    const Json* completion = record_at(state, "result.completions.0");
    const bool inside = reference < static_cast<std::int64_t>(out.options.size());
    const auto echo = completion != nullptr && inside ? echo_of(*completion, out.options[static_cast<std::size_t>(reference)]) : std::nullopt;
    if (!echo) return Used::malformed;
    const bool calibration = record_text(state, "request_mode") == "calibration";
    (calibration ? without_question_ : with_question_)[reference] = *echo;
    return Used::record;
  }

  // Complete where every reference was asked; the calibrated form divides by the likelihood without the question.
  Status put_choice(const StoredSink& sink) {
    StoredOutput out = std::exchange(choice_, {});
    const auto asked = std::exchange(with_question_, {});
    const auto alone = std::exchange(without_question_, {});
    if (out.id.empty()) return {};
    if (asked.size() == out.options.size() && (alone.empty() || alone.size() == asked.size())) {
      for (const auto& [index, echo] : asked) {
        const double without = alone.empty() ? 0 : alone.at(index).logprob_nats;
        out.log_likelihoods.push_back(echo.logprob_nats - without);
        out.option_tokens.push_back(echo.tokens);
      }
    }
    return sink(std::move(out));
  }

  std::string model_;
  StoredOutput choice_;
  std::map<std::int64_t, Echo> with_question_, without_question_;
};

}  // namespace

std::unique_ptr<PartReader> read_helm_parts(const StoredFile&) { return std::make_unique<HelmReader>(); }

}  // namespace assay
