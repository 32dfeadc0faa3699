// A task file of lm-evaluation-harness as a suite of ours: its declarative part. The documents are rendered once, so that the suite's items hold
// the very prompts and its digest pins them; few-shot examples are chosen as the harness chooses them (its Random(1234) included).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

struct TaskImportOptions {
  std::string task;     // the YAML file
  std::string out;      // NAME.suite.json; NAME.items.jsonl and NAME.fewshot.jsonl are written beside it
  std::string items;    // rows of the asked split, where the task names a data set and no files
  std::string fewshot;  // rows of the few-shot split, likewise
  std::optional<std::int64_t> num_fewshot;  // in place of the task's
};

struct ImportedTask {
  std::string suite, items, fewshot;  // files written; fewshot "": none
  std::string name;
  std::int64_t n = 0;
  std::vector<std::string> protocols;
  std::vector<std::string> notes;  // what the harness does that makes no difference here, or is left out
};

// Refused with the member's name: Python code, filters, metrics, samplers and options that have no equal here, members that are not known.
Result<ImportedTask> import_task(const TaskImportOptions& options);

// suites/tasks/task_protocol.cc: the protocols of a task, one a filter (generation) or metric (choice); `shots`: whether examples are shown and how
// ("fewshot" of a definition; null: none). What the harness does beside that goes to `notes`.
struct TaskShape {
  std::string file;
  std::string preamble;  // template of our own
  std::string answer_delimiter = " ", continuation_delimiter = " ", separator = "\n\n";
  Json shots;
};
Result<Json> task_protocols(const Json& task, const TaskShape& shape, std::vector<std::string>& notes);

// Members of a task that must be there as a text, or "" where they are absent or null.
Result<std::string> task_text(const Json& task, std::string_view name, std::string_view other, const std::string& file);
Error task_refusal(const std::string& file, std::string field, std::string message, const Json& got = nullptr);

}  // namespace assay
