// facebookresearch/cruxeval: {"sample_0": [texts], ...}, or the scored form with raw_generations, raw_scored_generations (a flag a text) and
// pass_at_1, pass_at_5 in percent. The flags are what running the code gave; without them nothing is judged here.
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "eval/replay/stored.h"

namespace assay {
namespace {

struct CruxAnswers {
  std::vector<std::string> texts;
  std::vector<std::optional<bool>> flags;
};

class State {
 public:
  CruxAnswers& of(const std::string& id) {
    const auto [at, fresh] = answers_.try_emplace(id);
    if (fresh) order_.push_back(id);
    return at->second;
  }

  // An item with more flags than texts, or the other way round, is given without any: it cannot be used.
  Status give(const StoredSink& sink) {
    for (const auto& id : order_) {
      CruxAnswers& own = answers_.at(id);
      StoredOutput out;
      out.id = id;
      const bool fits = own.flags.empty() || own.flags.size() == own.texts.size();
      for (std::size_t i = 0; fits && i < own.texts.size(); ++i) {
        out.samples.push_back({.output = std::move(own.texts[i]), .flag = own.flags.empty() ? std::nullopt : own.flags[i]});
      }
      ASSAY_OK(sink(std::move(out)));
    }
    order_.clear();
    answers_.clear();
    return {};
  }

 private:
  std::unordered_map<std::string, CruxAnswers> answers_;
  std::vector<std::string> order_;
};

bool add_texts(CruxAnswers& answers, const Json& value) {
  if (!value.is_array()) return false;
  for (const auto& text : value) {
    if (!text.is_string()) return false;
    answers.texts.push_back(text.get<std::string>());
  }
  return true;
}

bool add_flags(CruxAnswers& answers, const Json& value) {
  if (!value.is_array()) return false;
  for (const auto& flag : value) answers.flags.push_back(flag.is_boolean() ? std::optional(flag.get<bool>()) : std::nullopt);
  return true;
}

}  // namespace

DocumentReader read_cruxeval_document(const StoredFile&) {
  const auto state = std::make_shared<State>();
  DocumentReader reader;
  reader.end = [state](const StoredSink& sink) { return state->give(sink); };
  reader.part = [state](const DocumentPart& part, const Json& value, const StoredSink& sink) -> Result<bool> {
    if (part.section == "raw_generations") return add_texts(state->of(part.key), value);
    if (part.section == "raw_scored_generations") return add_flags(state->of(part.key), value);
    if (part.section.starts_with("pass_at_") && part.key.empty()) {
      sink.figure({.metric = "pass@" + part.section.substr(8), .printed = std::string(part.text)});
      return true;
    }
    if (!value.is_string()) return false;
    state->of(part.section).texts.push_back(value.get<std::string>());
    return true;
  };
  return reader;
}

}  // namespace assay
