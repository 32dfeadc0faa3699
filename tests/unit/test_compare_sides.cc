// compare and gate on made-up runs: which side is which, what is shown and what is left open.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/stats/binomial.h"
#include "base/stats/exact.h"
#include "eval/compare/compare_sides.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

// Two models, "base" and "fork", and their runs; everything else that the schema asks for.
class Book {
 public:
  Book() : database_(Database::create(path()).value()) {
    run("INSERT INTO model (id, name, identity) VALUES (1, 'base', 'a'), (2, 'fork', 'b')");
  }
  std::string path() const { return scratch_ / "a.db"; }
  std::string folder() const { return scratch_.path(); }
  Database& database() { return database_; }
  void run(const std::string& sql) {
    const Status status = database_.run(sql);
    if (!status.ok()) FAIL(status.error().text());
  }

  // A suite with one item a pair of scores. Right or wrong where `judged`.
  void add(const std::string& name, const std::string& metric, const std::vector<std::pair<double, double>>& scores, bool judged, bool clustered = false) {
    const int suite = ++suites_;
    run(fmt::format("INSERT INTO suite (id, name, title, source, licence, items_digest, n_items) VALUES ({0}, '{1}', '', '', '', '{1}', {2})", suite, name,
                    scores.size()));
    run(fmt::format("INSERT INTO protocol (id, suite_id, name, definition_json, digest, main_metric) VALUES ({0}, {0}, 'p', '{{}}', 'd', '{1}')", suite, metric));
    const int run_a = 2 * suite - 1, run_b = 2 * suite;
    for (const int number : {run_a, run_b}) {
      run(fmt::format("INSERT INTO run (id, kind, model_id, suite_id, protocol_id, identity, status, started_at_utc, items_expected) VALUES "
                      "({}, 'run', {}, {}, {}, 'r{}', 'complete', '', {})",
                      number, number == run_a ? 1 : 2, suite, suite, number, scores.size()));
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const int item = ++items_;
      run(fmt::format("INSERT INTO item (id, suite_id, key, ordinal, subset, cluster, question, gold, digest) VALUES ({}, {}, 'i{}', {}, '', '{}', '', '', '')", item,
                      suite, i, i, clustered ? fmt::format("c{}", i / 4) : ""));
      for (const bool second : {false, true}) {
        const double score = second ? scores[i].second : scores[i].first;
        run(fmt::format("INSERT INTO item_result (run_id, item_id, correct, score, why) VALUES ({}, {}, {}, {:.17g}, '')", second ? run_b : run_a, item,
                        judged ? std::to_string(static_cast<int>(score)) : "NULL", score));
      }
    }
  }

 private:
  Scratch scratch_;
  Database database_;
  int suites_ = 0, items_ = 0;
};

// n pairs, `gained` of which went from wrong to right and `lost` the other way.
std::vector<std::pair<double, double>> pairs(int n, int gained, int lost) {
  std::vector<std::pair<double, double>> out;
  for (int i = 0; i < n; ++i) {
    if (i < gained) out.emplace_back(0, 1);
    else if (i < gained + lost) out.emplace_back(1, 0);
    else out.emplace_back(1, 1);
  }
  return out;
}

std::vector<std::pair<double, double>> shifted(int n, double by) {
  std::vector<std::pair<double, double>> out;
  for (int i = 0; i < n; ++i) out.emplace_back(1 + 0.01 * (i % 7), 1 + 0.01 * (i % 7) + by + 0.001 * (i % 3 - 1));
  return out;
}

}  // namespace

