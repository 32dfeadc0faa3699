// The database file: create, reopen, one writer, transactions, one file at the end, a killed writer.
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "base/file.h"
#include "reports/database.h"
#include "reports/migrations.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

std::int64_t count(const Database& database, const std::string& table) {
  Result<Statement> statement = database.prepare("SELECT count(*) FROM " + table);
  REQUIRE(statement.ok());
  const auto value = database.find_integer(*statement);
  REQUIRE(value.ok());
  return value->value_or(-1);
}

Status add_artifact(Database& database, const std::string& digest) {
  ASSAY_TRY(Statement statement,
            database.prepare("INSERT INTO artifact (kind, name, digest) VALUES ('weights', 'm', ?)"));
  statement.bind(1, digest);
  return statement.run();
}

// Runs `body` in a child process after telling us through the pipe that it is ready; `body` must not return.
struct Child {
  pid_t pid = -1;
  int ready = -1;
};

template <class Body>
Child in_child(const Body& body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    body(ends[1]);
    ::_exit(9);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

void say(int pipe, char word) {
  if (::write(pipe, &word, 1) != 1) ::_exit(8);
}

char hear(const Child& child) {
  char word = 0;
  return ::read(child.ready, &word, 1) == 1 ? word : '\0';
}

void wait_for_kill(const Child& child) {
  ::kill(child.pid, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child.pid, &status, 0) == child.pid);
  CHECK(WIFSIGNALED(status));
  ::close(child.ready);
}

}  // namespace

TEST_CASE("database: created, closed and reopened, it is one file with what was written") {
  const test::Folder folder;
  const std::string path = folder.file("a.db");
  {
    Result<Database> database = Database::create(path);
    REQUIRE(database.ok());
    CHECK(database->path() == path);
    REQUIRE(add_artifact(*database, "d1").ok());
    CHECK(database->last_id() == 1);
  }
  CHECK(folder.n_files() == 1);  // no -wal, no -shm, no -journal
  {
    Result<Database> database = Database::create(path);  // the migrations are not applied twice
    REQUIRE(database.ok());
    CHECK(count(*database, "artifact") == 1);
    REQUIRE(add_artifact(*database, "d2").ok());
  }
  CHECK(folder.n_files() == 1);
  const Result<Database> database = Database::open_read_only(path);
  REQUIRE(database.ok());
  CHECK(count(*database, "artifact") == 2);
  CHECK(folder.n_files() == 1);  // reading leaves nothing behind
}

TEST_CASE("database: migrations are numbered and the version counts them") {
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  Result<Statement> version = database->prepare("PRAGMA user_version");
  REQUIRE(version.ok());
  CHECK(database->find_integer(*version)->value() == static_cast<std::int64_t>(migrations().size()));
  Result<Statement> id = database->prepare("PRAGMA application_id");
  CHECK(database->find_integer(*id)->value() == kApplicationId);
  for (std::size_t i = 0; i < migrations().size(); ++i) {
    CHECK(std::stoul(std::string(migrations()[i].name).substr(0, 3)) == i + 1);
  }
}

TEST_CASE("database: every table is STRICT and every real has a unit or a comment's meaning") {
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  Result<Statement> loose = database->prepare(
      "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND "
      "name NOT LIKE 'sqlite_%'");
  REQUIRE(loose.ok());
  CHECK(database->find_integer(*loose)->value() == 0);
  CHECK_FALSE(
      database->run("INSERT INTO artifact (kind, name, digest, size_bytes) VALUES ('w', 'n', 'd', 'many')")
          .ok());
  const Status orphan = database->run("INSERT INTO protocol VALUES (1, 77, 'n', '{}', 'd', 'm', NULL)");
  REQUIRE_FALSE(orphan.ok());  // foreign keys are on
  CHECK(orphan.error().code == Code::database);
}

TEST_CASE("database: values come back as they were bound; what is not finite is NULL") {
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  Result<Statement> echo = database->prepare("SELECT ?1, ?2, ?3, ?4, ?5, ?6");
  REQUIRE(echo.ok());
  const std::string text("a\0b\xff", 4);
  echo->with(std::int64_t{1} << 62, 0.1, text, std::nullopt, std::numeric_limits<double>::quiet_NaN(), true);
  REQUIRE(*echo->next());
  CHECK(echo->columns() == 6);
  CHECK(echo->integer(0) == std::int64_t{1} << 62);
  CHECK(echo->real(1) == 0.1);
  CHECK(echo->text(2) == text);
  CHECK(echo->is_null(3));
  CHECK(echo->is_null(4));
  CHECK(echo->maybe_integer(5) == 1);
  CHECK_FALSE(echo->maybe_real(4).has_value());
  CHECK_FALSE(echo->maybe_text(3).has_value());
  CHECK_FALSE(*echo->next());
}

