// Stored outputs of models as others left them: one record a question, in whatever format. An importer turns the records of one
// format into StoredOutput and counts what it could not use; nothing that is wrong with a record stops the reading of a file.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

struct StoredOutput {
  std::string model;  // "" where the file's name tells
  std::string id;     // of the item
  std::string subset, question;
  std::optional<std::string> gold;    // as the file has it
  std::optional<std::string> output;  // what the model wrote; none: the record has no prediction
  std::optional<bool> flag;           // the file's own verdict on it
  std::optional<std::string> finish_reason;
  std::vector<double> log_likelihoods;  // choice suites: one an option; rolling: one
  std::optional<std::int64_t> tokens;   // rolling: tokens scored
};

// id=a,output=b,...: which member of a record means what. Empty: the importer's own names.
struct FieldMap {
  std::string id, output, gold, model, question, flag;
};
Result<FieldMap> parse_field_map(const std::string& text);

struct StoredCounts {
  std::int64_t records = 0;    // all that the file holds
  std::int64_t malformed = 0;  // not JSON, bare strings among objects, no id
  bool unterminated = false;   // an array that does not end
};

using StoredSink = std::function<Status(StoredOutput output)>;

// Turns one record into outputs (one file of `gsm8k-solutions` has four models a record). False: it cannot be used.
using RecordReader =
    std::function<Result<bool>(const Json& record, std::int64_t place, const StoredSink& sink)>;

struct Importer {
  std::string_view name;
  std::string_view what;  // one line for --help
  RecordReader (*reader)(const FieldMap& fields);
  bool csv = false;  // rows of a table with a header, offered as objects of strings
};

// By name; a name that is not there is refused with the list.
Result<const Importer*> find_importer(std::string_view name);
const std::vector<Importer>& importers();

// Streams the records of a plain, gz or zip file (all members in the archive's order) through the importer.
Result<StoredCounts> read_stored(const std::string& path, const Importer& importer, const FieldMap& fields,
                                 const StoredSink& sink);

// Members of records that importers share. A number is given as JSON writes it; arrays of texts give the first one.
std::optional<std::string> record_text(const Json& record, std::string_view name);
std::optional<std::string> record_text(const Json& record,
                                       std::initializer_list<std::string_view> names);  // first that is there

RecordReader read_zeroeval_records(const FieldMap& fields);
RecordReader read_gsm8k_solution_records(const FieldMap& fields);
RecordReader read_jsonl_records(const FieldMap& fields);
RecordReader read_assay_item_records(const FieldMap& fields);

}  // namespace assay