TEST_CASE("compare: verdicts of one suite") {
  struct Case {
    int n, gained, lost;
    const char* verdict;
  };
  for (const Case& c : {Case{100, 0, 0, "same"}, Case{100, 1, 0, "undecided"}, Case{100, 2, 3, "undecided"}, Case{100, 12, 1, "better"}, Case{100, 1, 12, "worse"}}) {
    INFO(c.gained << " gained, " << c.lost << " lost");
    Book book;
    book.add("s", "accuracy", pairs(c.n, c.gained, c.lost), true);
    const auto result = compare_sides(book.database(), "base", "fork", 1);
    REQUIRE(result.ok());
    REQUIRE(result->suites.size() == 1);
    const SidePair& pair = result->suites[0];
    CHECK(pair.verdict == c.verdict);
    CHECK(result->verdict == c.verdict);
    CHECK(pair.runs.delta == (c.gained - c.lost) / static_cast<double>(c.n));
    CHECK(pair.runs.p == stats::mcnemar_exact(c.gained, c.lost));
    CHECK(static_cast<int>(pair.runs.flips.size()) == c.gained + c.lost);
    const auto by_number = compare_sides(book.database(), "1", "2", 1);
    REQUIRE(by_number.ok());
    CHECK(dump_json(sides_json(*by_number)) == dump_json(sides_json(*result)));
    // The other way round what was better is worse.
    const auto back = compare_sides(book.database(), "fork", "base", 1);
    const std::string mirrored = pair.verdict == "better" ? "worse" : pair.verdict == "worse" ? "better" : pair.verdict;
    CHECK(back->verdict == mirrored);
  }
}

TEST_CASE("compare: more bits per byte are worse, and several suites share one error") {
  Book book;
  book.add("bits", "bits_per_byte", shifted(40, 0.02), false);
  auto result = compare_sides(book.database(), "base", "fork", 1);
  REQUIRE(result.ok());
  CHECK(result->suites[0].lower_is_better);
  CHECK(result->verdict == "worse");
  CHECK(compare_sides(book.database(), "fork", "base", 1)->verdict == "better");
  book.add("close", "accuracy", pairs(50, 7, 1), true);  // p = 0.07 after Holm over three, 0.0703 alone
  book.add("same", "accuracy", pairs(50, 0, 0), true);
  result = compare_sides(book.database(), "base", "fork", 1);
  REQUIRE(result->suites.size() == 3);
  for (const SidePair& pair : result->suites) CHECK(*pair.p_adjusted >= *pair.runs.p);
  CHECK(result->verdict == "worse");
}

TEST_CASE("compare: items of one cluster move together, which the standard error knows") {
  Book apart, together;
  std::vector<std::pair<double, double>> scores;
  for (int i = 0; i < 40; ++i) scores.emplace_back(0.5, i / 4 % 2 == 0 ? 0.9 : 0.4);
  apart.add("s", "f1", scores, false);
  together.add("s", "f1", scores, false, true);
  const auto a = compare_sides(apart.database(), "base", "fork", 1), b = compare_sides(together.database(), "base", "fork", 1);
  CHECK(a->suites[0].runs.delta == b->suites[0].runs.delta);
  CHECK(*b->suites[0].runs.se > 1.5 * *a->suites[0].runs.se);
}

TEST_CASE("gate: a loss within the margin passes, one beyond it fails, and between the two nothing is said") {
  struct Case {
    int n, gained, lost;
    double margin;
    const char* verdict;
  };
  for (const Case& c : {Case{500, 0, 0, 0.02, "pass"}, Case{500, 3, 4, 0.02, "pass"}, Case{500, 0, 60, 0.02, "fail"}, Case{500, 5, 14, 0.02, "undecided"},
                        Case{20, 0, 0, 0.02, "undecided"}, Case{500, 40, 2, 0, "pass"}, Case{500, 0, 0, 0, "undecided"}, Case{100, 0, 90, 1, "pass"}}) {
    INFO(c.n << ": " << c.gained << " gained, " << c.lost << " lost, margin " << c.margin);
    Book book;
    book.add("s", "accuracy", pairs(c.n, c.gained, c.lost), true);
    const auto result = gate_sides(book.database(), "base", "fork", c.margin, 1);
    REQUIRE(result.ok());
    const SidePair& pair = result->suites[0];
    CHECK(pair.verdict == c.verdict);
    CHECK(result->verdict == c.verdict);
    if (c.margin < 1) CHECK(*pair.p_worse == stats::difference_exceeds_p(c.lost, c.gained, c.n, c.margin));
    if (c.margin < 1) CHECK(*pair.p_not_worse == stats::difference_exceeds_p(c.gained, c.lost, c.n, -c.margin));
  }
}

