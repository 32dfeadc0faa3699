// The parts of a definition file that only loading needs. suites/suite.h is what everybody else reads.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "suites/fields.h"
#include "suites/suite.h"

namespace assay {

// Who has the items: they are part of the tool; of a data folder that the user names; or only in stored
// outputs.
enum class Origin : std::uint8_t { bundled, data, outputs };
// jsonl: JSON lines or one array. json: the array `key` of one document. text: a file is one item, its `text`.
enum class ItemFormat : std::uint8_t { jsonl, csv, tsv, json, text };
// What the column `gold` holds: text; the option's place from 0 (index) or from 1 (index1); its letter; its name
// in the list `labels` (label); a list of 0 and 1, one an option (flags); nothing, the first option is the right one
// (first); a worked solution whose last \boxed{} is the answer (boxed); a list of answers that are all right, or a
// list of such lists (texts); the fields instruction_id_list and kwargs (instructions: suites/ifeval/ifeval.h).
enum class GoldKind : std::uint8_t { none, text, index, index1, letter, label, flags, first, boxed, texts, instructions };

// `value` between `before` and `after`, which every row must have.
struct StripRule {
  std::string field, before, after;
};

// A text that is cut in two at the first `at`.
struct SplitRule {
  std::string field, at, before, after;  // before and after are names of extra fields
};

struct ItemsSource {
  std::string name;  // of a split; "" for the items and the first set of examples
  Origin origin = Origin::bundled;
  std::string file;     // relative to the folder of bundled data, of the definition, or to --data; one star may stand for the subset
  std::string member;   // zip: "data/test/*_test.csv", the star is the subset; a gzip member is unpacked
  std::string sha256;   // of the plain text; of all names and texts where there are several; "": not known, `suite add` tells it
  std::int64_t count = 0;  // 0: not known
  std::string from;        // where to get the file
  ItemFormat format = ItemFormat::jsonl;
  std::string key;      // json: where the array is, "a.b" goes down; "": the document is the array
  bool header = false;  // csv, tsv: the first row names the columns
  GoldKind gold = GoldKind::text;
  std::string gold_after;  // the gold is what follows this marker: "####"
  std::string id_prefix;   // ids are the prefix and the place from 0, where rows have none
  std::string text_after;  // text: what stands before and with the first such marker is left out
  std::string labels;      // gold `label`: the column with the options' names
  std::string distinct;    // rows whose column has the value of the row before are left out: requests, one an option
  std::string below_field;  // rows are left out whose number in this column is not below `below`
  std::int64_t below = 0;
  std::vector<std::string> trim;  // fields without blanks at their ends, as {{x.strip()}} of a published template has them
  std::vector<StripRule> strip;
  std::optional<SplitRule> split;
  std::string prepare;  // "hellaswag": see suites/prepare.h
  // ours -> theirs: a name, "a.b" inside objects, for csv without a header the column's number ("1-4" for options);
  // options also from several columns: "A,B,C,D".
  std::vector<std::pair<std::string, std::string>> fields;
};

struct Definition {
  Suite suite;  // items and few-shot examples still empty
  std::vector<ItemsSource> items;  // the first whose file is there is read
  std::optional<ItemsSource> fewshot;
  std::vector<ItemsSource> splits;  // further sets of examples; one whose file is not there stays empty
};

// Checks every field: unknown keys, wrong types, names that are no function, links without a pattern. `file`
// is for the error.
Result<Definition> parse_definition(const Json& document, std::string_view file);

struct LoadedDefinition {
  Definition definition;
  std::string path, folder;  // folder: where bundled items are looked up
};

// `name` as in load_suite.
Result<LoadedDefinition> load_definition(const std::string& name);

// The members `items`, `fewshot` and `splits` of a definition.
Status parse_sources(Fields& fields, Definition& definition, std::string_view file);

// What was seen of a source's files.
struct SourceFacts {
  std::string sha256;
  std::int64_t count = 0;
};

// Reads, checks and converts the rows: duplicate ids, missing fields, wrong option indices and a wrong digest or
// count are refused; a wrong digest before all else.
Result<std::vector<Item>> read_items(const ItemsSource& source, const std::string& folder, SourceFacts& facts);

// True where the source's file, or one that its star fits, is in the folder, plain or packed.
bool source_is_there(const ItemsSource& source, const std::string& folder);

// One row of JSON as an item; `place` counts from 0 and names the row in errors.
Result<Item> item_from_json(const Json& row, const ItemsSource& source, std::int64_t place,
                            std::string_view file);

}  // namespace assay
