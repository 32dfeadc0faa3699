#include "reports/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "reports/migrations.h"

namespace assay {
namespace {

Error sqlite_error(sqlite3* db, const std::string& path, std::string_view doing) {
  const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_errcode(db);
  const std::string text = db == nullptr ? "out of memory" : sqlite3_errmsg(db);
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return Error{.code = Code::busy,
                 .message = "another process uses this database; wait for it or choose another --db",
                 .file = path};
  }
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
    return Error{.code = Code::not_a_database,
                 .message = "the file is not a database that SQLite can read",
                 .file = path,
                 .got = text};
  }
  return Error{
      .code = Code::database, .message = fmt::format("SQLite could not {}: {}", doing, text), .file = path};
}

}  // namespace

// --- Statement ---

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, std::int64_t value) {
  ASSAY_CHECK(sqlite3_bind_int64(statement_, index, value) == SQLITE_OK);
  return *this;
}
Statement& Statement::bind(int index, double value) {
  if (!std::isfinite(value)) return bind(index, std::nullopt);
  ASSAY_CHECK(sqlite3_bind_double(statement_, index, value) == SQLITE_OK);
  return *this;
}
Statement& Statement::bind(int index, std::string_view value) {
  ASSAY_CHECK(sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(),
                                  value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}
Statement& Statement::bind(int index, std::nullopt_t) {
  ASSAY_CHECK(sqlite3_bind_null(statement_, index) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(statement_);
  const char* path = sqlite3_db_filename(db, "main");
  return sqlite_error(db, path == nullptr ? "" : path, "run a statement");
}

Status Statement::run() {
  for (;;) {
    ASSAY_TRY(const bool row, next());
    if (!row) break;
  }
  sqlite3_reset(statement_);
  return {};
}

int Statement::columns() const { return sqlite3_column_count(statement_); }
std::string_view Statement::column_name(int column) const { return sqlite3_column_name(statement_, column); }
Statement::Kind Statement::kind(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return Kind::null;
    case SQLITE_INTEGER:
      return Kind::integer;
    case SQLITE_FLOAT:
      return Kind::real;
    default:
      return Kind::text;
  }
}
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }
std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr
             ? std::string()
             : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
std::optional<std::int64_t> Statement::maybe_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}
std::optional<double> Statement::maybe_real(int column) const {
  return is_null(column) ? std::nullopt : std::optional(real(column));
}
std::optional<std::string> Statement::maybe_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

// --- Database ---

struct Database::State {
  sqlite3* db = nullptr;
  std::string path;
  bool writer = false;

  ~State() {
    if (writer) {
      sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr);
      sqlite3_exec(db, "PRAGMA locking_mode = NORMAL", nullptr, nullptr, nullptr);
      // A reader that looked at a killed writer's file leaves a -shm that exclusive locking never touches.
      const bool one_file =
          sqlite3_exec(db, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr) == SQLITE_OK;
      std::error_code ignored;
      if (one_file) std::filesystem::remove(path + "-shm", ignored);
    }
    sqlite3_close_v2(
        db);  // a statement that outlives its database keeps the connection, not a dangling pointer
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::Database(Database&& other) noexcept = default;
Database& Database::operator=(Database&& other) noexcept = default;
Database::~Database() = default;

const std::string& Database::path() const { return state_->path; }
std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(state_->db); }

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(state_->db, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
      SQLITE_OK) {
    return sqlite_error(state_->db, path(), "prepare a statement");
  }
  return Statement(statement);
}

