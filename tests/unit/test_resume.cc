// Continued runs: stored results scored again are the fresh ones, a resume asks what is missing and nothing else, and refuses what has changed.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/replay/stored_results.h"
#include "eval/runs/run.h"
#include "reports/export.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"
#include "tests/serve_fixture.h"

using namespace assay;

namespace {

EvalModel& bundled_model() { return const_cast<EvalModel&>(serve_test::bundled()); }

struct Kind {
  const char *suite, *protocol;
};
constexpr Kind kKinds[] = {{"world-mc", "textnorm-0shot"}, {"tales-bpb", "bos-micro"}, {"steps-gen", "direct-0shot"}};

Suite suite_of(const char* name) { return load_suite(name).value(); }

class ResumeStore {
 public:
  ResumeStore() : database_(Database::create(scratch_ / "a.db").value()), recorder_(Recorder::open(database_).value()) {}
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

RunReport fresh(ResumeStore& store, const Suite& suite, const Protocol& protocol) {
  auto report = run_suite(store.recorder(), bundled_model(), suite, protocol, kOptions);
  if (!report.ok()) FAIL(report.error().text());
  return std::move(*report);
}

Code refusal(ResumeStore& store, EvalModel& model, const Suite& suite, const Protocol& protocol, const RunOptions& options = kOptions) {
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
    ResumeStore store;
    const Suite suite = suite_of(kind.suite);
    const Protocol& protocol = *suite.find_protocol(kind.protocol);
    fresh(store, suite, protocol);
    const std::vector<std::size_t> items = choose_items(suite, kOptions);
    Progress progress("", 0, "", true);
    const auto asked = ask_items(bundled_model(), suite, protocol, items, kOptions.seed, progress).value();
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
    ResumeStore whole;
    const RunReport expected = fresh(whole, suite, protocol);
    const std::string canonical = whole.canonical();
    for (const char* lost : {"1", "item_id % 3 = 0", "id > 10", "id = 24"}) {
      INFO(lost);
      ResumeStore store;
      fresh(store, suite, protocol);
      // As if the process had ended before those items: their share of the tokens was never written.
      store.run(std::string("DELETE FROM item_result WHERE ") + lost);
      const std::int64_t left = store.number("SELECT count(*) FROM item_result");
      store.run("UPDATE run SET status = 'running', tokens_asked = 0, tokens_computed = 0, tokens_generated = 0");
      const std::int64_t highest = store.number("SELECT coalesce(max(id), 0) FROM item_result");
      const auto report = resume_run(store.recorder(), bundled_model(), suite, protocol, 1, kOptions);
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
  ResumeStore store;
  const RunReport first = fresh(store, suite, protocol);
  const std::string canonical = store.canonical();
  const auto again = resume_run(store.recorder(), bundled_model(), suite, protocol, 1, kOptions);
  REQUIRE(again.ok());
  check_same(*again, first);
  CHECK(again->seconds == first.seconds);
  CHECK(again->tokens_computed == first.tokens_computed);
  CHECK(store.canonical() == canonical);
}

TEST_CASE("resume: changed weights, suite, protocol, items or recipe are refused") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  ResumeStore store;
  fresh(store, suite, protocol);
  store.run("DELETE FROM item_result WHERE id > 5");
  const std::string before = store.canonical();

  auto fork = load_eval_model(ASSAY_TREE "/suites/data/demo/model-fp8", {.threads = 1});
  REQUIRE(fork.ok());
  CHECK(refusal(store, *fork, suite, protocol) == Code::digest_changed);
  Protocol other = protocol;
  other.digest += "x";
  CHECK(refusal(store, bundled_model(), suite, other) == Code::digest_changed);
  CHECK(refusal(store, bundled_model(), suite, *suite.find_protocol("text-3shot")) == Code::digest_changed);
  Suite changed = suite;
  changed.items[choose_items(suite, kOptions)[3]].question += "?";
  CHECK(refusal(store, bundled_model(), changed, protocol) == Code::digest_changed);
  CHECK(refusal(store, bundled_model(), suite, protocol, {.seed = 6, .limit = 24, .quiet = true}) == Code::digest_changed);
  CHECK(refusal(store, bundled_model(), suite, protocol, {.seed = 5, .limit = 23, .quiet = true}) == Code::digest_changed);
  CHECK(refusal(store, bundled_model(), suite, protocol, {.seed = 5, .quiet = true}) == Code::digest_changed);
  const auto none = resume_run(store.recorder(), bundled_model(), suite, protocol, 99, kOptions);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == Code::not_found);
  CHECK(store.canonical() == before);  // a refusal leaves nothing behind
}

TEST_CASE("resume: a refusal names what changed") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  ResumeStore store;
  fresh(store, suite, protocol);
  const auto changed = [&](auto change) {
    EvalModel& model = bundled_model();
    Protocol asked = protocol;
    Suite other = suite;
    RunOptions options = kOptions;
    const std::string weights = model.weights_digest, tokenizer = model.tokenizer_digest, recipe = model.recipe;
    change(model, other, asked, options);
    const auto refused = resume_run(store.recorder(), model, other, asked, 1, options);
    model.weights_digest = weights, model.tokenizer_digest = tokenizer, model.recipe = recipe;
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Code::digest_changed);
    CHECK(refused.error().expected != refused.error().got);
    return refused.error().message.substr(0, refused.error().message.find(';'));
  };
  const std::string begin = "changed since the run was started: ";
  CHECK(changed([](auto& model, auto&, auto&, auto&) { model.weights_digest = "0"; }) == begin + "weights");
  CHECK(changed([](auto& model, auto&, auto&, auto&) { model.tokenizer_digest = "0", model.recipe = "other"; }) == begin + "tokenizer, recipe");
  CHECK(changed([](auto&, auto&, auto& asked, auto&) { asked.digest = "0"; }) == begin + "protocol_digest");
  CHECK(changed([](auto&, auto& other, auto&, auto&) { other.items_digest = "0"; }) == begin + "suite_items");
  CHECK(changed([](auto&, auto& other, auto&, auto&) { other.items[choose_items(other, kOptions)[3]].question += "?"; }) == begin + "items");
  CHECK(changed([](auto&, auto&, auto&, auto& options) { options.limit = 23; }) == begin + "items");
}

