#include <nlohmann/json.hpp>

#include "suites/tasks/task_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <unordered_set>

#include "base/file.h"
#include "base/sha256.h"
#include "suites/suite.h"
#include "suites/tasks/task_docs.h"
#include "suites/tasks/task_yaml.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuiteSuffix = ".suite.json";
constexpr std::int64_t kMaxTaskShots = 100;
constexpr std::int64_t kShotSeed = 1234;  // lm_eval/defaults.py, DEFAULT_OTHER_SEED: what --seed leaves for few-shot draws

// Members that are mapped; `ignored` ones say nothing about what is asked or how it is judged.
constexpr std::string_view kMapped[] = {
    "task", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split", "fewshot_split",
    "fewshot_config", "doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter", "fewshot_delimiter", "num_fewshot",
    "metric_list", "output_type", "generation_kwargs", "filter_list", "repeats", "gen_prefix"};
constexpr std::string_view kIgnored[] = {"task_alias", "tag", "group", "metadata", "should_decontaminate", "doc_to_decontamination_query",
                                         "process_docs", "process_results", "custom_dataset", "use_prompt", "doc_to_image", "doc_to_audio", "unsafe_code"};
constexpr std::string_view kNullOnly[] = {"process_docs", "process_results", "custom_dataset", "use_prompt", "doc_to_image", "doc_to_audio", "unsafe_code"};

bool among(std::string_view name, std::span<const std::string_view> names) { return std::find(names.begin(), names.end(), name) != names.end(); }

Status check_task_members(const Json& task, const std::string& file) {
  if (task.contains("task") && task["task"].is_array()) return task_refusal(file, "task", "the file names a group of tasks; import each of them");
  for (const auto& [name, value] : task.items()) {
    const bool empty = value.is_null() || value == false;
    if (among(name, kNullOnly) && !empty) return task_refusal(file, name, "this member has no equal here", value);
    if (!among(name, kMapped) && !among(name, kIgnored)) return task_refusal(file, name, "this member of a task is not known here", value);
  }
  return {};
}

const Json* task_member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

// Everything that the work on one task needs.
struct Work {
  Json task;
  TaskImportOptions options;
  std::string file, test_split, shot_split;  // "": none
  std::int64_t n_shots = 0;
  std::vector<Json> docs, pool;
  Json columns = Json::object();
  bool choice = false, rolling = false;
};

// Split names as the harness falls back: test before validation; few-shot, training, validation, test (Task.fewshot_docs).
Status choose_splits(Work& w) {
  ASSAY_TRY(w.test_split, task_text(w.task, "test_split", "", w.file));
  ASSAY_TRY(const std::string validation, task_text(w.task, "validation_split", "", w.file));
  ASSAY_TRY(const std::string training, task_text(w.task, "training_split", "", w.file));
  ASSAY_TRY(w.shot_split, task_text(w.task, "fewshot_split", "", w.file));
  const Json* config = task_member(w.task, "fewshot_config");
  if (config != nullptr && task_member(*config, "split") != nullptr && (*config)["split"].is_string()) w.shot_split = (*config)["split"].get<std::string>();
  if (w.test_split.empty()) w.test_split = validation;
  if (w.test_split.empty()) return task_refusal(w.file, "test_split", "neither a test nor a validation split is named");
  for (const std::string& other : {training, validation, w.test_split}) {
    if (w.shot_split.empty()) w.shot_split = other;
  }
  return {};
}

// The rows of a split: what the user names, else the task's own data file, found beside the task or from here.
Result<std::string> rows_of(const Work& w, const std::string& split, const std::string& given, const char* flag) {
  if (!given.empty()) return given;
  ASSAY_TRY(const std::string dataset, task_text(w.task, "dataset_path", "", w.file));
  const Json* kwargs = task_member(w.task, "dataset_kwargs");
  const Json* files = kwargs == nullptr ? nullptr : task_member(*kwargs, "data_files");
  const Json* one = files != nullptr && files->is_object() ? task_member(*files, split) : files;
  if (one != nullptr && one->is_array() && one->size() == 1) one = &one->front();
  if (dataset != "json" || one == nullptr || !one->is_string()) {
    return Error{.code = Code::missing_field, .message = fmt::format("the task's rows are not in a file that it names; give split {} of {} with {}", split, dataset.empty() ? "its data set" : dataset, flag),
                 .file = w.file, .field = "dataset_path", .got = dataset};
  }
  const std::string name = one->get<std::string>();
  const std::string beside = (fs::path(w.file).parent_path() / name).string();
  std::error_code ignored;
  return fs::exists(beside, ignored) ? beside : name;
}

