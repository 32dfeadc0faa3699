#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/definition.h"
#include "suites/locate.h"
#include "suites/prepare.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxItems = 5'000'000;
constexpr std::size_t kMaxSources = 16;

bool is_digest(const std::string& text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 64 && std::all_of(text.begin(), text.end(), hex);
}

Status parse_place(Fields& fields, ItemsSource& s) {
  const bool named = s.origin != Origin::outputs || fields.has("file");
  if (named) {
    ASSAY_TRY(s.file, fields.text("file"));
    if (!is_inner_path(s.file)) return fields.wrong("file", "a path inside the folder of the data");
  }
  ASSAY_TRY(s.member, fields.text("member", ""));
  ASSAY_TRY(s.from, fields.text("from", ""));
  ASSAY_TRY(s.sha256, fields.text("sha256", ""));
  if (!s.sha256.empty() && !is_digest(s.sha256)) return fields.wrong("sha256", "64 lower-case hexadecimal digits");
  // What is bundled or named by outputs is known; what others distribute may have a digest that we have not seen.
  if (s.sha256.empty() && s.origin != Origin::data) return fields.wrong("sha256", "64 lower-case hexadecimal digits");
  ASSAY_TRY(s.count, fields.integer("count", 0, 1, kMaxItems));
  if (s.count == 0 && s.origin != Origin::data) return fields.wrong("count", "the number of items");
  return {};
}

Status parse_names(Fields& fields, ItemsSource& s) {
  if (!fields.has("fields")) return {};
  ASSAY_TRY(const Json* names, fields.object("fields"));
  s.fields.clear();
  for (const auto& [ours, theirs] : names->items()) {
    if (!theirs.is_string()) return fields.wrong("fields", "names of columns");
    s.fields.emplace_back(ours, theirs.get<std::string>());
  }
  return {};
}

Status parse_rows(Fields& fields, ItemsSource& s) {
  ASSAY_TRY(const int format, fields.choice("format", {"jsonl", "csv", "tsv", "json", "text"}, static_cast<int>(s.format)));
  s.format = static_cast<ItemFormat>(format);
  ASSAY_TRY(s.key, fields.text("key", s.key));
  if (!s.key.empty() && !fields.has("format")) s.format = ItemFormat::json;
  ASSAY_TRY(s.header, fields.flag("header", s.header));
  ASSAY_TRY(const int gold, fields.choice("gold", {"none", "text", "index", "index1", "letter", "label", "flags", "first", "boxed", "texts", "instructions"},
                                          static_cast<int>(s.gold)));
  s.gold = static_cast<GoldKind>(gold);
  ASSAY_TRY(s.gold_after, fields.text("gold_after", s.gold_after));
  ASSAY_TRY(s.id_prefix, fields.text("id_prefix", s.id_prefix));
  ASSAY_TRY(s.text_after, fields.text("text_after", s.text_after));
  ASSAY_TRY(s.labels, fields.text("labels", s.labels));
  if (s.gold == GoldKind::label && s.labels.empty()) return fields.wrong("labels", "the column that names the options");
  ASSAY_TRY(s.distinct, fields.text("distinct", s.distinct));
  return {};
}

Status parse_below(Fields& fields, ItemsSource& s, std::string_view file) {
  if (!fields.has("below")) return {};
  ASSAY_TRY(const Json* object, fields.object("below"));
  Fields below(*object, file);
  ASSAY_TRY(s.below_field, below.text("field"));
  ASSAY_TRY(s.below, below.integer("value", 0, 1, std::int64_t{1} << 53));
  if (s.below == 0) return below.wrong("value", "a number above 0");
  return below.finish();
}

Status parse_strip(Fields& fields, ItemsSource& s, std::string_view file) {
  if (!fields.has("strip")) return {};
  ASSAY_TRY(const Json* rules, fields.array("strip"));
  s.strip.clear();
  for (const auto& entry : *rules) {
    Fields rule(entry, file);
    StripRule one;
    ASSAY_TRY(one.field, rule.text("field"));
    ASSAY_TRY(one.before, rule.text("before", ""));
    ASSAY_TRY(one.after, rule.text("after", ""));
    ASSAY_OK(rule.finish());
    s.strip.push_back(std::move(one));
  }
  return {};
}

