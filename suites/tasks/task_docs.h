// The documents of a task of lm-evaluation-harness, and its fields resolved on one of them as lm_eval/api/task.py (0.4.13, ConfigurableTask)
// does it: a field is a column's name, or a Jinja template without trim_blocks; lists that a template prints are Python's.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

// Rows of JSON or JSON lines (plain or packed), every one with the columns of all: absent members are null, as the datasets library makes them.
Result<std::vector<Json>> read_task_docs(const std::string& path);

// A list of texts and numbers as Python prints it: "['a', \"b's\", 3]". No value: something else.
std::optional<std::vector<Json>> parse_python_list(std::string_view text);

class TaskField {
 public:
  // `value`: a text (column or template), or what stands for itself: a number, a list, a mapping whose values are meant. `columns`: of the documents.
  static Result<TaskField> make(const Json& value, const Json& columns, std::string field, const std::string& file);

  Result<Json> value(const Json& doc) const;                       // the column's value, or the rendered text
  Result<std::string> text(const Json& doc) const;                 // refused where it is no text
  Result<std::vector<std::string>> choices(const Json& doc) const; // doc_to_choice

 private:
  struct Template;
  Json constant_;
  std::string column_, field_, file_;
  std::shared_ptr<const Template> template_;
};

}  // namespace assay