Status read_task_rows(Work& w) {
  ASSAY_TRY(const std::string items, rows_of(w, w.test_split, w.options.items, "--items"));
  ASSAY_TRY(w.docs, read_task_docs(items));
  if (w.docs.empty()) return task_refusal(items, "", "the file has no rows");
  for (const auto& [name, value] : w.docs.front().items()) w.columns[name] = nullptr;
  if (w.n_shots == 0) return {};
  const Json* config = task_member(w.task, "fewshot_config");
  if (const Json* samples = config == nullptr ? nullptr : task_member(*config, "samples"); samples != nullptr && samples->is_array()) {
    w.pool.assign(samples->begin(), samples->end());
    w.shot_split.assign(1, '\n');  // no split's name
    return {};
  }
  if (w.shot_split == w.test_split) return {};
  ASSAY_TRY(const std::string shots, rows_of(w, w.shot_split, w.options.fewshot, "--fewshot"));
  ASSAY_TRY(w.pool, read_task_docs(shots));
  return {};
}

// "first_n": the first of the pool; otherwise drawn with Random(1234), one call an item (lm_eval/api/samplers.py).
Result<Json> shots_of(const Work& w) {
  if (w.n_shots == 0) return Json(nullptr);
  const Json* config = task_member(w.task, "fewshot_config");
  std::string sampler = "default";
  if (config != nullptr) {
    for (const auto& [name, value] : config->items()) {
      const bool known = name == "sampler" || name == "split" || name == "samples" || value.is_null();
      if (!known) return task_refusal(w.file, "fewshot_config." + name, "this member has no equal here", value);
    }
    if (const Json* named = task_member(*config, "sampler")) sampler = named->is_string() ? named->get<std::string>() : dump_json(*named);
  }
  const bool own = w.shot_split == w.test_split;
  if (sampler == "first_n" && !own) return Json(w.n_shots);
  if (sampler != "default") return task_refusal(w.file, "fewshot_config.sampler", "this choice of examples has no equal here", sampler);
  if (!own && static_cast<std::int64_t>(w.pool.size()) < w.n_shots) return task_refusal(w.file, "num_fewshot", "there are fewer examples than are shown", w.n_shots);
  Json shots = {{"n", w.n_shots}, {"draw", "python"}, {"seed", kShotSeed}};
  if (own) shots["split"] = "items";
  return shots;
}

// Where the answer begins is blank already, or it gets the delimiter (lm_eval/api/utils.py, maybe_delimit).
bool is_python_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

struct TaskFields {
  std::optional<TaskField> text, target, choices, description;
  std::string prefix, delimiter;
};

Result<TaskFields> fields_of(const Work& w) {
  TaskFields out;
  const auto make = [&](const char* name) -> Result<std::optional<TaskField>> {
    const Json* value = task_member(w.task, name);
    if (value == nullptr) return std::optional<TaskField>();
    ASSAY_TRY(TaskField field, TaskField::make(*value, w.columns, name, w.file));
    return std::optional(std::move(field));
  };
  ASSAY_TRY(out.text, make("doc_to_text"));
  ASSAY_TRY(out.target, make("doc_to_target"));
  ASSAY_TRY(out.choices, make("doc_to_choice"));
  ASSAY_TRY(out.description, make("description"));
  ASSAY_TRY(out.prefix, task_text(w.task, "gen_prefix", "", w.file));
  ASSAY_TRY(out.delimiter, task_text(w.task, "target_delimiter", " ", w.file));
  if (w.columns.contains(out.prefix) || out.prefix.find('{') != std::string::npos)
    return task_refusal(w.file, "gen_prefix", "only a prefix that is the same for all documents can be taken", out.prefix);
  if (!out.target) return task_refusal(w.file, "doc_to_target", "the task does not say what the answer is");
  if (!out.text && !w.rolling) return task_refusal(w.file, "doc_to_text", "the task does not say what is asked");
  if (w.choice && !out.choices) return task_refusal(w.file, "doc_to_choice", "the task does not say what the choices are");
  return out;
}

Error row_refusal(const Work& w, const char* field, std::size_t row, std::string message, const Json& got) {
  return task_refusal(w.file, field, fmt::format("row {}: {}", row + 1, message), got);
}

// The right option's index: a number, a text of digits, or one of the choices.
Result<int> gold_index(const Work& w, const Json& target, const std::vector<std::string>& choices, std::size_t row) {
  std::int64_t index = -1;
  if (target.is_number_integer()) index = target.get<std::int64_t>();
  if (target.is_string()) {
    const auto& text = target.get_ref<const std::string&>();
    const bool digits = !text.empty() && text.size() < 4 && text.find_first_not_of("0123456789") == std::string::npos;
    const auto at = std::find(choices.begin(), choices.end(), text);
    index = digits ? std::stoll(text) : at == choices.end() ? -1 : at - choices.begin();
  }
  if (index >= 0 && index < static_cast<std::int64_t>(choices.size())) return static_cast<int>(index);
  return row_refusal(w, "doc_to_target", row, target.is_array() ? "several right options have no equal here" : "the target is none of the choices", target);
}

