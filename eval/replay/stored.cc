#include "eval/replay/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "eval/replay/stored_parts.h"
#include "suites/input.h"

namespace assay {
namespace {

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

// Each member of an archive is read by a splitter of its own, which `make` gives; `Splitter` has add, finish and unterminated.
template <class Splitter>
Status split_members(const std::string& path, const std::function<std::unique_ptr<Splitter>()>& make, StoredCounts& counts) {
  auto splitter = make();
  const auto end_member = [&]() -> Status {
    const Status status = splitter->finish();
    counts.unterminated = counts.unterminated || splitter->unterminated();
    splitter = make();
    return status;
  };
  const ChunkSink add = [&](std::string_view, std::string_view chunk, bool first) -> Status {
    if (Status ended = first ? end_member() : Status{}; !ended.ok()) return ended;
    return splitter->add(chunk);
  };
  ASSAY_OK(read_input(path, add));
  return end_member();
}

Status read_json_members(const std::string& path, RecordStream& reader) {
  const RecordSplitter::Sink parse = [&](std::string_view text) { return reader.add(parse_stored(text)); };
  return split_members<RecordSplitter>(path, [&] { return std::make_unique<RecordSplitter>(parse); }, reader.counts);
}

Status read_documents(const std::string& path, const DocumentReader& document, const StoredSink& sink, StoredCounts& counts) {
  const DocumentSplitter::Sink take = [&](const DocumentPart& part) -> Status {
    ++counts.records;
    const Json value = parse_stored(part.text);
    if (value.is_discarded()) {
      ++counts.malformed;
      return {};
    }
    ASSAY_TRY(const bool used, document.part(part, value, sink));
    counts.malformed += used ? 0 : 1;
    return {};
  };
  const auto end = [&] { return document.end(sink); };
  return split_members<DocumentSplitter>(path, [&] { return std::make_unique<DocumentSplitter>(take, end); }, counts);
}

Json object_of_row(const std::vector<std::string>& header, const std::vector<std::string>& row) {
  if (row.size() != header.size()) return Json();
  Json object = Json::object();
  for (std::size_t i = 0; i < row.size(); ++i) object[header[i]] = row[i];
  return object;
}

// The first row of each member is its header.
Status read_csv_members(const std::string& path, RecordStream& reader) {
  const auto make = [&] {
    auto header = std::make_shared<std::vector<std::string>>();
    return std::make_unique<CsvSplitter>([&reader, header](std::vector<std::string> row) -> Status {
      if (!header->empty()) return reader.add(object_of_row(*header, row));
      *header = std::move(row);
      return {};
    });
  };
  return split_members<CsvSplitter>(path, make, reader.counts);
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
      {.name = "assay-items", .what = "item results with log-likelihoods, as suites/data/demo/claims has them", .records = read_assay_item_records},
      {.name = "bbh", .what = "suzgunmirac/BIG-Bench-Hard outputs, one task a file", .document = read_bbh_document, .own_items = true},
      {.name = "cruxeval", .what = "facebookresearch/cruxeval generations, plain or scored", .document = read_cruxeval_document, .own_items = true},
      {.name = "csv", .what = "a table with a header; name its columns with --fields", .records = read_jsonl_records, .csv = true},
      {.name = "evalplus", .what = "EvalPlus samples, eval_results.json and EvalPerf results", .document = read_evalplus_document},
      {.name = "gsm8k-solutions", .what = "openai/grade-school-math example_model_solutions.jsonl, four models a line", .records = read_gsm8k_solution_records},
      {.name = "helm", .what = "HELM scenario_state.json", .parts = read_helm_parts},
      {.name = "inspect", .what = "Inspect AI logs, .eval or .json", .parts = read_inspect_parts},
      {.name = "jsonl", .what = "objects, one a line or in an array; name their members with --fields", .records = read_jsonl_records},
      {.name = "lighteval", .what = "lighteval details, turned into JSON lines by suites/data/convert/lighteval.py", .parts = read_lighteval_parts},
      {.name = "lm-eval", .what = "lm-evaluation-harness samples_*.jsonl (--log_samples)", .parts = read_lm_eval_parts},
      {.name = "m-ifeval", .what = "M-IFEval and IFEval responses with their strict and loose labels, one model a file", .records = read_m_ifeval_records},
      {.name = "misguided-attention", .what = "cpldcpu/MisguidedAttention outputs, detailed evaluations and summaries", .document = read_misguided_attention_document},
      {.name = "mmlu-pro", .what = "TIGER-AI-Lab/MMLU-Pro eval_results, one model a file", .records = read_mmlu_pro_records, .own_items = true},
      {.name = "opencompass", .what = "OpenCompass predictions/MODEL/DATASET.json", .parts = read_opencompass_parts},
      {.name = "wildbench", .what = "allenai/WildBench judged outputs, one model a file", .records = read_wildbench_records},
      {.name = "zeroeval", .what = "WildEval/ZeroEval result_dirs, one model a file", .records = read_zeroeval_records},
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
  ASSAY_CHECK((importer.records != nullptr) + (importer.document != nullptr) + (importer.parts != nullptr) == 1);
  const StoredFile file{path, fields};
  StoredCounts counts;
  SampleFolder folder(sink);
  StoredSink all([&](StoredOutput output) { return folder.add(std::move(output)); });
  std::vector<StoredFigure> figures;
  all.figure = [&](StoredFigure figure) { figures.push_back(std::move(figure)); };
  if (importer.parts != nullptr) {
    const auto reader = importer.parts(file);
    ASSAY_OK(read_parts(path, *reader, all, counts));
  } else if (importer.document != nullptr) {
    ASSAY_OK(read_documents(path, importer.document(file), all, counts));
  } else {
    const RecordReader record_reader = importer.records(file);
    RecordStream reader(record_reader, all);
    ASSAY_OK(importer.csv ? read_csv_members(path, reader) : read_json_members(path, reader));
    counts = reader.counts;
  }
  ASSAY_OK(folder.finish());
  counts.figures = std::move(figures);
  ASSAY_CHECK(counts.malformed <= counts.records);
  return counts;
}

std::optional<std::string> record_text(const Json& record, std::string_view name) {
  const Json* at = record_at(record, name);
  return at == nullptr ? std::nullopt : text_of(*at);
}

std::optional<std::string> record_text(const Json& record, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (auto text = record_text(record, name)) return text;
  }
  return std::nullopt;
}

std::optional<double> record_number(const Json& record, std::string_view name) {
  const auto at = record.find(name);
  if (at == record.end()) return std::nullopt;
  if (at->is_number()) return at->get<double>();
  if (!at->is_string()) return std::nullopt;
  const std::string& text = at->get_ref<const std::string&>();
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failed == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<bool> record_flag(const Json& record, std::string_view name) {
  const auto at = record.find(name);
  return at != record.end() && at->is_boolean() ? std::optional(at->get<bool>()) : std::nullopt;
}

std::string stem_of(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (const std::string_view suffix : {".gz", ".zst", ".zip", ".jsonl", ".json", ".csv", ".eval"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) name.erase(name.size() - suffix.size());
  }
  return name;
}

}  // namespace assay