Status Database::run(std::string_view sql) {
  if (sqlite3_exec(state_->db, std::string(sql).c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return sqlite_error(state_->db, path(), "run a statement");
}

Result<std::optional<std::int64_t>> Database::find_integer(Statement& statement) const {
  ASSAY_TRY(const bool row, statement.next());
  if (!row) return std::optional<std::int64_t>();
  return statement.maybe_integer(0);
}

namespace {

Result<std::int64_t> pragma_integer(const Database& database, std::string_view name) {
  ASSAY_TRY(Statement statement, database.prepare(fmt::format("PRAGMA {}", name)));
  ASSAY_TRY(const std::optional<std::int64_t> value, database.find_integer(statement));
  return value.value_or(0);
}

// SQLite reads what is missing at a file's end as zeros, which an empty page bears without notice. Its header tells the pages
// (https://sqlite.org/fileformat2.html, 1.3: page size at 16, pages at 28, trusted where the counters at 24 and 92 are equal).
Status check_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  unsigned char header[100] = {};
  if (!file.read(reinterpret_cast<char*>(header), sizeof header)) return {};  // too short: SQLite says what it is
  const auto number = [&header](std::size_t at) {
    return std::uint64_t{header[at]} << 24 | std::uint64_t{header[at + 1]} << 16 | std::uint64_t{header[at + 2]} << 8 | header[at + 3];
  };
  const std::uint64_t stored = std::uint64_t{header[16]} << 8 | header[17], page_bytes = stored == 1 ? 65'536 : stored;
  std::error_code failed;
  const std::uint64_t size = std::filesystem::file_size(path, failed), due = page_bytes * number(28);
  if (failed || number(24) != number(92) || size >= due) return {};
  return Error{.code = Code::not_a_database,
               .message = "the database is damaged: the file was cut off",
               .file = path,
               .expected = fmt::format("{} bytes", due),
               .got = fmt::format("{} bytes", size)};
}

// A file that is empty or new (no tables, no id) may become ours; any other must carry our id and a version
// we know.
Status check_is_ours(const Database& database, bool may_be_new) {
  ASSAY_TRY(const std::int64_t id, pragma_integer(database, "application_id"));
  ASSAY_TRY(const std::int64_t version, pragma_integer(database, "user_version"));
  ASSAY_TRY(Statement count, database.prepare("SELECT count(*) FROM sqlite_schema"));
  ASSAY_TRY(const std::optional<std::int64_t> tables, database.find_integer(count));
  if (may_be_new && id == 0 && version == 0 && tables.value_or(0) == 0) return {};
  if (id != kApplicationId) {
    return Error{.code = Code::not_a_database,
                 .message = "the file is a database, but not one that assay wrote",
                 .file = database.path()};
  }
  if (version > static_cast<std::int64_t>(migrations().size()) || version < 1) {
    return Error{
        .code = Code::not_a_database,
        .message = "the database has a schema version that this assay does not know; use a newer assay",
        .file = database.path(),
        .expected = fmt::format("1 to {}", migrations().size()),
        .got = std::to_string(version)};
  }
  if (!may_be_new && version < static_cast<std::int64_t>(migrations().size())) {
    return Error{.code = Code::not_a_database,
                 .message = "the database has an older schema; any command that writes brings it up to date",
                 .file = database.path(),
                 .expected = std::to_string(migrations().size()),
                 .got = std::to_string(version)};
  }
  return {};
}

// A writer may be given a stranger's file too: nothing that is stored in a file runs by itself. Our schema
// has no triggers and no views; TEMP ones stay possible. https://www.sqlite.org/security.html, "Untrusted
// SQLite Database Files".
void distrust(sqlite3* db) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
}

using Objects = std::map<std::string, std::string>;  // name of a table or index -> its SQL

int add_object(void* objects, int columns, char** values, char**) {
  ASSAY_CHECK(columns == 3);
  static_cast<Objects*>(objects)->emplace(
      values[0], std::string(values[1]) + " " + (values[2] == nullptr ? "" : values[2]));
  return 0;
}

bool read_objects(sqlite3* db, Objects& objects) {
  return sqlite3_exec(db, "SELECT name, type, sql FROM main.sqlite_schema", add_object, &objects, nullptr) ==
         SQLITE_OK;
}

// What the migrations create in an empty database.
Objects objects_of_migrations() {
  sqlite3* memory = nullptr;
  Objects objects;
  ASSAY_CHECK(sqlite3_open(":memory:", &memory) == SQLITE_OK);
  for (const Migration& step : migrations()) {
    ASSAY_CHECK(sqlite3_exec(memory, step.sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ASSAY_CHECK(read_objects(memory, objects));
  sqlite3_close(memory);
  return objects;
}

// Every table of ours must be stored with our own text: a view, a generated column or a missing column under
// the name of one of our tables would run a stranger's expressions in our queries. More tables, views and
// triggers are ignored.
Status check_schema(sqlite3* db, const std::string& path) {
  static const Objects ours = objects_of_migrations();
  Objects theirs;
  if (!read_objects(db, theirs)) return sqlite_error(db, path, "read the schema");
  for (const auto& [name, sql] : ours) {
    const auto found = theirs.find(name);
    if (found != theirs.end() && found->second == sql) continue;
    return Error{.code = Code::not_a_database,
                 .message = "a table of the database is not the one that assay creates",
                 .file = path,
                 .field = name,
                 .got = found == theirs.end() ? "no such table" : "another definition"};
  }
  return {};
}

Status migrate(Database& database) {
  ASSAY_TRY(const std::int64_t version, pragma_integer(database, "user_version"));
  const auto all = migrations();
  for (std::size_t i = static_cast<std::size_t>(version); i < all.size(); ++i) {
    ASSAY_TRY(Transaction transaction, Transaction::begin(database));
    ASSAY_OK(database.run(all[i].sql));
    ASSAY_OK(database.run(
        fmt::format("PRAGMA user_version = {}; PRAGMA application_id = {};", i + 1, kApplicationId)));
    ASSAY_OK(transaction.commit());
  }
  return {};
}

}  // namespace

Result<Database> Database::create(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr) != SQLITE_OK)
    return sqlite_error(state->db, path, "open the file");
  sqlite3_extended_result_codes(state->db, 0);
  distrust(state->db);
  Database database(std::move(state));
  // Exclusive locking makes the writer's lock last as long as the connection: the second writer is refused at
  // once.
  ASSAY_OK(database.run("PRAGMA trusted_schema = OFF; PRAGMA locking_mode = EXCLUSIVE;"));
  ASSAY_OK(check_is_ours(database, true));
  ASSAY_OK(
      database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; BEGIN "
                   "IMMEDIATE; COMMIT;"));
  database.state_->writer = true;
  ASSAY_OK(migrate(database));
  ASSAY_OK(check_schema(database.state_->db, path));
  return database;
}

