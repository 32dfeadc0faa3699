// Access to the one SQLite file. Errors of SQLite become Result; statements are prepared, values are bound,
// never pasted.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace assay {

inline constexpr int kApplicationId =
    0x41535359;  // "ASSY" in the file header: how a database is told from a stranger's

// One prepared statement. Bind with `bind(1, …)`, step with `next()`, read with `integer(0)` …; columns count
// from 0.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, int value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, std::size_t value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, bool value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, double value);  // NaN and infinities are stored as NULL
  Statement& bind(int index, std::string_view value);
  Statement& bind(int index, const char* value) { return bind(index, std::string_view(value)); }
  Statement& bind(int index, const std::string& value) { return bind(index, std::string_view(value)); }
  Statement& bind(int index, std::nullopt_t);
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind(index, std::nullopt);
  }
  // Binds all values from index 1 on.
  template <class... Values>
  Statement& with(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    return *this;
  }

  Result<bool> next();  // true: a row is there
  Status run();         // steps to the end and resets, for statements without rows

  int columns() const;
  std::string_view column_name(int column) const;
  enum class Kind : std::uint8_t { null, integer, real, text };
  Kind kind(int column) const;  // of the stored value; a BLOB counts as text
  bool is_null(int column) const { return kind(column) == Kind::null; }
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::optional<std::int64_t> maybe_integer(int column) const;
  std::optional<double> maybe_real(int column) const;
  std::optional<std::string> maybe_text(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_ = nullptr;
};

class Database {
 public:
  // Opens or creates a database for writing (WAL, foreign keys, full synchronisation), applies the migrations
  // that are missing and takes the writer's lock: a second writer is refused with Code::busy at once.
  static Result<Database> create(const std::string& path);
  // Opens somebody's file read-only with SQLite's settings for untrusted databases; not a database or no
  // assay one is refused.
  static Result<Database> open_read_only(const std::string& path);

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();  // a writer checkpoints and goes back to a rollback journal: one file is the whole database

  Result<Statement> prepare(std::string_view sql) const;
  Status run(std::string_view sql);  // one or several statements without parameters
  std::int64_t last_id() const;
  const std::string& path() const;

  // The first column of the first row, for look-ups; no value: no row or NULL.
  Result<std::optional<std::int64_t>> find_integer(Statement& statement) const;

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// BEGIN IMMEDIATE … COMMIT; rolls back when it is left without commit().
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

std::string now_utc();  // "2026-11-23T21:24:05Z"

}  // namespace assay
