#include "eval/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/input.h"

namespace assay {
namespace {

constexpr std::size_t kMaxCsvBytes = std::size_t{1} << 30;

// A record of a model's text may hold any bytes: the parser gives up on broken UTF-8, and the record is counted.
Json parse_record(std::string_view text) { return Json::parse(text, nullptr, false); }

class RecordStream {
 public:
  RecordStream(const RecordReader& reader, const StoredSink& sink) : reader_(reader), sink_(sink) {}

  Status add(const Json& record) {
    const std::int64_t place = counts.records++;
    if (!record.is_object()) {
      ++counts.malformed;
      return {};
    }
    ASSAY_TRY(const bool used, reader_(record, place, sink_));
    counts.malformed += used ? 0 : 1;
    return {};
  }

  StoredCounts counts;

 private:
  const RecordReader& reader_;
  const StoredSink& sink_;
};

// Each member of an archive is read by a splitter of its own.
Status read_json_members(const std::string& path, RecordStream& reader) {
  const RecordSplitter::Sink parse = [&](std::string_view text) { return reader.add(parse_record(text)); };
  auto splitter = std::make_unique<RecordSplitter>(parse);
  const auto end_member = [&]() -> Status {
    const Status status = splitter->finish();
    reader.counts.unterminated = reader.counts.unterminated || splitter->unterminated();
    splitter = std::make_unique<RecordSplitter>(parse);
    return status;
  };
  const ChunkSink add = [&](std::string_view, std::string_view chunk, bool first) -> Status {
    if (Status ended = first ? end_member() : Status{}; !ended.ok()) return ended;
    return splitter->add(chunk);
  };
  ASSAY_OK(read_input(path, add));
  return end_member();
}

Json object_of_row(const std::vector<std::string>& header, const std::vector<std::string>& row) {
  if (row.size() != header.size()) return Json();
  Json object = Json::object();
  for (std::size_t i = 0; i < row.size(); ++i) object[header[i]] = row[i];
  return object;
}

Status read_csv_members(const std::string& path, RecordStream& reader) {
  ASSAY_TRY(const auto members, read_members(path, "", kMaxCsvBytes));
  for (const auto& member : members) {
    ASSAY_TRY(const auto rows, parse_csv(member.text, path));
    for (std::size_t i = 1; i < rows.size(); ++i) ASSAY_OK(reader.add(object_of_row(rows.front(), rows[i])));
  }
  return {};
}

std::optional<std::string> text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  if (value.is_array() && !value.empty()) return text_of(value.front());
  return std::nullopt;
}

}  // namespace

const std::vector<Importer>& importers() {
  static const std::vector<Importer> kAll = {
      {"assay-items", "item results with log-likelihoods, as suites/data/demo/claims has them",
       read_assay_item_records, false},
      {"csv", "a table with a header; name its columns with --fields", read_jsonl_records, true},
      {"gsm8k-solutions", "openai/grade-school-math example_model_solutions.jsonl, four models a line",
       read_gsm8k_solution_records, false},
      {"jsonl", "objects, one a line or in an array; name their members with --fields", read_jsonl_records,
       false},
      {"zeroeval", "WildEval/ZeroEval result_dirs, one model a file", read_zeroeval_records, false},
  };
  return kAll;
}

Result<const Importer*> find_importer(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& importer : importers()) {
    if (importer.name == name) return &importer;
    names.push_back(importer.name);
  }
  return Error{.code = Code::usage,
               .message = "no such format of stored outputs in this version",
               .field = "--format",
               .expected = fmt::format("one of {}", fmt::join(names, ", ")),
               .got = std::string(name)};
}

Result<FieldMap> parse_field_map(const std::string& text) {
  FieldMap map;
  const std::pair<std::string_view, std::string*> known[] = {
      {"id", &map.id},       {"output", &map.output}, {"gold", &map.gold},
      {"model", &map.model}, {"flag", &map.flag},     {"question", &map.question}};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const std::string pair = text.substr(begin, end - begin);
    const auto equal = pair.find('=');
    const auto at = std::find_if(std::begin(known), std::end(known),
                                 [&](const auto& k) { return k.first == pair.substr(0, equal); });
    if (equal == std::string::npos || equal + 1 == pair.size() || at == std::end(known)) {
      return Error{.code = Code::usage,
                   .message = "a field map is a list such as id=task_id,output=answer",
                   .field = "--fields",
                   .expected = "names id, output, gold, model, question, flag",
                   .got = pair};
    }
    *at->second = pair.substr(equal + 1);
    begin = end + 1;
  }
  return map;
}

Result<StoredCounts> read_stored(const std::string& path, const Importer& importer, const FieldMap& fields,
                                 const StoredSink& sink) {
  const RecordReader record_reader = importer.reader(fields);
  RecordStream reader(record_reader, sink);
  ASSAY_OK(importer.csv ? read_csv_members(path, reader) : read_json_members(path, reader));
  ASSAY_CHECK(reader.counts.malformed <= reader.counts.records);
  return reader.counts;
}

std::optional<std::string> record_text(const Json& record, std::string_view name) {
  const auto at = record.find(name);
  return at == record.end() ? std::nullopt : text_of(*at);
}

std::optional<std::string> record_text(const Json& record, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (auto text = record_text(record, name)) return text;
  }
  return std::nullopt;
}

}  // namespace assay