Status parse_cleaning(Fields& fields, ItemsSource& s, std::string_view file) {
  if (fields.has("trim")) {
    ASSAY_TRY(s.trim, fields.texts("trim"));
  }
  ASSAY_OK(parse_below(fields, s, file));
  ASSAY_OK(parse_strip(fields, s, file));
  ASSAY_TRY(s.prepare, fields.text("prepare", s.prepare));
  if (!s.prepare.empty() && !is_preparation(s.prepare)) return fields.wrong("prepare", "a preparation of suites/prepare.h");
  if (!fields.has("split")) return {};
  ASSAY_TRY(const Json* object, fields.object("split"));
  Fields split(*object, file);
  SplitRule rule;
  ASSAY_TRY(rule.field, split.text("field"));
  ASSAY_TRY(rule.at, split.text("at"));
  ASSAY_TRY(rule.before, split.text("before"));
  ASSAY_TRY(rule.after, split.text("after"));
  if (rule.at.empty()) return split.wrong("at", "the text at which the field is cut");
  ASSAY_OK(split.finish());
  s.split = std::move(rule);
  return {};
}

// `s` comes with what is not said again: rows of examples look like rows of items unless the definition says otherwise.
Result<ItemsSource> parse_source(const Json& object, ItemsSource s, std::string_view file) {
  Fields fields(object, file);
  ASSAY_OK(parse_place(fields, s));
  ASSAY_OK(parse_rows(fields, s));
  ASSAY_OK(parse_names(fields, s));
  ASSAY_OK(parse_cleaning(fields, s, file));
  ASSAY_OK(fields.finish());
  return s;
}

Result<ItemsSource> parse_own(const Json& object, std::string_view file) {
  Fields fields(object, file);
  ItemsSource s;
  ASSAY_TRY(const int origin, fields.choice("origin", {"bundled", "data", "outputs"}, 0));
  s.origin = static_cast<Origin>(origin);
  if (!fields.has("fields")) return fields.wrong("fields", "an object");
  Json rest = object;
  rest.erase("origin");
  return parse_source(rest, std::move(s), file);
}

// Examples under `key` of one document, as the bundled suites have them, need no sub-task.
Result<ItemsSource> parse_examples(const Json& object, const ItemsSource& like, const std::string& name, std::string_view file) {
  ItemsSource s = like;
  s.name = name;
  s.id_prefix = name.empty() ? "example-" : name + "-";
  // What chooses and cuts rows is said for each file anew.
  s.member.clear();
  s.distinct.clear();
  s.below_field.clear();
  s.strip.clear();
  s.prepare.clear();
  s.split.reset();
  const bool own_names = object.is_object() && object.contains("fields");
  if (!own_names) std::erase_if(s.fields, [](const auto& pair) { return pair.first == "id"; });
  const bool in_document = object.is_object() && object.contains("key") && !object.contains("fields");
  if (in_document) std::erase_if(s.fields, [](const auto& pair) { return pair.first == "subset"; });
  return parse_source(object, std::move(s), file);
}

}  // namespace

Status parse_sources(Fields& fields, Definition& definition, std::string_view file) {
  if (!fields.has("items")) return fields.wrong("items", "where the items are");
  const Json* items = fields.any("items");
  const bool several = items->is_array();
  if (several && (items->empty() || items->size() > kMaxSources)) return fields.wrong("items", "1 to 16 sources");
  for (std::size_t i = 0; i < (several ? items->size() : 1); ++i) {
    const Json& one = several ? items->at(i) : *items;
    if (!one.is_object()) return fields.wrong("items", "an object, or an array of objects");
    ASSAY_TRY(ItemsSource source, parse_own(one, file));
    definition.items.push_back(std::move(source));
  }
  ASSAY_CHECK(!definition.items.empty());
  if (fields.has("fewshot")) {
    ASSAY_TRY(const Json* shots, fields.object("fewshot"));
    ASSAY_TRY(definition.fewshot, parse_examples(*shots, definition.items.front(), "", file));
  }
  if (!fields.has("splits")) return {};
  ASSAY_TRY(const Json* splits, fields.object("splits"));
  if (splits->size() > kMaxSources) return fields.wrong("splits", "at most 16 sets of examples");
  for (const auto& [name, object] : splits->items()) {
    if (name.empty() || name == "items") return fields.wrong("splits", "names other than \"\" and \"items\"");
    ASSAY_TRY(ItemsSource source, parse_examples(object, definition.items.front(), name, file));
    definition.splits.push_back(std::move(source));
  }
  return {};
}

}  // namespace assay
