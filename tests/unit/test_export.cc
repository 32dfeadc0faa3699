// The report's formats and the canonical export.
#include "reports/export.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.h"
#include "tests/catch.h"
#include "tests/markup.h"
#include "tests/report_fixture.h"

using namespace assay;

namespace {

struct Sample {
  test::Folder folder;
  std::string path = folder.file("a.db");
  explicit Sample(const test::Machine& machine = {}) { test::make_sample_database(path, machine); }
};

std::vector<ReportFile> render(const std::string& path, const std::string& format) {
  Result<Database> database = Database::open_read_only(path);
  REQUIRE(database.ok());
  Result<std::vector<ReportFile>> files = render_report(*database, format);
  if (!files.ok()) FAIL(files.error().text());
  return *std::move(files);
}

std::string canonical(const std::string& path) {
  Result<Database> database = Database::open_read_only(path);
  REQUIRE(database.ok());
  std::string out;
  const Status status = export_canonical(*database, [&out](std::string_view line) {
    out += line;
    return Status();
  });
  REQUIRE(status.ok());
  return out;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Every text column of every table filled with what breaks naive exporters.
void make_hostile(const std::string& path) {
  Result<Database> database = Database::create(path);
  REQUIRE(database.ok());
  Result<Statement> update =
      database->prepare("UPDATE claim SET text = ?1, published = ?1, source = ?1, claimant = ?1");
  REQUIRE(update.ok());
  const std::string nasty =
      std::string("</td><script>alert(1)</script>\"'|`*_[x](javascript:1) =1+1\n\r\x01\x1b[31m\xff\xfe end") + std::string(1, char{0}) +
      "\u202e" + std::string(100'000, 'A');
  REQUIRE(update->with(nasty).run().ok());
  for (const char* sql :
       {"UPDATE verdict SET reason = ?1, hangs_on = ?1, next = ?1", "UPDATE model SET name = ?1 || id",
        "UPDATE similarity SET a = ?1, does_not_show = ?1",
        "UPDATE cost_estimate SET subject = ?1, reason = ?1", "UPDATE cost_line SET step = ?1, source = ?1",
        "UPDATE kernel_measurement SET kernel = ?1, shape = ?1", "UPDATE artifact SET name = ?1",
        "UPDATE sample SET output = ?1"}) {
    Result<Statement> statement = database->prepare(sql);
    REQUIRE(statement.ok());
    REQUIRE(statement->with(nasty).run().ok());
  }
}

}  // namespace

TEST_CASE("export: HTML is one well-formed page without scripts, with every section and figure") {
  const Sample sample;
  const auto files = render(sample.path, "html");
  REQUIRE(files.size() == 1);
  const std::string& html = files[0].bytes;
  CHECK(test::markup_fault(html).empty());
  for (const char* part :
       {"<!DOCTYPE html>", "default-src &#39;none&#39;", "prefers-color-scheme: dark", "section-verdicts",
        "section-runs", "section-similarity", "section-cost", "section-kernels", "section-provenance",
        "section-limits", "<svg", "demo-a", "66.7 %", "The measured score rounds to the figure.", "2.788M",
        "arXiv 2412.19437 Table 1", "requantised", "aa11"}) {
    INFO(part);
    CHECK(has(html, part));
  }
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "http-equiv=\"refresh"));
  CHECK_FALSE(has(html, "src="));
  CHECK(has(html, "&lt;script&gt;"));
  CHECK(html == render(sample.path, "html")[0].bytes);
}

TEST_CASE("export: Markdown, CSV, JSON and JUnit hold the same claims") {
  const Sample sample;
  const std::string md = render(sample.path, "md")[0].bytes;
  CHECK(has(md, "# assay report"));
  CHECK(has(md, "| reproduced | demo-a |"));
  CHECK_FALSE(has(md, "<script"));

  const auto csv = render(sample.path, "csv");
  CHECK(csv.size() >= 9);
  CHECK(csv[0].name == "claims.csv");
  CHECK(csv[0].bytes.substr(0, 19) == "verdict,claim,text,");
  CHECK(has(csv[0].bytes, "66.66666666666667"));  // programs get all digits

  const Result<Json> json = parse_json(render(sample.path, "json")[0].bytes, "");
  REQUIRE(json.ok());
  CHECK((*json)["tables"]["claims"][0]["measured"] == 66.66666666666667);
  CHECK((*json)["tables"]["claims"][1]["measured"].is_null());
  CHECK((*json)["verdicts"]["reproduced"] == 1);
  CHECK((*json)["verdicts"]["not decided"] == 1);
  CHECK((*json)["tables"]["runs"].size() == 3);
  CHECK((*json)["does_not_show"].size() >= 4);

  const std::string junit = render(sample.path, "junit")[0].bytes;
  CHECK(test::markup_fault(junit.substr(junit.find("<testsuites>"))).empty());
  CHECK(has(junit, "tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\""));
}

