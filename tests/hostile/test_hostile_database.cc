// A database from a stranger: what is not one is refused with one sentence, and what is stored in one never
// runs.
#include <sqlite3.h>

#include <fstream>

#include "base/file.h"
#include "reports/database.h"
#include "reports/query.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string bytes_of(const std::string& path) { return *read_file(path); }

// Writes SQL past our own wrapper, as a stranger would.
void run_as_stranger(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* message = nullptr;
  const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
  INFO((message == nullptr ? "" : message));
  CHECK(code == SQLITE_OK);
  sqlite3_free(message);
  sqlite3_close(db);
}

void check_refused(const std::string& path, Code code, const std::string& word) {
  const Result<Database> database = Database::open_read_only(path);
  REQUIRE_FALSE(database.ok());
  INFO(database.error().text());
  CHECK(database.error().code == code);
  CHECK(database.error().file == path);
  CHECK(database.error().text().find(word) != std::string::npos);
}

void check_not_written(const std::string& path, Code code) {
  const std::string before = bytes_of(path);
  const Result<Database> database = Database::create(path);
  REQUIRE_FALSE(database.ok());
  CHECK(database.error().code == code);
  CHECK(bytes_of(path) == before);
}

}  // namespace

TEST_CASE("hostile database: a missing file is not found, and reading creates nothing") {
  const test::Folder folder;
  check_refused(folder.file("none.db"), Code::not_found, "no such database");
  CHECK(folder.n_files() == 0);
}

TEST_CASE("hostile database: files that are no database are refused, for reading and for writing") {
  const test::Folder folder;
  const std::string text = folder.file("text.db"), noise = folder.file("noise.db"),
                    empty = folder.file("empty.db");
  write(text, std::string(5000, 'a') + "\n");
  std::string bytes;
  for (unsigned i = 0; i < 10'000; ++i) bytes += static_cast<char>((i * 2654435761U) >> 13);
  write(noise, bytes);
  write(empty, "");
  check_refused(text, Code::not_a_database, "not a database");
  check_refused(noise, Code::not_a_database, "not a database");
  check_refused(empty, Code::not_a_database, "not one that assay wrote");
  check_not_written(text, Code::not_a_database);
  check_not_written(noise, Code::not_a_database);
  CHECK(Database::create(empty).ok());  // an empty file may become one
}

TEST_CASE("hostile database: a folder is refused") {
  const test::Folder folder;
  const std::string path = folder.file("folder.db");
  std::filesystem::create_directory(path);
  check_refused(path, Code::database, "could not");
}

TEST_CASE("hostile database: another program's database is refused and stays as it is") {
  const test::Folder folder;
  const std::string path = folder.file("foreign.db");
  run_as_stranger(path, "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x');");
  check_refused(path, Code::not_a_database, "not one that assay wrote");
  check_not_written(path, Code::not_a_database);
}

TEST_CASE("hostile database: a schema version of the future or of before the first is refused") {
  const test::Folder folder;
  const std::string path = folder.file("future.db");
  test::make_sample_database(path);
  run_as_stranger(path, "PRAGMA user_version = 900");
  check_refused(path, Code::not_a_database, "newer assay");
  check_not_written(path, Code::not_a_database);
  run_as_stranger(path, "PRAGMA user_version = 0");
  check_refused(path, Code::not_a_database, "schema version");
}

TEST_CASE("hostile database: a file that was cut off is refused") {
  const test::Folder folder;
  const std::string path = folder.file("damaged.db");
  test::make_sample_database(path);
  const std::string good = bytes_of(path);
  for (const std::size_t cut : {good.size() / 2, good.size() - 100, std::size_t{600}}) {
    write(path, good.substr(0, cut));
    check_refused(path, Code::not_a_database, "database");
  }
}

TEST_CASE("hostile database: overwritten bytes give an error or rows, never a crash") {
  const test::Folder folder;
  const std::string path = folder.file("flipped.db");
  test::make_sample_database(path);
  const std::string good = bytes_of(path);
  int refused = 0;
  for (std::size_t round = 0; round < 200; ++round) {
    std::string bad = good;
    for (std::size_t k = 0; k < 8; ++k) {
      const std::size_t at = 100 + (round * 7919 + k * 104729) % (bad.size() - 100);
      bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1 + (round + k) % 255));
    }
    write(path, bad);
    const Result<Database> database = Database::open_read_only(path);
    if (!database.ok()) {
      ++refused;
      continue;
    }
    (void)claim_rows(*database);
    (void)run_rows(*database);
    (void)cost_rows(*database);
  }
  CHECK(refused > 0);
}

TEST_CASE("hostile database: a view under the name of one of our tables is refused") {
  const test::Folder folder;
  const std::string path = folder.file("view.db");
  test::make_sample_database(path);
  run_as_stranger(
      path,
      "PRAGMA foreign_keys = OFF; ALTER TABLE event RENAME TO hidden;"
      "CREATE VIEW event AS WITH RECURSIVE forever(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM forever) "
      "SELECT * FROM hidden, forever;");
  check_refused(path, Code::not_a_database, "event");
  CHECK_FALSE(Database::create(path).ok());
}

TEST_CASE("hostile database: a table with another definition is refused") {
  const test::Folder folder;
  const std::string path = folder.file("generated.db");
  test::make_sample_database(path);
  run_as_stranger(
      path, "ALTER TABLE event ADD COLUMN trap TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL");
  check_refused(path, Code::not_a_database, "event");
}

TEST_CASE("hostile database: views and triggers beside our tables do no harm") {
  const test::Folder folder;
  const std::string path = folder.file("trigger.db");
  test::make_sample_database(path);
  run_as_stranger(path,
                  "CREATE VIEW overview AS WITH RECURSIVE f(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM f) "
                  "SELECT * FROM f;"
                  "CREATE TRIGGER trap AFTER INSERT ON artifact BEGIN DELETE FROM verdict; END;"
                  "CREATE TABLE other (x);");
  {
    const Result<Database> reader = Database::open_read_only(path);
    REQUIRE(reader.ok());
    CHECK(claim_rows(*reader)->front().verdict == "reproduced");
  }
  Result<Database> writer = Database::create(path);
  REQUIRE(writer.ok());
  REQUIRE(writer->run("INSERT INTO artifact (kind, name, digest) VALUES ('w', 'n', 'new')").ok());
  CHECK(claim_rows(*writer)->front().verdict == "reproduced");  // the trigger did not fire
  CHECK_FALSE(writer->run("SELECT * FROM overview").ok());
}

TEST_CASE("hostile database: a reader cannot write, attach or load") {
  const test::Folder folder;
  const std::string path = folder.file("a.db");
  test::make_sample_database(path);
  Result<Database> reader = Database::open_read_only(path);
  REQUIRE(reader.ok());
  CHECK_FALSE(reader->run("DELETE FROM claim").ok());
  CHECK_FALSE(reader->run("ATTACH '" + folder.file("b.db") + "' AS b").ok());
  CHECK_FALSE(reader->run("SELECT load_extension('x')").ok());
  CHECK(folder.n_files() == 1);
}
