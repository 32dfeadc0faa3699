// Stored outputs of models as others left them: one record a question, in whatever format. An importer turns the records of one
// format into StoredOutput and counts what it could not use; nothing that is wrong with a record stops the reading of a file.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "suites/document.h"

namespace assay {

// One of several outputs for one item.
struct StoredSample {
  std::string output = {};
  std::optional<bool> flag = {};         // the file's own verdict on it
  std::optional<double> score = {};      // the file's own score of it, 0 to 1
  std::optional<std::string> note = {};  // what else the file says of it
};

struct StoredOutput {
  std::string model;  // "" where the file's name tells
  std::string id;     // of the item; "": its question tells
  std::string subset, question;
  std::vector<std::string> options;
  int gold_index = -1;                  // of the options, from 0
  std::optional<std::int64_t> ordinal;  // the item's place in a data set, from 0
  std::optional<std::string> gold;    // as the file has it
  std::optional<std::string> output;  // what the model wrote; none: the record has no prediction
  std::optional<std::string> prompt;  // what it was asked, where the file has the whole of it
  std::optional<bool> flag;           // the file's own verdict on it
  std::optional<std::string> finish_reason;
  std::optional<std::int64_t> sample;  // of a record that holds one of several outputs: which; read_stored() makes one record of them
  std::vector<StoredSample> samples;  // where an item was asked several times; `output` is then none
  // Figures of the item that the file has, by the name of the metric and, where there are several, of a harness's filter or scorer:
  // {"acc", 1}, {"exact_match,strict-match", 0}.
  std::vector<std::pair<std::string, double>> values;
  std::vector<std::string> instructions;          // IFEval: the ids, and the file's verdicts on them where it has any
  std::vector<bool> strict_labels, loose_labels;  // empty, or one an instruction
  std::vector<double> log_likelihoods;  // choice suites: one an option; rolling: one
  std::vector<std::int64_t> option_tokens;  // of every option; empty: not known
  std::vector<double> unconditional;    // log-likelihood of every option without the question; empty: not asked
  std::optional<std::int64_t> tokens;   // rolling: tokens scored
};

// A figure over all outputs of a model that the file itself prints.
struct StoredFigure {
  std::string model = {};    // "" where the file's name tells
  std::string metric = {};   // ours
  std::string printed = {};  // all digits as the file has them
  double scale = 100;        // printed / scale is our unit
  std::string filter = {};   // of a harness: its filter or scorer
  std::string source = {};   // where it is printed; "": in the file
};

// id=a,output=b,...: which member of a record means what. Empty: the importer's own names.
struct FieldMap {
  std::string id, output, gold, model, question, flag;
};
Result<FieldMap> parse_field_map(const std::string& text);

struct StoredCounts {
  std::int64_t records = 0;    // all that the file holds
  std::int64_t malformed = 0;  // not JSON, bare strings among objects, no id
  bool unterminated = false;   // an array or document that does not end
  std::vector<StoredFigure> figures;
};

// Where importers put what they find.
struct StoredSink {
  template <class F>
  StoredSink(F take) : output(std::move(take)) {}  // NOLINT: a function is a sink
  Status operator()(StoredOutput out) const { return output(std::move(out)); }

  std::function<Status(StoredOutput)> output;
  std::function<void(StoredFigure)> figure = [](StoredFigure) {};
};

// What a reader may need to know of the file.
struct StoredFile {
  std::string path;
  FieldMap fields;
};

// Turns one record into outputs (one file of `gsm8k-solutions` has four models a record). False: it cannot be used.
using RecordReader = std::function<Result<bool>(const Json& record, std::int64_t place, const StoredSink& sink)>;

// For files that are one document: its parts (suites/document.h), then the end of each document. Both may give outputs.
struct DocumentReader {
  std::function<Result<bool>(const DocumentPart& part, const Json& value, const StoredSink& sink)> part;
  std::function<Status(const StoredSink& sink)> end;
};

// For files whose records are merged, or whose members are of several kinds (eval/replay/stored_parts.h).
class PartReader;

struct Importer {
  std::string_view name;
  std::string_view what;  // one line for --help
  RecordReader (*records)(const StoredFile& file) = nullptr;      // lines or an array of objects
  DocumentReader (*document)(const StoredFile& file) = nullptr;  // else this
  std::unique_ptr<PartReader> (*parts)(const StoredFile& file) = nullptr;  // or this: another harness, items by id, question or place
  bool csv = false;  // records are rows of a table with a header, offered as objects of strings
  bool own_items = false;  // records hold question and gold: a suite's own items are not looked for
};

// By name; a name that is not there is refused with the list.
Result<const Importer*> find_importer(std::string_view name);
const std::vector<Importer>& importers();

// Streams the records of a plain, gz or zip file (all members in the archive's order) through the importer.
Result<StoredCounts> read_stored(const std::string& path, const Importer& importer, const FieldMap& fields,
                                 const StoredSink& sink);

// The text of a record, which may hold anything: NaN and infinities, which Python writes, become null; a text that is no JSON, is nested too
// deeply or has too many values gives a discarded value.
Json parse_stored(std::string_view text);

// The text without blanks and line ends around it.
std::string_view without_blanks(std::string_view text);

// The value at a name or, where no member has that name, along a dotted path ("choices.0.text"); nullptr: nothing there.
const Json* record_at(const Json& record, std::string_view path);

// Members of records that importers share, by name or dotted path. A number is given as JSON writes it; arrays of texts give the first one.
std::optional<std::string> record_text(const Json& record, std::string_view name);
std::optional<std::string> record_text(const Json& record,
                                       std::initializer_list<std::string_view> names);  // first that is there

std::optional<double> record_number(const Json& record, std::string_view name);  // a number, or a text that is one
std::optional<bool> record_flag(const Json& record, std::string_view name);

// The name of a file without folders and suffixes such as .jsonl.gz; see model_of_file in eval/replay/replay.h.
std::string stem_of(const std::string& path);

RecordReader read_assay_item_records(const StoredFile& file);
RecordReader read_gsm8k_solution_records(const StoredFile& file);
RecordReader read_jsonl_records(const StoredFile& file);
RecordReader read_m_ifeval_records(const StoredFile& file);
RecordReader read_mmlu_pro_records(const StoredFile& file);
RecordReader read_wildbench_records(const StoredFile& file);
RecordReader read_zeroeval_records(const StoredFile& file);
DocumentReader read_bbh_document(const StoredFile& file);
DocumentReader read_cruxeval_document(const StoredFile& file);
DocumentReader read_evalplus_document(const StoredFile& file);
DocumentReader read_misguided_attention_document(const StoredFile& file);

}  // namespace assay
