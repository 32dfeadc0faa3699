// Continued runs: stored results scored again are the fresh ones, a resume asks what is missing and nothing else, and refuses what has changed.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/run.h"
#include "eval/stored_results.h"
#include "reports/export.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"
#include "tests/serve_fixture.h"

using namespace assay;

namespace {

EvalModel& bundled() { return const_cast<EvalModel&>(serve_test::bundled()); }

struct Kind {
  const char *suite, *protocol;
};
constexpr Kind kKinds[] = {{"world-mc", "textnorm-0shot"}, {"tales-bpb", "bos-micro"}, {"steps-gen", "direct-0shot"}};

Suite suite_of(const char* name) { return load_suite(name).value(); }

class Store {
 public:
  Store() : database_(Database::create(scratch_ / "a.db").value()), recorder_(Recorder::open(database_).value()) {}
  Recorder& recorder() { return recorder_; }
  Database& database() { return database_; }
  std::int64_t number(const std::string& sql) {
    auto statement = database_.prepare(sql);
    REQUIRE(statement.ok());
    REQUIRE(statement->next().value());
    return statement->integer(0);
  }
  void run(const std::string& sql) { REQUIRE(database_.run(sql).ok()); }
  std::string canonical() {
    std::string out;
    REQUIRE(export_canonical(database_, [&](std::string_view line) -> Status { return out += line, Status(); }).ok());
    return out;
  }

 private:
  Scratch scratch_;
  Database database_;
  Recorder recorder_;
};

const RunOptions kOptions{.seed = 5, .limit = 24, .quiet = true};

RunReport fresh(Store& store, const Suite& suite, const Protocol& protocol) {
  auto report = run_suite(store.recorder(), bundled(), suite, protocol, kOptions);
  if (!report.ok()) FAIL(report.error().text());
  return std::move(*report);
}

Code refusal(Store& store, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options = kOptions) {
  const auto report = resume_run(store.recorder(), model, suite, protocol, 1, options);
  REQUIRE_FALSE(report.ok());
  return report.error().code;
}

void check_same(const RunReport& a, const RunReport& b) {
  CHECK(a.n == b.n);
  REQUIRE(a.metrics.size() == b.metrics.size());
  for (std::size_t i = 0; i < a.metrics.size(); ++i) {
    CHECK(a.metrics[i].name == b.metrics[i].name);
    CHECK(a.metrics[i].value == b.metrics[i].value);
    CHECK(a.metrics[i].se_population == b.metrics[i].se_population);
  }
  CHECK(dump_json(audit_json(a.audit)) == dump_json(audit_json(b.audit)));
  CHECK(a.tokens_asked == b.tokens_asked);
  CHECK(a.tokens_generated == b.tokens_generated);
}

}  // namespace

TEST_CASE("resume: stored results scored again are the fresh ones") {
  for (const Kind& kind : kKinds) {
    INFO(kind.suite);
    Store store;
    const Suite suite = suite_of(kind.suite);
    const Protocol& protocol = *suite.find_protocol(kind.protocol);
    fresh(store, suite, protocol);
    const std::vector<std::size_t> items = choose_items(suite, kOptions);
    Progress progress("", 0, "", true);
    const auto asked = ask_items(bundled(), suite, protocol, items, kOptions.seed, progress).value();
    const auto rows = store.recorder().items(1, suite).value();
    const auto stored = stored_results(store.database(), 1, suite, protocol, items, rows).value();
    REQUIRE(stored.size() == asked.size());
    REQUIRE(stored.size() == 24);
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const ItemScore &a = stored[i].score, &b = asked[i].score;
      CHECK(stored[i].index == asked[i].index);
      CHECK(stored[i].truncated == asked[i].truncated);
      CHECK(a.correct == b.correct);
      CHECK(a.score == b.score);
      CHECK(a.extracted == b.extracted);
      CHECK(a.extractor == b.extractor);
      CHECK(a.fallback == b.fallback);
      CHECK(a.chosen == b.chosen);
      CHECK(a.margin == b.margin);
      CHECK(a.values == b.values);
      CHECK(a.bits == b.bits);
      CHECK(a.bytes == b.bytes);
    }
  }
}

