// Shared by the files that turn SQL into rows: a cursor over columns and a loop with a limit. Internal to
// reports/.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "reports/query.h"

namespace assay::shown {

// Reads a row's columns from left to right, so that a row's reader follows its SELECT.
class Columns {
 public:
  explicit Columns(const Statement& statement) : statement_(statement) {}
  std::int64_t integer() { return statement_.integer(next_++); }
  double real() { return statement_.real(next_++); }
  bool flag() { return statement_.integer(next_++) != 0; }
  std::string text() { return statement_.text(next_++); }
  MaybeInt maybe_integer() { return statement_.maybe_integer(next_++); }
  MaybeReal maybe_real() { return statement_.maybe_real(next_++); }
  std::optional<bool> maybe_flag() {
    const MaybeInt value = maybe_integer();
    return value ? std::optional(*value != 0) : std::nullopt;
  }
  bool is_null() const { return statement_.is_null(next_); }
  int used() const { return next_; }

 private:
  const Statement& statement_;
  int next_ = 0;
};

// All rows of a statement whose values are bound; `read` turns one row's columns into a T.
template <class T, class Read>
Result<std::vector<T>> collect(Statement& statement, const Read& read, int max_rows = kMaxRows) {
  std::vector<T> rows;
  for (;;) {
    ASSAY_TRY(const bool found, statement.next());
    if (!found) return rows;
    if (static_cast<int>(rows.size()) >= max_rows) {
      return Error{.code = Code::too_large,
                   .message = "the database has more rows of one kind than can be shown",
                   .expected = "at most " + std::to_string(max_rows)};
    }
    Columns columns(statement);
    rows.push_back(read(columns));
    ASSAY_CHECK(columns.used() == statement.columns());
  }
}

template <class T, class Read>
Result<std::vector<T>> collect(const Database& database, std::string_view sql, const Read& read) {
  ASSAY_TRY(Statement statement, database.prepare(sql));
  return collect<T>(statement, read);
}

}  // namespace assay::shown
