#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "suites/definition.h"
#include "suites/rows.h"

namespace assay {
namespace {

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

Status check_facts(const ItemsSource& source, const SourceFacts& facts, const std::string& path) {
  if (!source.sha256.empty() && facts.sha256 != source.sha256) {
    return Error{.code = Code::digest_changed,
                 .message = "the file is not the one that the suite's definition pins",
                 .file = path,
                 .field = "sha256",
                 .expected = source.sha256,
                 .got = facts.sha256};
  }
  if (source.count == 0 || facts.count == source.count) return {};
  return Error{.code = Code::bad_value,
               .message = "the number of items is not the one that the definition announces",
               .file = path,
               .field = "count",
               .expected = fmt::format("{}", source.count),
               .got = fmt::format("{}", facts.count)};
}

// Rows that cannot be read are, first of all, rows of another file than the one that the definition means.
Error prefer_digest(const ItemsSource& source, const std::string& folder, const std::string& path, Error error) {
  const auto digest = source.sha256.empty() ? Result<std::string>(std::string()) : digest_source(source, folder);
  if (!digest.ok()) return error;
  const Status status = check_facts(source, {.sha256 = *digest, .count = source.count}, path);
  return status.ok() ? error : status.error();
}

}  // namespace

Result<std::vector<Item>> read_items(const ItemsSource& source, const std::string& folder, SourceFacts& facts) {
  const std::string path = fmt::format("{}/{}", folder, source.file);
  std::vector<Item> items;
  auto digest = read_rows(source, folder, [&](const Json& row, const std::string& subset, const std::string& file) -> Status {
    Json named = row;
    if (!subset.empty()) named["*"] = subset;
    ASSAY_TRY(Item item, item_from_json(named, source, static_cast<std::int64_t>(items.size()), file));
    if (item.subset.empty() && source.format == ItemFormat::text) item.subset = subset;
    items.push_back(std::move(item));
    return {};
  });
  if (!digest.ok()) return prefer_digest(source, folder, path, std::move(digest).error());
  facts = {.sha256 = std::move(*digest), .count = static_cast<std::int64_t>(items.size())};
  ASSAY_OK(check_facts(source, facts, path));
  ASSAY_OK(check_unique(items, path));
  return items;
}

}  // namespace assay