Result<std::string> gold_text(const Work& w, const Json& target, std::size_t row) {
  if (target.is_string() && !target.get<std::string>().empty()) return target.get<std::string>();
  if (target.is_number()) return target.dump();
  return row_refusal(w, "doc_to_target", row, target.is_array() ? "several right answers have no equal here" : "the target is no text", target);
}

// What the harness puts before the answer: the question and, where there is one, the prefix.
Result<std::string> prompt_of(const TaskFields& fields, const Json& doc) {
  ASSAY_TRY(std::string prompt, fields.text->text(doc));
  if (fields.prefix.empty()) return prompt;
  const bool delimit = !prompt.empty() && !is_python_blank(prompt.back()) && !is_python_blank(fields.prefix.front());
  return prompt + (delimit ? fields.delimiter : "") + fields.prefix;
}

Result<Json> item_row(const Work& w, const TaskFields& fields, const Json& doc, std::size_t row) {
  ASSAY_TRY(const Json target, fields.target->value(doc));
  if (w.rolling) {
    ASSAY_TRY(const std::string text, gold_text(w, target, row));
    return Json{{"text", text}};
  }
  ASSAY_TRY(const std::string prompt, prompt_of(fields, doc));
  Json item = {{"prompt", prompt}};
  if (w.choice) {
    ASSAY_TRY(const auto choices, fields.choices->choices(doc));
    ASSAY_TRY(const int gold, gold_index(w, target, choices, row));
    item["choices"] = choices;
    item["gold"] = gold;
  } else if (fields.choices && target.is_number_integer()) {
    ASSAY_TRY(const auto choices, fields.choices->choices(doc));
    ASSAY_TRY(const int gold, gold_index(w, target, choices, row));
    item["gold"] = choices[static_cast<std::size_t>(gold)];
  } else {
    ASSAY_TRY(item["gold"], gold_text(w, target, row));
  }
  if (fields.description) {
    ASSAY_TRY(item["description"], fields.description->text(doc));
  }
  return item;
}

// The documents' own ids where every one has one of its own, else their places.
std::vector<std::string> ids_of(const std::vector<Json>& docs) {
  std::vector<std::string> ids;
  std::unordered_set<std::string> seen;
  for (const auto& doc : docs) {
    const Json* id = task_member(doc, "id");
    const bool usable = id != nullptr && (id->is_string() || id->is_number_integer());
    ids.push_back(!usable ? "" : id->is_string() ? id->get<std::string>() : id->dump());
    if (ids.back().empty() || !seen.insert(ids.back()).second) break;
  }
  if (ids.size() == docs.size() && seen.size() == docs.size()) return ids;
  ids.clear();
  for (std::size_t i = 0; i < docs.size(); ++i) ids.push_back(fmt::format("{}", i));
  return ids;
}

Result<std::string> lines_of(const Work& w, const TaskFields& fields, const std::vector<Json>& docs, bool with_ids) {
  const auto ids = ids_of(docs);
  std::string lines;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    ASSAY_TRY(Json row, item_row(w, fields, docs[i], i));
    if (with_ids) row["id"] = ids[i];
    lines += dump_json(row) + "\n";
  }
  return lines;
}

Json definition_of(const Work& w, const TaskFields& fields, const std::string& name, const std::string& stem, const std::string& items,
                   const std::string& shots, Json protocols) {
  Json names = {{"id", "id"}};
  names.update(w.rolling ? Json{{"text", "text"}} : Json{{"question", "prompt"}, {"gold", "gold"}});
  if (w.choice) names["options"] = "choices";
  if (fields.description && !w.rolling) names["description"] = "description";
  Json definition = {{"name", name},
                     {"title", fmt::format("{}, imported from a task of lm-evaluation-harness", name)},
                     {"source", fmt::format("lm-evaluation-harness task {}", fs::path(w.file).filename().string())},
                     {"licence", "that of the imported rows"},
                     {"items", {{"file", stem + ".items.jsonl"}, {"sha256", sha256_hex(items)}, {"count", w.docs.size()},
                                {"gold", w.rolling ? "none" : w.choice ? "index" : "text"}, {"fields", names}}}};
  if (!shots.empty()) definition["fewshot"] = {{"file", stem + ".fewshot.jsonl"}, {"sha256", sha256_hex(shots)}, {"count", w.pool.size()}};
  definition["protocols"] = std::move(protocols);
  return definition;
}

