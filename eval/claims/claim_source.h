// The text of a source, ready to be asked which rows have a figure.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

// One place where figures stand: a line of a text, or a number of a JSON document.
struct SourceRow {
  std::string_view text;  // the line; for JSON its dotted path and value
  std::string names;      // squashed (claim_ledger.h) text that says what the figure is of
  std::int64_t line = 0;  // from 1; 0: JSON
  double value = 0;       // JSON only
};

class SourceText {
 public:
  // `name` is for errors and says by its ending whether the text is JSON. Refused: a JSON document that is none.
  static Result<SourceText> parse(std::string text, std::string name, bool whole);
  SourceText(SourceText&&) noexcept = default;
  SourceText& operator=(SourceText&&) noexcept = default;
  SourceText(const SourceText&) = delete;
  SourceText& operator=(const SourceText&) = delete;

  const std::string& name() const { return name_; }
  bool is_json() const { return json_; }
  bool whole() const { return whole_; }  // the file itself: its line numbers count
  const SourceRow* line(std::int64_t number) const;         // null: there is none
  const SourceRow* at_path(const std::string& path) const;  // of a JSON document, dotted
  // The rows that print this figure as a number of its own: "89.3" is not in "189.3", "89.35" or "89.3.1".
  std::vector<const SourceRow*> rows_with(std::string_view figure) const;
  static bool prints(const SourceRow& row, std::string_view figure, bool json);

 private:
  SourceText() = default;
  void index_lines();
  void index_json(const Json& value, const std::string& path, const std::string& names);

  std::unique_ptr<const std::string> text_;  // rows look into it, also after a move
  std::string name_;
  bool json_ = false, whole_ = false;
  std::vector<std::string> paths_;  // texts of JSON rows
  std::vector<SourceRow> rows_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_number_;  // lines only
};

// The bytes of COMMIT:PATH in the clone at `folder`, by `git cat-file`. not_found: no such object, or git is not installed.
Result<std::string> read_git_object(const std::string& folder, const std::string& commit, const std::string& path, std::size_t max_bytes);

}  // namespace assay