TEST_CASE("database: a transaction that is left without commit leaves nothing") {
  const test::Folder folder;
  Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  {
    Result<Transaction> transaction = Transaction::begin(*database);
    REQUIRE(transaction.ok());
    REQUIRE(add_artifact(*database, "lost").ok());
  }
  CHECK(count(*database, "artifact") == 0);
  Result<Transaction> transaction = Transaction::begin(*database);
  REQUIRE(add_artifact(*database, "kept").ok());
  REQUIRE(transaction->commit().ok());
  CHECK(count(*database, "artifact") == 1);
}

TEST_CASE("database: a second writer in another process is refused at once with busy") {
  const test::Folder folder;
  const std::string path = folder.file("a.db");
  const Child writer = in_child([&](int pipe) {
    Result<Database> database = Database::create(path);
    say(pipe, database.ok() && add_artifact(*database, "d").ok() ? 'y' : 'n');
    for (;;) ::pause();
  });
  REQUIRE(hear(writer) == 'y');
  const Result<Database> second = Database::create(path);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == Code::busy);
  CHECK(second.error().file == path);
  const Result<Database> reader = Database::open_read_only(path);
  REQUIRE_FALSE(reader.ok());
  CHECK(reader.error().code == Code::busy);
  wait_for_kill(writer);
  const Result<Database> third = Database::create(path);  // the lock died with its process
  REQUIRE(third.ok());
  CHECK(count(*third, "artifact") == 1);
}

TEST_CASE("database: kill -9 in the middle of a transaction leaves the state before it") {
  const test::Folder folder;
  const std::string path = folder.file("a.db");
  const Child writer = in_child([&](int pipe) {
    Result<Database> database = Database::create(path);
    if (!database.ok() || !add_artifact(*database, "before").ok()) ::_exit(1);
    Result<Transaction> transaction = Transaction::begin(*database);
    for (int i = 0; i < 20'000; ++i) {  // more than a page cache holds back
      if (!add_artifact(*database, std::string(200, 'x') + std::to_string(i)).ok()) ::_exit(2);
    }
    say(pipe, 'y');
    for (;;) ::pause();
  });
  REQUIRE(hear(writer) == 'y');
  wait_for_kill(writer);
  {
    const Result<Database> reader = Database::open_read_only(path);
    REQUIRE(reader.ok());
    CHECK(count(*reader, "artifact") == 1);
  }
  {
    const Result<Database> database = Database::create(path);
    REQUIRE(database.ok());
    CHECK(count(*database, "artifact") == 1);
  }
  CHECK(folder.n_files() == 1);
}

TEST_CASE("database: times are UTC in ISO 8601") {
  const std::string now = now_utc();
  REQUIRE(now.size() == 20);
  CHECK(now[4] == '-');
  CHECK(now[10] == 'T');
  CHECK(now.back() == 'Z');
}

TEST_CASE("database: a file of every older schema version is brought up to date by a writer, its rows kept") {
  const test::Folder folder;
  const std::string fresh = folder.file("fresh.db");
  REQUIRE(Database::create(fresh).ok());
  const auto raw = [](const std::string& path, const std::string& sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
  };
  const Result<std::string> header = read_file(fresh);
  REQUIRE(header.ok());
  std::uint32_t id = 0;  // the application id, big-endian at byte 68 (sqlite.org/fileformat2.html)
  for (std::size_t i = 68; i < 72; ++i) id = id << 8 | static_cast<unsigned char>((*header)[i]);
  REQUIRE(migrations().size() > 1);
  for (std::size_t version = 1; version < migrations().size(); ++version) {
    const std::string path = folder.file("old" + std::to_string(version) + ".db");
    for (std::size_t i = 0; i < version; ++i) raw(path, migrations()[i].sql);
    raw(path, "PRAGMA application_id = " + std::to_string(id) + "; PRAGMA user_version = " + std::to_string(version) +
                  "; INSERT INTO artifact (kind, name, digest) VALUES ('weights', 'm', 'aa')");
    CHECK(Database::open_read_only(path).error().message.find("older schema") != std::string::npos);
    {
      const Result<Database> database = Database::create(path);
      REQUIRE(database.ok());
      CHECK(count(*database, "artifact") == 1);
    }
    CHECK(Database::open_read_only(path).ok());
  }
}