TEST_CASE("gate: real values go the right way too, and every suite must pass") {
  Book book;
  book.add("bits", "bits_per_byte", shifted(40, 0.02), false);
  CHECK(gate_sides(book.database(), "base", "fork", 0.05, 1)->verdict == "pass");
  CHECK(gate_sides(book.database(), "base", "fork", 0.01, 1)->verdict == "fail");
  CHECK(gate_sides(book.database(), "fork", "base", 0.01, 1)->verdict == "pass");
  book.add("few", "accuracy", pairs(10, 0, 0), true);
  CHECK(gate_sides(book.database(), "base", "fork", 0.05, 1)->verdict == "undecided");
  book.add("lost", "accuracy", pairs(200, 0, 60), true);
  CHECK(gate_sides(book.database(), "base", "fork", 0.05, 1)->verdict == "fail");
}

TEST_CASE("compare: what cannot be held together is refused") {
  Book book;
  book.add("s", "accuracy", pairs(10, 1, 0), true);
  book.add("t", "accuracy", pairs(10, 1, 0), true);
  const auto code = [&](const char* a, const char* b) {
    const auto result = compare_sides(book.database(), a, b, 1);
    return result.ok() ? std::string("fine") : std::string(name_of(result.error().code));
  };
  CHECK(code("1", "9") == "not_found");
  CHECK(code("base", "nobody") == "not_found");
  CHECK(code("1", "4") == "bad_value");  // other suites
  CHECK(code("1", "fork") == "fine");
  book.run("UPDATE run SET status = 'interrupted' WHERE id = 4");
  CHECK(code("3", "4") == "bad_value");
  const auto rest = compare_sides(book.database(), "base", "fork", 1);
  REQUIRE(rest.ok());
  CHECK(rest->suites.size() == 1);
}

TEST_CASE("compare and gate: exit codes, JSON and words of the command line") {
  Book book;
  book.add("s", "accuracy", pairs(300, 1, 40), true);
  book.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string copy = book.folder() + "/copy.db";
  book.run("VACUUM INTO '" + copy + "'");
  const auto exit_of = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--db", copy, "--json"});
    const CommandResult result = run_assay(arguments, book.folder());
    INFO(result.err);
    CHECK(parse_json(result.out, "").ok());
    return result.code;
  };
  CHECK(exit_of({"compare", "base", "fork"}) == 1);
  CHECK(exit_of({"compare", "fork", "base"}) == 0);
  CHECK(exit_of({"compare", "1", "1"}) == 0);
  CHECK(exit_of({"gate", "base", "fork", "--margin", "0.02"}) == 1);
  CHECK(exit_of({"gate", "base", "fork", "--margin", "0.3"}) == 0);
  CHECK(exit_of({"gate", "base", "fork", "--margin", "0.13"}) == 4);
  CHECK(exit_of({"gate", "base", "nobody", "--margin", "0.1"}) == 3);
  CHECK(exit_of({"gate", "base", "fork", "--margin", "-1"}) == 2);
  CHECK(exit_of({"gate", "base", "fork"}) == 2);
  const CommandResult words = run_assay({"compare", "base", "fork", "--db", copy}, book.folder());
  CHECK(words.out.find("1 gained, 40 lost: i0, i1") != std::string::npos);
  const CommandResult json = run_assay({"gate", "base", "fork", "--margin", "0.02", "--db", copy, "--json"}, book.folder());
  const auto document = parse_json(json.out, "");
  REQUIRE(document.ok());
  CHECK((*document)["verdict"] == "fail");
  CHECK((*document)["per_suite"][0]["suite"] == "s");
  CHECK((*document)["per_suite"][0]["n"] == 300);
  CHECK((*document)["per_suite"][0]["flips"].size() == 41);
}
