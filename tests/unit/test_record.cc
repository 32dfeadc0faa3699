// The shared writer of runs: what goes in comes out of SQL, twice the same is one row, another item under one id is refused.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/runs/record.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

class Store {
 public:
  Store() {
    static int count = 0;
    path_ = (fs::temp_directory_path() /
             ("assay-record-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".db"))
                .string();
    fs::remove(path_);
    auto opened = Database::create(path_);
    REQUIRE(opened.ok());
    database_ = std::make_unique<Database>(std::move(opened).value());
    auto made = Recorder::open(*database_);
    REQUIRE(made.ok());
    recorder_ = std::make_unique<Recorder>(std::move(made).value());
  }
  ~Store() {
    recorder_.reset();
    database_.reset();
    fs::remove(path_);
  }
  std::int64_t count(const std::string& sql) {
    auto statement = database_->prepare(sql);
    REQUIRE(statement.ok());
    REQUIRE(statement->next().value());
    return statement->integer(0);
  }
  Recorder& operator*() { return *recorder_; }
  Recorder* operator->() { return recorder_.get(); }

  std::string path_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Recorder> recorder_;
};

Suite steps() {
  auto suite = load_suite("steps-gen");
  REQUIRE(suite.ok());
  return std::move(suite).value();
}

RunRecord run_row(Store& store, const Suite& suite) {
  RunRecord row;
  row.kind = "replay";
  ModelRecord model;
  model.name = "somebody's model";
  row.model_id = store->model(model).value();
  row.suite_id = store->suite(suite).value();
  row.protocol_id = store->protocol(row.suite_id, suite.main_protocol()).value();
  row.identity = "abc";
  row.items_expected = suite.n_items;
  return row;
}

}  // namespace

TEST_CASE("record: suites, models and items are written once") {
  Store store;
  const Suite suite = steps();
  const auto id = store->suite(suite);
  REQUIRE(id.ok());
  CHECK(store->suite(suite).value() == *id);
  const auto rows = store->items(*id, suite);
  REQUIRE(rows.ok());
  CHECK(rows->size() == 500);
  REQUIRE(store->items(*id, suite).ok());
  CHECK(store.count("SELECT count(*) FROM item") == 500);
  CHECK(store.count(
            "SELECT count(*) FROM item WHERE key = 'steps-add-001' AND ordinal = 1 AND gold = '168'") == 1);
  ModelRecord model;
  model.name = "m";
  CHECK(store->model(model).value() == store->model(model).value());
}

TEST_CASE("record: another item under the same id is refused") {
  Store store;
  const Suite suite = steps();
  const auto id = store->suite(suite).value();
  Item item = suite.items[0];
  REQUIRE(store->item(id, item, 0).ok());
  item.gold = "7";
  const auto refused = store->item(id, item, 0);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::digest_changed);
  CHECK(refused.error().field == item.id);
}

TEST_CASE("record: a run with samples, continuations and tokens") {
  Store store;
  const Suite suite = steps();
  const RunRecord row = run_row(store, suite);
  const auto items = store->items(row.suite_id, suite).value();
  const auto run = store->begin_run(row);
  REQUIRE(run.ok());
  CHECK_FALSE(store->complete_run("abc").value().has_value());
  const ItemScore score = score_output(suite.main_protocol(), suite.items[0], " 91 + 32. The answer is 123.");
  REQUIRE(score.correct.value_or(false));
  ResultRecord result;
  result.score = &score;
  result.samples.push_back({"text", "stop", 5, true, "123"});
  ContinuationRecord continuation;
  continuation.text = " x";
  continuation.logprob_nats = -1.5;
  continuation.token_logprobs = {{7, " ", -1.0}, {8, "x", -0.5}};
  result.continuations.push_back(continuation);
  REQUIRE(store->result(*run, items.at("steps-add-000"), result).ok());
  RunEnd end;
  end.audit.seen = 1;
  end.audit.unextractable = 2;
  REQUIRE(store->end_run(*run, end).ok());
  CHECK(store->complete_run("abc").value() == *run);
  CHECK(store.count("SELECT correct FROM item_result") == 1);
  CHECK(store.count("SELECT count(*) FROM sample WHERE output = 'text' AND tokens_generated = 5") == 1);
  CHECK(store.count("SELECT count(*) FROM token_logprob") == 2);
  CHECK(store.count("SELECT unextractable FROM run WHERE status = 'complete' AND items_expected = 500") == 2);
}

TEST_CASE("record: claims are replaced by key, verdicts are added") {
  Store store;
  ClaimRecord claim;
  claim.key = "k";
  claim.text = "76.4 % on x";
  claim.model_name = "m";
  claim.published = "76.4";
  claim.value = 76.4;
  const auto id = store->claim(claim);
  REQUIRE(id.ok());
  claim.published = "76.5";
  CHECK(store->claim(claim).value() == *id);
  CHECK(store.count("SELECT count(*) FROM claim WHERE published = '76.5'") == 1);
  VerdictRecord verdict;
  verdict.claim_id = *id;
  verdict.verdict = "undecided";
  verdict.test = "none";
  verdict.speaks_of = "items";
  verdict.reason = "nothing was measured";
  REQUIRE(store->verdict(verdict).ok());
  verdict.verdict = "maybe";
  CHECK(store->verdict(verdict).error().code == Code::database);
}

TEST_CASE("record: metrics and audit as JSON and text") {
  Metric metric;
  metric.name = "accuracy";
  metric.value = 0.5;
  const Json json = metrics_json({metric});
  CHECK(json["accuracy"]["value"] == 0.5);
  CHECK(json["accuracy"]["low"].is_null());
  Audit audit;
  audit.expected = 20;
  audit.seen = 19;
  audit.malformed = 1;
  CHECK(audit_json(audit)["expected"] == 20);
  CHECK(audit_json(audit)["harness_faults"] == 0);
  CHECK(audit_json(audit).size() == 8);
  CHECK(audit_text(audit) == "19 of 20 items, 1 malformed");
}