Result<Database> Database::open_read_only(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    return Error{
        .code = Code::not_found, .message = "no such database; `assay demo` makes one", .file = path};
  }
  auto state = std::make_unique<State>();
  state->path = path;
  if (sqlite3_open_v2(path.c_str(), &state->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr) !=
      SQLITE_OK) {
    return sqlite_error(state->db, path, "open the file");
  }
  distrust(state->db);
  sqlite3_limit(state->db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(state->db, SQLITE_LIMIT_LENGTH, 64 << 20);
  Database database(std::move(state));
  ASSAY_OK(
      database.run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA "
                   "query_only = ON;"));
  ASSAY_OK(check_is_ours(database, false));
  ASSAY_OK(check_whole(path));
  ASSAY_OK(check_schema(database.state_->db, path));
  ASSAY_TRY(Statement check, database.prepare("PRAGMA quick_check(1)"));
  ASSAY_TRY(const bool row, check.next());
  if (!row || check.text(0) != "ok") {
    return Error{.code = Code::not_a_database,
                 .message = "the database is damaged",
                 .file = path,
                 .got = row ? check.text(0) : ""};
  }
  return database;
}

// --- Transaction ---

Result<Transaction> Transaction::begin(Database& database) {
  ASSAY_OK(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->run("ROLLBACK");
}

Status Transaction::commit() {
  ASSAY_CHECK(database_ != nullptr);
  ASSAY_OK(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

std::string now_utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace assay
