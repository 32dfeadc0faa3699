// The parts of a definition file that only loading needs. suites/suite.h is what everybody else reads.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "suites/suite.h"

namespace assay {

// Who has the items: they are part of the tool; of a data folder that the user names; or only in stored
// outputs.
enum class Origin : std::uint8_t { bundled, data, outputs };
enum class ItemFormat : std::uint8_t { jsonl, csv };
enum class GoldKind : std::uint8_t { none, text, index, letter };

struct ItemsSource {
  Origin origin = Origin::bundled;
  std::string file;    // relative to the folder of bundled data, of the definition, or to --data
  std::string member;  // zip: "data/test/*_test.csv", the star is the subset
  std::string sha256;  // of the plain text; of all members' names and texts for a zip
  std::int64_t count = 0;
  ItemFormat format = ItemFormat::jsonl;
  GoldKind gold = GoldKind::text;
  std::string gold_after;  // the gold is what follows this marker: "####"
  std::string id_prefix;   // ids are the prefix and the place from 0, where rows have none
  std::vector<std::pair<std::string, std::string>> fields;  // ours -> theirs, or for csv the column's number
};

struct FewshotSource {
  std::string file, member, sha256,
      key;  // key: the array's name inside a JSON document; "": rows as in `items`
  std::int64_t count = 0;
};

struct Definition {
  Suite suite;  // items and few-shot examples still empty
  ItemsSource items;
  std::optional<FewshotSource> fewshot;
};

// Checks every field: unknown keys, wrong types, names that are no function, links without a pattern. `file`
// is for the error.
Result<Definition> parse_definition(const Json& document, std::string_view file);

// Reads, checks and converts the rows: duplicate ids, missing fields, wrong option indices and a wrong digest
// are refused.
Result<std::vector<Item>> read_items(const ItemsSource& source, const std::string& folder);
Result<std::vector<Item>> read_fewshot(const Definition& definition, const std::string& folder);

// One row of JSON as an item; `place` counts from 0 and names the row in errors.
Result<Item> item_from_json(const Json& row, const ItemsSource& source, std::int64_t place,
                            std::string_view file);

}  // namespace assay
