// docs/schema.md is made from reports/schema/*.sql: comments become prose, columns become tables. This test
// fails where the document is stale; ASSAY_UPDATE=1 build/release/bin/test_unit "schema document*" writes it
// anew.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/file.h"
#include "reports/database.h"
#include "reports/migrations.h"
#include "tests/catch.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

struct Comments {
  std::map<std::string, std::string> table, column;  // "table" and "table.column" -> comment
  std::string top;
};

std::string trimmed(const std::string& text) {
  return std::regex_replace(text, std::regex("^\\s+|\\s+$"), "");
}

// A comment behind a line belongs to the last column that the line defines; lines of comment before CREATE
// TABLE to the table.
Comments comments_of(const std::string& sql) {
  static const std::regex create("^CREATE TABLE (\\w+)"), alter("^ALTER TABLE (\\w+) ADD COLUMN"),
      column("(?:^|,|ADD COLUMN)\\s*(\\w+) (?:INTEGER|TEXT|REAL)");
  Comments found;
  std::string table, before;
  std::istringstream lines(sql);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dashes = line.find("-- ");
    const std::string code = line.substr(0, dashes),
                      comment = dashes == std::string::npos ? "" : trimmed(line.substr(dashes + 3));
    std::smatch match;
    if (std::regex_search(code, match, create)) {
      table = match[1];
      found.table[table] = before;
    } else if (std::string rest = code; !comment.empty() && !trimmed(code).empty()) {
      std::string name;
      if (std::regex_search(code, match, alter)) table = match[1];
      for (; std::regex_search(rest, match, column); rest = match.suffix()) name = match[1];
      if (!name.empty()) found.column[table + "." + name] = comment;
    }
    if (trimmed(line).empty() && table.empty()) found.top = before;
    before = trimmed(code).empty() && !comment.empty() ? before + (before.empty() ? "" : " ") + comment : "";
  }
  return found;
}

std::string references(const Database& database, const std::string& table, const std::string& column) {
  Result<Statement> statement =
      database.prepare("SELECT \"table\" FROM pragma_foreign_key_list(?) WHERE \"from\" = ?");
  REQUIRE(statement.ok());
  statement->with(table, column);
  return *statement->next() ? statement->text(0) : "";
}

std::string table_section(const Database& database, const std::string& table, const Comments& comments) {
  std::string out = fmt::format("\n## {}\n", table);
  const auto words = comments.table.find(table);
  if (words != comments.table.end() && !words->second.empty()) out += words->second + "\n";
  out += "\n| column | type | |\n|---|---|---|\n";
  Result<Statement> columns =
      database.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?)");
  REQUIRE(columns.ok());
  columns->bind(1, table);
  while (*columns->next()) {
    const std::string name = columns->text(0), target = references(database, table, name);
    const auto comment = comments.column.find(table + "." + name);
    std::string note = columns->integer(3) > 0 ? "key"
                       : target.empty()        ? ""
                                               : fmt::format("→ [{}](#{})", target, target);
    if (comment != comments.column.end())
      note += (note.empty() ? "" : "; ") + std::regex_replace(comment->second, std::regex("\\|"), "\\|");
    out += fmt::format("| `{}` | {}{} | {} |\n", name, columns->text(1), columns->integer(2) != 0 || columns->integer(3) != 0 ? "" : "?",
                       note);
  }
  return out;
}

std::string schema_document() {
  const test::Folder folder;
  const Result<Database> database = Database::create(folder.file("a.db"));
  REQUIRE(database.ok());
  std::string sql;
  for (const Migration& step : migrations()) sql += step.sql;
  const Comments comments = comments_of(sql);
  std::string out = fmt::format(
      "# The database\n\nMade from `reports/schema/` (version {}); a test fails where this page is stale. "
      "One SQLite file holds everything; "
      "`sqlite3 assay.db` reads it.\n{}\nA type with `?` may be NULL.\n",
      migrations().size(), comments.top);
  Result<Statement> tables = database->prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid");
  REQUIRE(tables.ok());
  while (*tables->next()) out += table_section(*database, tables->text(0), comments);
  return out;
}

}  // namespace

TEST_CASE("schema document: docs/schema.md is what the schema says") {
  const std::string path = std::string(ASSAY_TREE) + "/docs/schema.md", fresh = schema_document();
  if (std::getenv("ASSAY_UPDATE") != nullptr) REQUIRE(write_file_atomic(path, fresh).ok());
  const Result<std::string> kept = read_file(path);
  INFO(
      "docs/schema.md is stale; write it anew with  ASSAY_UPDATE=1 build/release/bin/test_unit \"schema "
      "document*\"");
  REQUIRE(kept.ok());
  CHECK(*kept == fresh);
  CHECK(fresh.find("## item_result\nThe score of one item in one run.") != std::string::npos);
  CHECK(fresh.find("| `holds_under_run_id` | INTEGER? | → [run](#run); protocol-mismatch") !=
        std::string::npos);
}
