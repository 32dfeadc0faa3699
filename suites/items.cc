#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "suites/definition.h"
#include "suites/extract.h"
#include "suites/ifeval/ifeval.h"
#include "suites/prepare.h"
#include "suites/rows.h"

namespace assay {
namespace {

constexpr std::size_t kMaxGolds = 1000;  // published rows have below 100 (TriviaQA's aliases)

Error row_error(Code code, std::string message, std::string_view file, std::int64_t place,
                std::string field) {
  return Error{.code = code,
               .message = fmt::format("{} in row {}", message, place + 1),
               .file = std::string(file),
               .field = std::move(field)};
}

// Strings as they are, numbers and truth values as JSON writes them.
std::optional<std::string> as_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

Status set_options(const Json& value, Item& item, std::string_view file, std::int64_t place) {
  if (value.is_object() && !value.empty() && value.size() <= kMaxOptions) {  // {"option": 0 or 1}
    for (const auto& [option, flag] : value.items()) item.options.push_back(option);
    return {};
  }
  if (!value.is_array() || value.empty() || value.size() > kMaxOptions) {
    return row_error(Code::bad_value, "the options are no array of 1 to 26 texts", file, place, "options");
  }
  for (const auto& option : value) {
    if (!option.is_string())
      return row_error(Code::bad_value, "an option is no text", file, place, "options");
    item.options.push_back(option.get<std::string>());
  }
  return {};
}

// A list of texts as lines, a list of lists as one entry each.
std::optional<std::string> as_lines(const Json& value) {
  if (!value.is_array()) return as_text(value);
  std::string lines;
  for (const auto& entry : value) {
    const auto text = as_text(entry);
    if (!text) return std::nullopt;
    lines += (lines.empty() ? "" : "\n") + *text;
  }
  return lines;
}

// Other right answers: an array of texts, or of arrays of spans.
Status set_aliases(const Json& value, Item& item, std::string_view file, std::int64_t place) {
  if (!value.is_array()) return row_error(Code::bad_value, "the aliases are no array", file, place, "aliases");
  for (const auto& entry : value) {
    const auto alias = as_lines(entry);
    if (!alias) return row_error(Code::bad_value, "an alias is neither a text nor a list of texts", file, place, "aliases");
    item.golds.push_back(*alias);
  }
  return {};
}

bool is_instructions(const std::string& ours) { return ours == "instruction_id_list" || ours == "kwargs"; }

Status set_field(Item& item, const std::string& ours, const Json& value, std::string_view file,
                 std::int64_t place) {
  if (ours == "options") return set_options(value, item, file, place);
  if (ours == "aliases") return set_aliases(value, item, file, place);
  const auto text = is_instructions(ours) ? std::optional(dump_json(value)) : as_lines(value);
  if (!text) return row_error(Code::bad_value, "a field is neither text nor number", file, place, ours);
  if (ours == "id")
    item.id = *text;
  else if (ours == "subset")
    item.subset = *text;
  else if (ours == "cluster")
    item.cluster = *text;
  else if (ours == "question")
    item.question = *text;
  else if (ours == "passage")
    item.passage = *text;
  else if (ours == "gold")
    item.gold = *text;
  else if (ours == "text")
    item.text = *text;
  else
    item.extra.emplace_back(ours, *text);
  return {};
}

// The two lists become the gold, read once here so that an unknown instruction is refused before a run.
Status settle_instructions(Item& item, std::string_view file, std::int64_t place) {
  const auto ids = item.field("instruction_id_list"), arguments = item.field("kwargs");
  if (!ids || !arguments) return row_error(Code::missing_field, "the instructions are missing", file, place, "instruction_id_list");
  item.gold = fmt::format(R"({{"instruction_id_list":{},"kwargs":{}}})", *ids, *arguments);
  std::erase_if(item.extra, [](const auto& field) { return is_instructions(field.first); });
  ASSAY_OK(parse_instructions(item.gold, file));
  return {};
}

Error no_such_option(const Item& item, std::string_view file, std::int64_t place) {
  Error error = row_error(Code::out_of_range, "the right option is not one of the options", file, place, "gold");
  error.expected = fmt::format("0 to {}", static_cast<int>(item.options.size()) - 1);
  error.got = item.gold;
  return error;
}

// The right option by its place in `gold`, which is text by now.
Status settle_index(Item& item, int first, std::string_view file, std::int64_t place) {
  const auto [end, failed] = std::from_chars(item.gold.data(), item.gold.data() + item.gold.size(), item.gold_index);
  const bool whole = failed == std::errc{} && end == item.gold.data() + item.gold.size();
  if (!whole || item.gold_index < first || item.gold_index - first >= static_cast<int>(item.options.size())) {
    return no_such_option(item, file, place);
  }
  item.gold_index -= first;
  item.gold = fmt::format("{}", item.gold_index);
  return {};
}

Status cut_gold(Item& item, const ItemsSource& source, std::string_view file, std::int64_t place) {
  if (source.gold_after.empty()) return {};
  const auto at = item.gold.rfind(source.gold_after);
  if (at == std::string::npos)
    return row_error(Code::bad_value, "the gold answer lacks its marker", file, place, "gold");
  item.extra.emplace_back("solution", item.gold);
  item.gold = item.gold.substr(at + source.gold_after.size());
  item.gold.erase(0, item.gold.find_first_not_of(" \t"));
  return {};
}

Status cut_box(Item& item, std::string_view file, std::int64_t place) {
  const auto found = extract({ExtractorLink{.function = "boxed", .pattern = {}, .only_model = {}}}, item.gold);
  if (!found) return row_error(Code::bad_value, "the solution has no \\boxed answer", file, place, "gold");
  item.extra.emplace_back("solution", std::exchange(item.gold, found->answer));
  return {};
}

// What `gold` says about the right answer, as index and text.
Status settle_gold(Item& item, const ItemsSource& source, std::string_view file, std::int64_t place) {
  ASSAY_OK(cut_gold(item, source, file, place));
  switch (source.gold) {
    case GoldKind::letter:
      if (item.gold.size() == 1) item.gold = fmt::format("{}", item.gold[0] - 'A');
      return settle_index(item, 0, file, place);
    case GoldKind::first:
      item.gold = std::string(1, '0');
      return settle_index(item, 0, file, place);
    case GoldKind::index:
    case GoldKind::label:
    case GoldKind::flags:
      return settle_index(item, 0, file, place);
    case GoldKind::index1:
      return settle_index(item, 1, file, place);
    case GoldKind::boxed:
      ASSAY_OK(cut_box(item, file, place));
      break;
    case GoldKind::instructions:
      return settle_instructions(item, file, place);
    case GoldKind::none:
      return {};
    case GoldKind::text:
    case GoldKind::texts:
      break;
  }
  if (!item.gold.empty()) return {};
  return row_error(Code::missing_field, "the gold answer is empty", file, place, "gold");
}

// ["a", "b"] or [["a"], ["b"]]: the first is `gold`, an inner list is joined by ", ", as several spans of one answer are written.
Status set_golds(const Json& value, Item& item, std::string_view file, std::int64_t place) {
  if (!value.is_array() || value.empty() || value.size() > kMaxGolds) {
    return row_error(Code::bad_value, "the answers are no list of 1 to 1000 texts", file, place, "gold");
  }
  std::vector<std::string> golds;
  for (const auto& one : value) {
    std::string text;
    for (const auto& part : one.is_array() ? one : Json::array({one})) {
      const auto span = as_text(part);
      if (!span) return row_error(Code::bad_value, "an answer is no text", file, place, "gold");
      if (!text.empty()) text.append(", ");
      text.append(*span);
    }
    if (std::find(golds.begin(), golds.end(), text) == golds.end()) golds.push_back(std::move(text));
  }
  item.gold = golds.front();
  item.golds.assign(golds.begin() + 1, golds.end());
  return {};
}

// Place of the 1 among flags, or of the gold among the options' names, as `gold`.
Status place_gold(const Json& row, const Json& value, const ItemsSource& source, Item& item, std::string_view file, std::int64_t place) {
  const bool flags = source.gold == GoldKind::flags;
  const Json* list = flags ? &value : find_column(row, source.labels);
  if (list == nullptr || !list->is_structured()) return row_error(Code::missing_field, "a field is missing", file, place, flags ? "gold" : source.labels);
  const auto wanted = flags ? std::optional<std::string>("1") : as_text(value);
  int at = 0;
  for (const auto& one : *list) {
    if (wanted && as_text(one) == wanted) {
      item.gold = fmt::format("{}", at);
      return {};
    }
    ++at;
  }
  return row_error(Code::out_of_range, "the right option is not one of the options", file, place, "gold");
}

// The text between the rule's two ends.
Status strip_text(const StripRule& rule, std::string& text, std::string_view file, std::int64_t place) {
  const bool fits = text.size() >= rule.before.size() + rule.after.size() && text.starts_with(rule.before) && text.ends_with(rule.after);
  if (!fits) return row_error(Code::bad_value, "a text does not begin and end as the definition says", file, place, rule.field);
  text = text.substr(rule.before.size(), text.size() - rule.before.size() - rule.after.size());
  return {};
}

void trim_text(std::string& text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto begin = text.find_first_not_of(kBlanks);
  text = begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string* own_text(Item& item, std::string_view name) {
  if (name == "question") return &item.question;
  if (name == "passage") return &item.passage;
  if (name == "text") return &item.text;
  if (name == "gold") return &item.gold;
  for (auto& [key, value] : item.extra) {
    if (key == name) return &value;
  }
  return nullptr;
}

Status clean(Item& item, const ItemsSource& source, std::string_view file, std::int64_t place) {
  for (const StripRule& rule : source.strip) {
    std::string* text = own_text(item, rule.field);
    if (text == nullptr) return row_error(Code::missing_field, "a field is missing", file, place, rule.field);
    ASSAY_OK(strip_text(rule, *text, file, place));
  }
  for (const std::string& name : source.trim) {
    if (std::string* text = own_text(item, name)) trim_text(*text);
    if (name == "options") std::for_each(item.options.begin(), item.options.end(), trim_text);
  }
  if (!source.prepare.empty()) ASSAY_OK(prepare_item(source.prepare, item));
  if (!source.split) return {};
  const SplitRule& rule = *source.split;
  const std::string* text = own_text(item, rule.field);
  const auto at = text == nullptr ? std::string::npos : text->find(rule.at);
  if (at == std::string::npos) return row_error(Code::bad_value, "a text lacks the mark at which it is cut", file, place, rule.field);
  std::string before = text->substr(0, at), after = text->substr(at + rule.at.size());
  item.extra.emplace_back(rule.before, std::move(before));
  item.extra.emplace_back(rule.after, std::move(after));
  return {};
}

Result<Item> finish_item(Item item, const ItemsSource& source, std::int64_t place, std::string_view file) {
  if (item.id.empty()) item.id = fmt::format("{}{}", source.id_prefix, place);
  ASSAY_OK(settle_gold(item, source, file, place));
  ASSAY_OK(clean(item, source, file, place));
  return item;
}

// "A,B,C,D": one option a column.
Status options_of_columns(const Json& row, std::string_view columns, Item& item, std::string_view file, std::int64_t place) {
  for (std::size_t begin = 0; begin <= columns.size();) {
    const auto end = std::min(columns.find(',', begin), columns.size());
    const auto name = columns.substr(begin, end - begin);
    const Json* value = find_column(row, name);
    const auto text = value == nullptr ? std::nullopt : as_text(*value);
    if (!text) return row_error(Code::missing_field, "a field is missing", file, place, std::string(name));
    item.options.push_back(*text);
    begin = end + 1;
  }
  if (item.options.size() <= kMaxOptions) return {};
  return row_error(Code::bad_value, "the options are no array of 1 to 26 texts", file, place, "options");
}

Status set_column(const Json& row, const ItemsSource& source, const std::string& ours, const std::string& theirs, Item& item,
                  std::string_view file, std::int64_t place) {
  if (ours == "options" && theirs.find(',') != std::string::npos) return options_of_columns(row, theirs, item, file, place);
  const Json* value = find_column(row, theirs);
  if (value == nullptr) return row_error(Code::missing_field, "a field is missing", file, place, theirs);
  if (ours == "gold" && source.gold == GoldKind::texts) return set_golds(*value, item, file, place);
  if (ours == "gold" && (source.gold == GoldKind::label || source.gold == GoldKind::flags)) {
    return place_gold(row, *value, source, item, file, place);
  }
  return set_field(item, ours, *value, file, place);
}

}  // namespace

Result<Item> item_from_json(const Json& row, const ItemsSource& source, std::int64_t place,
                            std::string_view file) {
  if (!row.is_object()) return row_error(Code::bad_value, "an object is expected", file, place, "");
  Item item;
  for (const auto& [ours, theirs] : source.fields) ASSAY_OK(set_column(row, source, ours, theirs, item, file, place));
  return finish_item(std::move(item), source, place, file);
}

}  // namespace assay
