#include "reference/text/post_processor.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reference/text/normalizer.h"
#include "reference/text/vocabulary.h"

namespace assay {
namespace {

Error broken(const std::string& file, const std::string& field, std::string expected) {
  return Error{.code = Code::bad_value,
               .message = "the post-processor cannot be used",
               .file = file,
               .field = field,
               .expected = std::move(expected)};
}

bool usable_id(const Json& id) {
  return id.is_number_unsigned() && id.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTokenId);
}

}  // namespace

Result<PostProcessor> PostProcessor::from_json(const Json& json, const std::string& file) {
  PostProcessor out;
  if (!json.is_null()) ASSAY_OK(out.add(json, file, "post_processor", 0));
  return out;
}

Status PostProcessor::add(const Json& json, const std::string& file, const std::string& field, int depth) {
  ASSAY_TRY(const std::string kind, read_kind(json, file, field));
  if (kind == "ByteLevel") return {};
  if (kind == "TemplateProcessing") return add_template(json, file, field);
  if (kind == "RobertaProcessing" || kind == "BertProcessing") return add_pair(json, file, field);
  if (kind != "Sequence") return unknown_kind(kind, file, field);
  ASSAY_TRY(const Json* list, read_sequence(json, "processors", file, field, depth));
  for (std::size_t i = 0; i < list->size(); ++i)
    ASSAY_OK(add((*list)[i], file, fmt::format("{}[{}]", field, i), depth + 1));
  return {};
}

// "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids":
// [1]}}
Status PostProcessor::add_template(const Json& json, const std::string& file, const std::string& field) {
  const auto single = json.find("single");
  const auto special = json.find("special_tokens");
  if (single == json.end() || !single->is_array()) return broken(file, field + ".single", "an array");
  bool seen = false;
  std::vector<int> before, after;
  for (const Json& part : *single) {
    if (part.is_object() && part.contains("Sequence")) {
      if (seen) return broken(file, field + ".single", "one sequence");
      seen = true;
      continue;
    }
    const bool named =
        part.is_object() && part.contains("SpecialToken") && part.at("SpecialToken").is_object();
    ASSAY_TRY(const std::string name,
              json_string(named ? part.at("SpecialToken") : Json::object(), "id", file));
    const bool known = special != json.end() && special->is_object() && special->contains(name) &&
                       special->at(name).is_object();
    const auto ids = known ? special->at(name).find("ids") : single->end();
    if (!known || ids == special->at(name).end() || !ids->is_array())
      return broken(file, fmt::format("{}.special_tokens.{}", field, name), "ids");
    for (const Json& id : *ids) {
      if (!usable_id(id))
        return broken(file, fmt::format("{}.special_tokens.{}", field, name), "ids that are integers");
      (seen ? after : before).push_back(id.get<int>());
    }
  }
  if (!seen) return broken(file, field + ".single", "a sequence");
  before_.insert(before_.begin(), before.begin(), before.end());
  after_.insert(after_.end(), after.begin(), after.end());
  return {};
}

// "cls": ["<s>", 0], "sep": ["</s>", 2]
Status PostProcessor::add_pair(const Json& json, const std::string& file, const std::string& field) {
  for (const char* name : {"cls", "sep"}) {
    const auto it = json.find(name);
    const bool usable = it != json.end() && it->is_array() && it->size() == 2 && usable_id((*it)[1]);
    if (!usable) return broken(file, fmt::format("{}.{}", field, name), "[token, id]");
    const int id = (*it)[1].get<int>();
    if (std::string_view(name) == "cls")
      before_.insert(before_.begin(), id);
    else
      after_.push_back(id);
  }
  return {};
}

PostProcessor PostProcessor::around(std::vector<int> before, std::vector<int> after) {
  PostProcessor out;
  out.before_ = std::move(before);
  out.after_ = std::move(after);
  return out;
}

void PostProcessor::apply(std::vector<int>& ids) const {
  ids.insert(ids.begin(), before_.begin(), before_.end());
  ids.insert(ids.end(), after_.begin(), after_.end());
}

}  // namespace assay
