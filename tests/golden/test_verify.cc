// `verify` over a database whose runs are filled from the stored rows of suites/data/demo/claims, scored again by suites/score.h.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/verdicts/verify.h"
#include "suites/locate.h"
#include "tests/catch.h"

namespace {

using namespace assay;

const std::string kBundledDemo = ASSAY_TREE "/suites/data/demo/";

ItemScore score_row(const Protocol& protocol, const Item& item, const Json& row,
                    std::vector<ContinuationRecord>& continuations) {
  if (protocol.kind == ProtocolKind::generate)
    return score_output(protocol, item, row["text"].get<std::string>());
  if (protocol.kind == ProtocolKind::rolling) {
    continuations.push_back({.text = item.text,
                             .logprob_nats = row["log_likelihood"],
                             .tokens = row["tokens"],
                             .bytes = row["bytes"]});
    return score_rolling(protocol, item, row["log_likelihood"], row["tokens"]);
  }
  std::vector<OptionScore> options;
  for (const Json& value : row["log_likelihoods"]) options.push_back({.logprob_nats = value, .tokens = 1});
  return score_choice(protocol, item, options);
}

std::int64_t insert_run(Recorder& recorder, const Suite& suite, const Protocol& protocol,
                        const std::string& model) {
  const std::int64_t suite_id = *recorder.suite(suite), protocol_id = *recorder.protocol(suite_id, protocol);
  const auto items = *recorder.items(suite_id, suite);
  const std::int64_t model_id = *recorder.model({.name = model});
  const RunRecord head{.kind = "replay",
                       .model_id = model_id,
                       .suite_id = suite_id,
                       .protocol_id = protocol_id,
                       .identity = model + suite.name + protocol.name,
                       .items_expected = suite.n_items};
  const std::int64_t run = *recorder.begin_run(head);
  std::ifstream in(kBundledDemo + "claims/items-" + suite.name + "-" + protocol.name +
                   (model == "model" ? "" : "-fp8") + ".jsonl");
  REQUIRE(in.good());
  std::size_t place = 0;
  for (std::string line; std::getline(in, line); ++place) {
    const Json row = *parse_json(line, "items");
    const Item& item = suite.items.at(place);
    REQUIRE(item.id == row["id"].get<std::string>());
    ResultRecord result;
    const ItemScore score = score_row(protocol, item, row, result.continuations);
    result.score = &score;
    REQUIRE(recorder.result(run, items.at(item.id), result).ok());
  }
  REQUIRE(
      recorder.end_run(run, {.audit = {.expected = suite.n_items, .seen = static_cast<std::int64_t>(place)}})
          .ok());
  return run;
}

struct Scratch {
  std::string path =
      (std::filesystem::temp_directory_path() / ("assay-verify-" + std::to_string(::getpid()) + ".db"))
          .string();
  Scratch() { std::filesystem::remove(path); }
  ~Scratch() { std::filesystem::remove(path); }
};

Result<ParameterCounts> counts(const std::string&) { return ParameterCounts{2888128, 2029188, 1199748}; }

TEST_CASE(
    "verify: the bundled claims are decided from the database, missing runs are asked for once, and verdicts "
    "are stored") {
  const Scratch scratch;
  auto database = Database::create(scratch.path);
  REQUIRE(database.ok());
  auto recorder = Recorder::open(*database);
  REQUIRE(recorder.ok());
  const auto claims = gather_claims({"demo"}, nullptr);
  REQUIRE(claims.ok());
  int asked = 0;
  VerifyOptions options{.count = counts};
  options.measure = [&](const std::string& model, const std::string& suite_name,
                        const std::string& protocol) -> Result<std::int64_t> {
    ++asked;
    const auto suite = load_suite(suite_name);
    REQUIRE(suite.ok());
    auto transaction = Transaction::begin(*database);
    REQUIRE(transaction.ok());
    const std::int64_t run = insert_run(*recorder, *suite, *suite->find_protocol(protocol), model);
    REQUIRE(transaction->commit().ok());
    return run;
  };
  const auto verdicts = verify_claims(*recorder, *claims, options);
  REQUIRE(verdicts.ok());
  for (std::size_t i = 0; i < verdicts->size(); ++i) {
    const Verdict& v = (*verdicts)[i];
    INFO(v.claim_id << ": " << v.reason);
    CHECK(name_of(v.outcome) == (*claims)[i].expected_verdict);
  }
  CHECK(exit_code_of(*verdicts) == 1);  // one of them is contradicted
  const int first = asked;
  CHECK(first == 10);  // each pair of model and protocol once: nothing is run twice
  options.measure = nullptr;
  const auto again = verify_claims(*recorder, *claims, options);
  REQUIRE(again.ok());
  CHECK(verdicts_json(*claims, *again) == verdicts_json(*claims, *verdicts));
  auto count = database->prepare(
      "SELECT count(*) FROM verdict WHERE speaks_of IN ('items', 'population', 'weights') AND length(reason) "
      "> 20");
  REQUIRE(count.ok());
  CHECK(database->find_integer(*count)->value_or(0) == 22);
  const auto stored = load_claims(*database);
  REQUIRE(stored.ok());
  CHECK(stored->size() == 11);
}

TEST_CASE("verify: what is not there is said, not guessed") {
  const Scratch scratch;
  auto database = Database::create(scratch.path);
  REQUIRE(database.ok());
  auto recorder = Recorder::open(*database);
  REQUIRE(recorder.ok());
  CHECK(gather_claims({"no-such-claim"}, nullptr).error().code == Code::not_found);
  CHECK(gather_claims({"/no/such/file.json"}, nullptr).error().code == Code::not_found);
  CHECK(gather_claims({"demo", "demo-mc"}, nullptr).error().code == Code::duplicate);
  auto claims = *gather_claims({"demo-mc"}, nullptr);
  const auto empty = verify_claims(*recorder, claims, {});
  REQUIRE(empty.ok());
  CHECK(empty->front().outcome == Outcome::undecided);
  CHECK(exit_code_of(*empty) == 4);
  claims.front().protocol = "text-9shot";
  CHECK(verify_claims(*recorder, claims, {}).error().field == "protocol");
  claims.front().suite = "no-such-suite";
  const auto nowhere = verify_claims(*recorder, claims, {});
  REQUIRE(nowhere.ok());
  CHECK(nowhere->front().outcome == Outcome::undecided);
  CHECK(nowhere->front().reason.find("no suite of that name") != std::string::npos);
}

TEST_CASE("verify: exit codes") {
  const auto with = [](Outcome outcome) {
    Verdict v;
    v.outcome = outcome;
    return v;
  };
  CHECK(exit_code_of({with(Outcome::reproduced)}) == 0);
  CHECK(exit_code_of({with(Outcome::reproduced), with(Outcome::undecided)}) == 4);
  CHECK(exit_code_of({with(Outcome::protocol_mismatch)}) == 4);
  CHECK(exit_code_of({with(Outcome::undecided), with(Outcome::impossible)}) == 1);
  CHECK(exit_code_of({with(Outcome::contradicted)}) == 1);
}

}  // namespace