// Sampled four times: the run is cut within items, between two samples of one.
TEST_CASE("resume: a run of many samples goes on sample by sample") {
  const Suite suite = suite_of("steps-gen");
  Protocol protocol = *suite.find_protocol("direct-0shot");
  protocol.sampling.temperature = 1.2;
  protocol.sampling.samples = 4;
  protocol.metrics = {"avg@4", "pass@1", "pass@2", "maj@4", "no_answer"};
  const RunOptions options{.seed = 5, .limit = 6, .quiet = true};
  ResumeStore whole;
  const auto expected = run_suite(whole.recorder(), bundled_model(), suite, protocol, options);
  REQUIRE(expected.ok());
  CHECK(whole.number("SELECT count(*) FROM sample") == 24);
  CHECK(whole.number("SELECT count(DISTINCT output) FROM sample") > 6);
  CHECK(whole.number("SELECT count(*) FROM sample_waiting") == 0);
  CHECK(expected->metrics.front().se_fixed.has_value());
  const std::string canonical = whole.canonical();
  for (const char* lost : {"sample_index >= 2", "sample_index = 1", "sample_index % 2 = 0", "item_id % 2 = 0 AND sample_index = 3"}) {
    INFO(lost);
    ResumeStore store;
    REQUIRE(run_suite(store.recorder(), bundled_model(), suite, protocol, options).ok());
    // As if it had ended before those samples: the others of their items wait.
    store.run(std::string("INSERT INTO sample_waiting SELECT r.run_id, r.item_id, s.sample_index, s.output, s.finish_reason, s.tokens_generated, s.seed, 0, "
                          "r.prompt_digest, r.ids_digest, r.prompt, s.input_cut FROM sample s JOIN item_result r ON r.id = s.item_result_id WHERE NOT (") + lost + ")");
    store.run("UPDATE sample_waiting SET router_ties = (SELECT r.router_ties FROM item_result r WHERE r.item_id = sample_waiting.item_id) WHERE sample_index = "
              "(SELECT min(w.sample_index) FROM sample_waiting w WHERE w.item_id = sample_waiting.item_id)");
    store.run("DELETE FROM item_result");
    store.run("UPDATE run SET status = 'running', tokens_asked = 0, tokens_computed = 0, tokens_generated = 0");
    const std::int64_t there = store.number("SELECT count(*) FROM sample_waiting");
    const auto report = resume_run(store.recorder(), bundled_model(), suite, protocol, 1, options);
    REQUIRE(report.ok());
    CHECK(report->status == "complete");
    CHECK(there > 0);
    CHECK(there < 24);
    CHECK(store.number("SELECT tokens_generated FROM run") < whole.number("SELECT tokens_generated FROM run"));  // only the rest was asked
    CHECK(store.number("SELECT count(*) FROM sample_waiting") == 0);
    for (std::size_t i = 0; i < expected->metrics.size(); ++i) CHECK(report->metrics[i].value == expected->metrics[i].value);
    const auto outputs = [](ResumeStore& from) {
      std::string out;
      auto rows = from.database().prepare("SELECT r.item_id, s.sample_index, s.output FROM sample s JOIN item_result r ON r.id = s.item_result_id ORDER BY 1, 2").value();
      while (rows.next().value()) out += rows.text(2) + "\n";
      return out;
    };
    CHECK(outputs(store) == outputs(whole));
  }
}

TEST_CASE("resume: a stored result that lacks what it was scored from is refused") {
  const Suite suite = suite_of("world-mc");
  const Protocol& protocol = *suite.find_protocol("text-0shot");
  ResumeStore store;
  fresh(store, suite, protocol);
  store.run("DELETE FROM continuation WHERE option_index = 3 AND item_result_id = 7");
  CHECK(refusal(store, bundled_model(), suite, protocol) == Code::bad_value);
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