TEST_CASE("export: JUnit fails on contradicted and impossible claims only") {
  std::vector<ClaimRow> claims(5);
  const char* verdicts[] = {"reproduced", "contradicted", "undecided", "protocol-mismatch", "impossible"};
  for (std::size_t i = 0; i < 5; ++i) claims[i].verdict = verdicts[i];
  const std::string junit = to_junit(claims);
  CHECK(has(junit, "tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"2\""));
}

TEST_CASE("export: an empty database gives every format") {
  const test::Folder folder;
  REQUIRE(Database::create(folder.file("a.db")).ok());
  for (const char* format : {"html", "md", "csv", "json", "junit"})
    CHECK_FALSE(render(folder.file("a.db"), format).empty());
  CHECK(test::markup_fault(render(folder.file("a.db"), "html")[0].bytes).empty());
  CHECK(canonical(folder.file("a.db")).empty());
  Result<Database> database = Database::open_read_only(folder.file("a.db"));
  const auto refused = render_report(*database, "pdf");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::usage);
}

TEST_CASE("export: hostile text stays text in every format and sizes stay bounded") {
  const Sample sample;
  make_hostile(sample.path);
  const std::string html = render(sample.path, "html")[0].bytes;
  CHECK(test::markup_fault(html).empty());
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "\u202e"));
  CHECK(html.size() < 1'000'000);
  for (const char* format : {"html", "md", "csv", "junit"}) {
    for (const ReportFile& file : render(sample.path, format)) {
      INFO(file.name);
      CHECK_FALSE(has(file.bytes, "\x1b"));
      CHECK_FALSE(has(file.bytes, "\x01"));
      CHECK_FALSE(has(file.bytes, std::string(1, '\0')));
    }
  }
  const std::string md = render(sample.path, "md")[0].bytes;
  CHECK_FALSE(has(md, "[x](javascript"));
  std::istringstream lines(md);
  for (std::string line; std::getline(lines, line);) {  // a row stays one line
    if (line.starts_with("|")) CHECK(line.ends_with("|"));
  }
  CHECK(parse_json(render(sample.path, "json")[0].bytes, "").ok());
  std::istringstream rows(canonical(sample.path));
  for (std::string line; std::getline(rows, line);) CHECK(parse_json(line, "").ok());
}

TEST_CASE("export: canonical lines do not know machine, time, threads, kernels or row ids") {
  const Sample one;
  const Sample other(test::Machine{.kernel_set = "avx512",
                                   .time = "2031-01-01T00:00:00Z",
                                   .device = "Another CPU",
                                   .threads = 2,
                                   .seconds = 99.5,
                                   .first_id = 40});
  const std::string a = canonical(one.path), b = canonical(other.path);
  CHECK(a == b);
  CHECK_FALSE(a.empty());
  for (const char* word :
       {"avx", "scalar", "Test CPU", "Another", "2026-11-23T", "2031", "seconds", "threads", "/tmp"}) {
    INFO(word);
    CHECK_FALSE(has(a, word));
  }
}

TEST_CASE("export: canonical lines are complete, typed and ordered by table") {
  const Sample sample;
  std::map<std::string, int> count;
  std::vector<std::string> order;
  std::istringstream lines(canonical(sample.path));
  for (std::string line; std::getline(lines, line);) {
    const Result<Json> row = parse_json(line, "");
    REQUIRE(row.ok());
    const std::string table = (*row)["table"].get<std::string>();
    if (count[table]++ == 0) order.push_back(table);
    if (table == "token_logprob" && (*row)["position"] == 0) CHECK((*row)["logprob_nats"] == -1.5);
    if (table == "verdict") CHECK((*row)["run"] == "model/world-mc/text-0shot/run/run-1/1");
  }
  CHECK(order == std::vector<std::string>{"artifact", "item", "item_result", "token_logprob", "sample",
                                          "verdict", "comparison", "similarity", "cost_estimate",
                                          "cost_line"});
  CHECK(count["item"] == 6);
  CHECK(count["item_result"] == 10);
  CHECK(count["sample"] == 8);
  CHECK(count["verdict"] == 2);
  CHECK(count["cost_estimate"] == 1);  // the measured one is left out
  CHECK(count["cost_line"] == 2);
}

TEST_CASE("export: a writer that refuses stops the export") {
  const Sample sample;
  Result<Database> database = Database::open_read_only(sample.path);
  int calls = 0;
  const Status status = export_canonical(*database, [&calls](std::string_view) -> Status {
    ++calls;
    return Error{.code = Code::io, .message = "full"};
  });
  CHECK(status.error().code == Code::io);
  CHECK(calls == 1);
}