// Between the prefix and an example's answer stands one blank, unless one is there (build_qa_turn, maybe_delimit).
Result<TaskShape> shape_of(const Work& w, const TaskFields& fields) {
  TaskShape shape;
  shape.file = w.file;
  shape.preamble = fields.description ? "{description}" : "";
  shape.continuation_delimiter = fields.delimiter;
  shape.answer_delimiter = fields.prefix.empty() ? fields.delimiter : is_python_blank(fields.prefix.back()) ? "" : " ";
  ASSAY_TRY(shape.separator, task_text(w.task, "fewshot_delimiter", "\n\n", w.file));
  ASSAY_TRY(shape.shots, shots_of(w));
  return shape;
}

Status write_suite(const Work& w, const TaskFields& fields, ImportedTask& out, Json protocols) {
  const fs::path folder = fs::path(w.options.out).parent_path();
  const std::string file = fs::path(w.options.out).filename().string();
  const std::string stem = file.substr(0, file.size() - kSuiteSuffix.size());
  ASSAY_TRY(const std::string items, lines_of(w, fields, w.docs, true));
  ASSAY_TRY(const std::string shots, lines_of(w, fields, w.pool, false));
  for (const auto& protocol : protocols) out.protocols.push_back(protocol["name"].get<std::string>());
  const Json definition = definition_of(w, fields, out.name, stem, items, shots, std::move(protocols));
  out.suite = w.options.out;
  out.items = (folder / (stem + ".items.jsonl")).string();
  out.n = static_cast<std::int64_t>(w.docs.size());
  ASSAY_OK(write_file_atomic(out.items, items));
  if (!shots.empty()) {
    out.fewshot = (folder / (stem + ".fewshot.jsonl")).string();
    ASSAY_OK(write_file_atomic(out.fewshot, shots));
  }
  ASSAY_OK(write_file_atomic(out.suite, dump_json(definition, 1) + "\n"));
  ASSAY_OK(load_suite(out.suite));  // what was written is what a run reads
  return {};
}

Result<std::int64_t> shots_asked(const Work& w) {
  if (w.options.num_fewshot) return *w.options.num_fewshot;
  const Json* asked = task_member(w.task, "num_fewshot");
  const bool usable = asked == nullptr || (asked->is_number_integer() && asked->get<std::int64_t>() >= 0 && asked->get<std::int64_t>() <= kMaxTaskShots);
  if (!usable) return task_refusal(w.file, "num_fewshot", "the number of examples cannot be used", *asked);
  return asked == nullptr ? 0 : asked->get<std::int64_t>();
}

}  // namespace

Error task_refusal(const std::string& file, std::string field, std::string message, const Json& got) {
  return Error{.code = Code::unsupported, .message = std::move(message), .file = file, .field = std::move(field),
               .got = got.is_null() ? std::string() : dump_json(got).substr(0, 120)};
}

Result<std::string> task_text(const Json& task, std::string_view name, std::string_view other, const std::string& file) {
  const Json* value = task_member(task, name);
  if (value == nullptr) return std::string(other);
  if (value->is_string()) return value->get<std::string>();
  return task_refusal(file, std::string(name), "a text is expected", *value);
}

Result<ImportedTask> import_task(const TaskImportOptions& options) {
  if (!options.out.ends_with(kSuiteSuffix) || fs::path(options.out).filename() == kSuiteSuffix)
    return Error{.code = Code::usage, .message = "the suite is written to NAME.suite.json", .field = "--out", .got = options.out};
  Work w;
  w.options = options;
  w.file = options.task;
  ASSAY_TRY(w.task, read_task_yaml(options.task));
  ASSAY_OK(check_task_members(w.task, w.file));
  ImportedTask out;
  ASSAY_TRY(out.name, task_text(w.task, "task", fs::path(options.task).stem().string(), w.file));
  ASSAY_TRY(const std::string type, task_text(w.task, "output_type", "generate_until", w.file));
  w.choice = type == "multiple_choice";
  w.rolling = type == "loglikelihood_rolling";
  ASSAY_TRY(w.n_shots, shots_asked(w));
  ASSAY_OK(choose_splits(w));
  ASSAY_OK(read_task_rows(w));
  ASSAY_TRY(const TaskFields fields, fields_of(w));
  ASSAY_TRY(const TaskShape shape, shape_of(w, fields));
  ASSAY_TRY(Json protocols, task_protocols(w.task, shape, out.notes));
  ASSAY_OK(write_suite(w, fields, out, std::move(protocols)));
  return out;
}

}  // namespace assay
