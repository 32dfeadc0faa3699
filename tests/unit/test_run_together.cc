// Several runs asked together: each has the rows it has alone, what their prompts share is computed once, and an estimate says so before.
#include <algorithm>

#include "eval/runs/run.h"
#include "reports/export.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

const RunOptions kTogether{.seed = 3, .limit = 30, .quiet = true};

struct TogetherStore {
  Scratch scratch;
  Database database;
  Recorder recorder;
  TogetherStore() : database(Database::create(scratch / "runs.db").value()), recorder(Recorder::open(database).value()) {}

  std::vector<std::int64_t> numbers(const std::string& sql) {
    auto rows = database.prepare(sql).value();
    std::vector<std::int64_t> out;
    while (rows.next().value()) out.push_back(rows.integer(0));
    return out;
  }
  std::string canonical() {
    std::string out;
    REQUIRE(export_canonical(database, [&](std::string_view line) -> Status { return out += line, Status(); }).ok());
    return out;
  }
};

EvalModel model_with(EngineOptions options) {
  auto model = load_eval_model(ASSAY_TREE "/suites/data/demo/model", options);
  if (!model.ok()) FAIL(model.error().text());
  return std::move(*model);
}

struct Asks {
  Suite world = load_suite("world-mc", "").value(), tales = load_suite("tales-bpb", "").value(), steps = load_suite("steps-gen", "").value();
  std::vector<SuiteAsk> all = {{&world, world.find_protocol("text-3shot")},
                               {&tales, tales.find_protocol("bos-micro")},
                               {&world, world.find_protocol("letter-3shot")},
                               {&steps, steps.find_protocol("direct-0shot")}};
};

const char* const kRouterRows = "SELECT tokens FROM main.router_stat ORDER BY run_id, layer, expert";

}  // namespace

TEST_CASE("runs together: each run has the rows that it has alone, and shared beginnings are computed once") {
  EvalModel model = model_with({.threads = 1});
  const Asks asks;
  TogetherStore apart, together;
  std::int64_t computed_apart = 0, computed_together = 0;
  std::vector<RunReport> alone;
  for (const SuiteAsk& ask : asks.all) {
    auto report = run_suite(apart.recorder, model, *ask.suite, *ask.protocol, kTogether);
    REQUIRE(report.ok());
    computed_apart += report->tokens_computed;
    alone.push_back(std::move(*report));
  }
  for (const std::int64_t wave : {std::int64_t{0}, std::int64_t{500}}) {
    INFO(wave);
    EvalModel cut = model_with({.threads = 2, .wave_tokens = wave});
    TogetherStore store;
    const auto reports = run_suites(store.recorder, cut, asks.all, kTogether);
    REQUIRE(reports.ok());
    REQUIRE(reports->size() == alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      const RunReport &a = alone[i], &b = (*reports)[i];
      INFO(a.suite << " " << a.protocol);
      CHECK(b.status == "complete");
      CHECK(a.run_id == b.run_id);
      CHECK(a.n == b.n);
      CHECK(a.tokens_asked == b.tokens_asked);
      CHECK(a.tokens_generated == b.tokens_generated);
      REQUIRE(a.metrics.size() == b.metrics.size());
      for (std::size_t m = 0; m < a.metrics.size(); ++m) CHECK(a.metrics[m].value == b.metrics[m].value);
      if (wave == 0) computed_together += b.tokens_computed;
    }
    CHECK(store.canonical() == apart.canonical());
    CHECK(store.numbers(kRouterRows) == apart.numbers(kRouterRows));
    CHECK(store.numbers("SELECT count(*) FROM main.event WHERE kind = 'complete'") == std::vector<std::int64_t>{4});
  }
  CHECK(computed_together < computed_apart);
}

TEST_CASE("runs together: an estimate counts what a run then asks and computes") {
  EvalModel model = model_with({.threads = 1});
  const Asks asks;
  const std::span<const SuiteAsk> likelihoods = std::span(asks.all).first(3);
  const auto estimate = estimate_runs(model, likelihoods, kTogether);
  REQUIRE(estimate.ok());
  TogetherStore store;
  const auto reports = run_suites(store.recorder, model, likelihoods, kTogether);
  REQUIRE(reports.ok());
  std::uint64_t asked = 0, computed = 0;
  for (const RunReport& report : *reports) {
    asked += static_cast<std::uint64_t>(report.tokens_asked);
    computed += static_cast<std::uint64_t>(report.tokens_computed);
    CHECK(report.forecast.seconds.has_value());
    CHECK(report.forecast.plan.passes == estimate->passes);
  }
  CHECK(estimate->items == 90);
  CHECK(estimate->tokens_asked == asked);
  CHECK(estimate->tokens_computed == computed);
  CHECK(estimate->tokens_generated == 0);
  CHECK(estimate->seconds > 0);
  CHECK_FALSE(estimate->streamed);
  CHECK_FALSE(estimate->generating_seconds.has_value());
  const auto samples = estimate_runs(model, std::span(asks.all).last(1), kTogether);
  REQUIRE(samples.ok());
  CHECK(samples->tokens_generated == 30 * static_cast<std::uint64_t>(asks.all[3].protocol->max_tokens));
  CHECK(samples->tokens_computed <= samples->tokens_asked);
  REQUIRE(samples->generating_seconds.has_value());
  CHECK(*samples->generating_seconds > 0);
  CHECK(samples->generating_at_once == 8);
  CHECK(samples->seconds > *samples->generating_seconds);  // and the reading
}
