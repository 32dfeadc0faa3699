#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/sha256.h"
#include "suites/definition.h"
#include "suites/input.h"

namespace assay {
namespace {

constexpr std::size_t kMaxItemsBytes = std::size_t{1} << 30;

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

Status set_field(Item& item, const std::string& ours, const Json& value, std::string_view file,
                 std::int64_t place) {
  if (ours == "options") return set_options(value, item, file, place);
  const auto text = as_text(value);
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

// What `gold` says about the right answer, as index and text.
Status settle_gold(Item& item, const ItemsSource& source, std::string_view file, std::int64_t place) {
  if (!source.gold_after.empty()) {
    const auto at = item.gold.rfind(source.gold_after);
    if (at == std::string::npos)
      return row_error(Code::bad_value, "the gold answer lacks its marker", file, place, "gold");
    item.extra.emplace_back("solution", item.gold);
    item.gold = item.gold.substr(at + source.gold_after.size());
    item.gold.erase(0, item.gold.find_first_not_of(" \t"));
  }
  if (source.gold == GoldKind::letter && item.gold.size() == 1)
    item.gold = fmt::format("{}", item.gold[0] - 'A');
  if (source.gold == GoldKind::index || source.gold == GoldKind::letter) {
    const auto [end, failed] =
        std::from_chars(item.gold.data(), item.gold.data() + item.gold.size(), item.gold_index);
    const bool whole = failed == std::errc{} && end == item.gold.data() + item.gold.size();
    if (!whole || item.gold_index < 0 || item.gold_index >= static_cast<int>(item.options.size())) {
      Error error =
          row_error(Code::out_of_range, "the right option is not one of the options", file, place, "gold");
      error.expected = fmt::format("0 to {}", static_cast<int>(item.options.size()) - 1);
      error.got = item.gold;
      return error;
    }
  }
  if (source.gold == GoldKind::text && item.gold.empty()) {
    return row_error(Code::missing_field, "the gold answer is empty", file, place, "gold");
  }
  return {};
}

Result<Item> finish_item(Item item, const ItemsSource& source, std::int64_t place, std::string_view file) {
  if (item.id.empty()) item.id = fmt::format("{}{}", source.id_prefix, place);
  ASSAY_OK(settle_gold(item, source, file, place));
  return item;
}

// A CSV row as JSON under our names: fields name columns by number, "options" by "first-last".
Result<Json> csv_object(const std::vector<std::string>& row, const ItemsSource& source,
                        const std::string& subset, std::string_view file, std::int64_t place) {
  Json object = Json::object();
  for (const auto& [ours, theirs] : source.fields) {
    if (theirs == "*") {
      object[ours] = subset;
      continue;
    }
    std::size_t first = 0, last = 0;
    const char* end = theirs.data() + theirs.size();
    const auto [stop, bad] = std::from_chars(theirs.data(), end, first);
    last = first;
    const bool range = bad == std::errc{} && stop != end && *stop == '-';
    if (range) std::from_chars(stop + 1, end, last);
    if (bad != std::errc{} || last < first || last >= row.size()) {
      return row_error(Code::missing_field, "a column is missing", file, place, ours);
    }
    if (!range) {
      object[ours] = row[first];
      continue;
    }
    for (std::size_t i = first; i <= last; ++i) object[ours].push_back(row[i]);
  }
  return object;
}

ItemsSource identity_names(const ItemsSource& source) {
  ItemsSource named = source;
  for (auto& [ours, theirs] : named.fields) theirs = ours;
  return named;
}

Status append_csv(const Member& member, const ItemsSource& source, const std::string& file,
                  std::vector<Item>& items) {
  std::string subset;
  fits(member.name, source.member, &subset);
  ASSAY_TRY(const auto rows, parse_csv(member.text, file));
  const ItemsSource named = identity_names(source);
  for (const auto& row : rows) {
    const auto place = static_cast<std::int64_t>(items.size());
    ASSAY_TRY(const Json object, csv_object(row, source, subset, file, place));
    ASSAY_TRY(Item item, item_from_json(object, named, place, file));
    items.push_back(std::move(item));
  }
  return {};
}

Status append_json(const Member& member, const ItemsSource& source, const std::string& file,
                   std::vector<Item>& items) {
  RecordSplitter splitter([&](std::string_view record) -> Status {
    const auto place = static_cast<std::int64_t>(items.size());
    ASSAY_TRY(const Json row, parse_json(record, file));
    ASSAY_TRY(Item item, item_from_json(row, source, place, file));
    items.push_back(std::move(item));
    return {};
  });
  ASSAY_OK(splitter.add(member.text));
  ASSAY_OK(splitter.finish());
  if (!splitter.unterminated()) return {};
  return Error{.code = Code::truncated, .message = "the array of items does not end", .file = file};
}

// The digest of one plain text, or of the names and texts of a zip's members.
std::string digest_members(const std::vector<Member>& members) {
  if (members.size() == 1 && members[0].name.empty()) return sha256_hex(members[0].text);
  Sha256 sha;
  for (const auto& member : members) sha.add_field(member.name).add_field(member.text);
  return sha.hex();
}

Result<std::vector<Member>> read_pinned(const std::string& path, const std::string& member,
                                        const std::string& sha256) {
  ASSAY_TRY(const std::string packed, find_packed(path));
  ASSAY_TRY(auto members, read_members(packed, member, kMaxItemsBytes));
  const std::string digest = digest_members(members);
  if (digest == sha256) return members;
  return Error{.code = Code::digest_changed,
               .message = "the file is not the one that the suite's definition pins",
               .file = packed,
               .field = "sha256",
               .expected = sha256,
               .got = digest};
}

Status check_unique(const std::vector<Item>& items, std::string_view file) {
  std::unordered_set<std::string_view> seen;
  for (const auto& item : items) {
    if (seen.insert(item.id).second) continue;
    return Error{.code = Code::duplicate,
                 .message = "two items have one id",
                 .file = std::string(file),
                 .field = "id",
                 .got = item.id};
  }
  return {};
}

Status check_count(std::size_t got, std::int64_t expected, std::string_view file) {
  if (static_cast<std::int64_t>(got) == expected) return {};
  return Error{.code = Code::bad_value,
               .message = "the number of items is not the one that the definition announces",
               .file = std::string(file),
               .field = "count",
               .expected = fmt::format("{}", expected),
               .got = fmt::format("{}", got)};
}

Result<std::vector<Item>> read_rows(const ItemsSource& source, const std::string& path) {
  ASSAY_TRY(const auto members, read_pinned(path, source.member, source.sha256));
  std::vector<Item> items;
  for (const auto& member : members) {
    ASSAY_OK(source.format == ItemFormat::csv ? append_csv(member, source, path, items)
                                              : append_json(member, source, path, items));
  }
  ASSAY_OK(check_count(items.size(), source.count, path));
  ASSAY_OK(check_unique(items, path));
  return items;
}

}  // namespace

Result<Item> item_from_json(const Json& row, const ItemsSource& source, std::int64_t place,
                            std::string_view file) {
  if (!row.is_object()) return row_error(Code::bad_value, "an object is expected", file, place, "");
  Item item;
  for (const auto& [ours, theirs] : source.fields) {
    const auto at = row.find(theirs);
    if (at == row.end()) return row_error(Code::missing_field, "a field is missing", file, place, theirs);
    ASSAY_OK(set_field(item, ours, *at, file, place));
  }
  return finish_item(std::move(item), source, place, file);
}

Result<std::vector<Item>> read_items(const ItemsSource& source, const std::string& folder) {
  return read_rows(source, fmt::format("{}/{}", folder, source.file));
}

Result<std::vector<Item>> read_fewshot(const Definition& definition, const std::string& folder) {
  const FewshotSource& shots = *definition.fewshot;
  const std::string path = fmt::format("{}/{}", folder, shots.file);
  ItemsSource source = definition.items;
  source.id_prefix = "example-";
  std::erase_if(source.fields, [](const auto& pair) { return pair.first == "id"; });
  if (shots.key.empty()) {
    source.member = shots.member;
    source.sha256 = shots.sha256;
    source.count = shots.count;
    return read_rows(source, path);
  }
  std::erase_if(source.fields,
                [](const auto& pair) { return pair.first == "subset"; });  // examples need none
  ASSAY_TRY(const auto members, read_pinned(path, "", shots.sha256));
  ASSAY_TRY(const Json document, parse_json(members.front().text, path));
  const auto list = document.find(shots.key);
  if (!document.is_object() || list == document.end() || !list->is_array()) {
    return Error{.code = Code::missing_field,
                 .message = "no such array of examples",
                 .file = path,
                 .field = shots.key};
  }
  std::vector<Item> items;
  for (const auto& row : *list) {
    ASSAY_TRY(Item item, item_from_json(row, source, static_cast<std::int64_t>(items.size()), path));
    items.push_back(std::move(item));
  }
  ASSAY_OK(check_count(items.size(), shots.count, path));
  return items;
}

}  // namespace assay