TEST_CASE("resume: whatever part of a run is there, the rest makes it whole") {
  for (const Kind& kind : kKinds) {
    INFO(kind.suite);
    const Suite suite = suite_of(kind.suite);
    const Protocol& protocol = *suite.find_protocol(kind.protocol);
    Store whole;
    const RunReport expected = fresh(whole, suite, protocol);
    const std::string canonical = whole.canonical();
    for (const char* lost : {"1", "item_id % 3 = 0", "id > 10", "id = 24"}) {
      INFO(lost);
      Store store;
      fresh(store, suite, protocol);
      // As if the process had ended before those items: their share of the tokens was never written.
      store.run(std::string("DELETE FROM item_result WHERE ") + lost);
      const std::int64_t left = store.number("SELECT count(*) FROM item_result");
      store.run("UPDATE run SET status = 'running', tokens_asked = 0, tokens_computed = 0, tokens_generated = 0");
      const std::int64_t highest = store.number("SELECT coalesce(max(id), 0) FROM item_result");
      const auto report = resume_run(store.recorder(), bundled(), suite, protocol, 1, kOptions);
      REQUIRE(report.ok());
      CHECK(report->status == "complete");
      CHECK(report->run_id == 1);
      CHECK(report->n == expected.n);
      for (std::size_t i = 0; i < expected.metrics.size(); ++i) CHECK(report->metrics[i].value == expected.metrics[i].value);
      CHECK(store.number("SELECT count(*) FROM item_result WHERE id > " + std::to_string(highest)) == 24 - left);  // only the rest was asked
      CHECK(store.number("SELECT count(*) FROM run WHERE status = 'complete'") == 1);
      CHECK(store.number("SELECT count(*) FROM event WHERE kind = 'resumed'") == 1);
      CHECK(store.canonical() == canonical);
    }
  }
}

TEST_CASE("resume: a complete run stays as it is") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  Store store;
  const RunReport first = fresh(store, suite, protocol);
  const std::string canonical = store.canonical();
  const auto again = resume_run(store.recorder(), bundled(), suite, protocol, 1, kOptions);
  REQUIRE(again.ok());
  check_same(*again, first);
  CHECK(again->seconds == first.seconds);
  CHECK(again->tokens_computed == first.tokens_computed);
  CHECK(store.canonical() == canonical);
}

TEST_CASE("resume: changed weights, suite, protocol, items or recipe are refused") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  Store store;
  fresh(store, suite, protocol);
  store.run("DELETE FROM item_result WHERE id > 5");
  const std::string before = store.canonical();

  auto fork = load_eval_model(ASSAY_TREE "/suites/data/demo/model-fp8", {.threads = 1});
  REQUIRE(fork.ok());
  CHECK(refusal(store, *fork, suite, protocol) == Code::digest_changed);
  Protocol other = protocol;
  other.digest += "x";
  CHECK(refusal(store, bundled(), suite, other) == Code::digest_changed);
  CHECK(refusal(store, bundled(), suite, *suite.find_protocol("text-3shot")) == Code::digest_changed);
  Suite changed = suite;
  changed.items[choose_items(suite, kOptions)[3]].question += "?";
  CHECK(refusal(store, bundled(), changed, protocol) == Code::digest_changed);
  CHECK(refusal(store, bundled(), suite, protocol, {.seed = 6, .limit = 24, .quiet = true}) == Code::digest_changed);
  CHECK(refusal(store, bundled(), suite, protocol, {.seed = 5, .limit = 23, .quiet = true}) == Code::digest_changed);
  CHECK(refusal(store, bundled(), suite, protocol, {.seed = 5, .quiet = true}) == Code::digest_changed);
  const auto none = resume_run(store.recorder(), bundled(), suite, protocol, 99, kOptions);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == Code::not_found);
  CHECK(store.canonical() == before);  // a refusal leaves nothing behind
}

TEST_CASE("resume: a stored result that lacks what it was scored from is refused") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  Store store;
  fresh(store, suite, protocol);
  store.run("DELETE FROM continuation WHERE option_index = 3 AND item_result_id = 7");
  CHECK(refusal(store, bundled(), suite, protocol) == Code::bad_value);
}

TEST_CASE("resume: the command makes nothing where there is nothing, and waits for no other writer") {
  const Scratch scratch;
  const CommandResult none = run_assay({"resume", "1"}, scratch.path());
  CHECK(none.code == 3);
  CHECK(none.err.starts_with("assay: "));
  CHECK(std::filesystem::is_empty(scratch.path()));
  const std::string db = scratch / "a.db";
  {
    auto database = Database::create(db);
    REQUIRE(database.ok());
    const CommandResult busy = run_assay({"resume", "1", "--db", db}, scratch.path());
    CHECK(busy.code == 3);
    CHECK(busy.err.find("another process") != std::string::npos);
  }
  const CommandResult unknown = run_assay({"resume", "1", "--db", db, "--json"}, scratch.path());
  CHECK(unknown.code == 3);
  CHECK(unknown.out.find("\"not_found\"") != std::string::npos);
  CHECK(run_assay({"resume", "x", "--db", db}, scratch.path()).code == 2);
}
