// Every metric of an item follows from its rows: a run made under one normalisation serves claims in another.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/runs/record.h"
#include "eval/verdicts/measured_items.h"
#include "eval/verdicts/verify.h"
#include "eval/verdicts/verify_plan.h"
#include "reports/document.h"
#include "reports/export.h"
#include "reports/query.h"
#include "suites/ifeval/ifeval.h"
#include "tests/catch.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

class ResultRows {
 public:
  ResultRows() : database_(Database::create(scratch_ / "a.db").value()), recorder_(Recorder::open(database_).value()) {}
  Database& database() { return database_; }
  Recorder& recorder() { return recorder_; }
  std::string folder() const { return scratch_ / ""; }

  void define(const std::string& json, const std::string& items) {
    scratch_.write("two.suite.json", json);
    scratch_.write("items.jsonl", items);
    auto loaded = load_suite(scratch_ / "two.suite.json", scratch_ / "");
    if (!loaded.ok()) FAIL(loaded.error().text());
    suite_ = std::move(*loaded);
  }

  // A complete run of all items; `add` fills each item's row.
  template <class Add>
  std::int64_t run(const std::string& protocol_name, const Add& add, const std::string& formats = "BF16 3") {
    const Protocol& protocol = *suite_.find_protocol(protocol_name);
    auto transaction = Transaction::begin(database_);
    const std::int64_t suite = *recorder_.suite(suite_), protocol_id = *recorder_.protocol(suite, protocol);
    const std::int64_t model = *recorder_.model({.name = "M", .weights_formats = formats, .identity = formats});
    const auto items = *recorder_.items(suite, suite_);
    const auto n = static_cast<std::int64_t>(suite_.items.size());
    const std::int64_t run = *recorder_.begin_run({.kind = "run", .model_id = model, .suite_id = suite, .protocol_id = protocol_id, .identity = protocol_name, .items_expected = n});
    for (const Item& item : suite_.items) {
      ResultRecord row;
      const ItemScore score = add(protocol, item, row);
      row.score = &score;
      REQUIRE(recorder_.result(run, items.at(item.id), row).ok());
    }
    REQUIRE(recorder_.end_run(run, {.wall_seconds = 1, .audit = {.expected = n, .seen = n}}).ok());
    REQUIRE(transaction->commit().ok());
    return run;
  }

 private:
  Scratch scratch_;
  Database database_;
  Recorder recorder_;
  Suite suite_;
};

const char* kTwoChoices = R"({"name": "two", "title": "t", "source": "s", "licence": "l",
 "items": {"origin": "data", "file": "items.jsonl", "gold": "index", "fields": {"id": "id", "question": "q", "options": "o", "gold": "g", "subset": "s"}},
 "protocols": [{"name": "cloze", "main": true, "kind": "choice", "bos": "tokenizer", "block": "{question}", "continuation": " {option}", "separator": "\n\n",
   "normalisation": "chars", "unconditional": "", "metrics": ["acc_char", "acc", "acc_byte", "acc_token", "mean_logprob"]},
  {"name": "plain", "kind": "choice", "bos": "tokenizer", "block": "{question}", "continuation": " {option}", "separator": "\n\n", "metrics": ["acc"]}]})";
// The sum prefers the short option, characters the long one; bytes see that "ééé…" is longer than it looks.
const char* kTwoItems = R"({"id": "a", "q": "x", "o": ["no", "a very long option here", "éééééééé"], "g": 1, "s": "one"}
{"id": "b", "q": "y", "o": ["no", "a very long option here", "éééééééé"], "g": 0, "s": "two"}
)";

ItemScore two_choice_row(const Protocol& protocol, const Item& item, ResultRecord& row) {
  const std::vector<OptionScore> options = {{-4, 1, -1.0}, {-23, 9, -30.0}, {-8.5, 4, -8.0}};
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string text = " " + item.options[i];
    row.continuations.push_back({.text = text, .logprob_nats = options[i].logprob_nats, .tokens = options[i].tokens, .chars = count_code_points(text),
                                 .bytes = static_cast<std::int64_t>(text.size()), .unconditional_nats = options[i].unconditional_nats});
  }
  return score_choice(protocol, item, options);
}

std::vector<double> measured_values(const Measurement& m) {
  std::vector<double> out;
  for (const MeasuredItem& item : m.items) out.push_back(item.value);
  return out;
}

const char* kInstructionSuite = R"({"name": "two", "title": "t", "source": "s", "licence": "l",
 "items": {"origin": "data", "file": "items.jsonl", "gold": "instructions", "fields": {"id": "id", "question": "q", "instruction_id_list": "instruction_id_list", "kwargs": "kwargs"}},
 "protocols": [{"name": "chat", "main": true, "kind": "generate", "block": "{question}", "stops": [], "max_tokens": 9, "extractors": [{"function": "all"}],
   "equality": "instructions", "metrics": ["strict_prompt", "strict_instruction", "loose_prompt", "loose_instruction"]}]})";
const char* kInstructionItems = R"({"id": "a", "q": "x", "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"], "kwargs": [{}, {}]}
{"id": "b", "q": "y", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
{"id": "c", "q": "z", "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase", "startend:quotation"], "kwargs": [{}, {}, {}]}
)";

std::vector<Claim> claims_of_text(const std::string& text) {
  auto claims = parse_claims(*parse_json(text, "c"), "c.json");
  if (!claims.ok()) FAIL(claims.error().text());
  return std::move(*claims);
}

}  // namespace

TEST_CASE("measured items: every way to choose follows from one run") {
  ResultRows rows;
  rows.define(kTwoChoices, kTwoItems);
  const std::int64_t run = rows.run("cloze", two_choice_row);
  const std::pair<const char*, std::vector<double>> expected[] = {{"acc_char", {1, 0}}, {"acc_norm", {1, 0}}, {"", {1, 0}},         {"acc", {0, 1}},
                                                                  {"acc_byte", {0, 0}}, {"acc_token", {0, 0}}, {"acc_uncond", {1, 0}}, {"acc_mutual_info", {1, 0}}};
  for (const auto& [metric, values] : expected) {
    INFO(metric);
    const Measurement m = *load_measurement(rows.database(), run, metric);
    CHECK(measured_values(m) == values);
    CHECK(m.score == Score::share);
    CHECK(m.weights_formats == "BF16 3");
  }
  CHECK(*load_measurement(rows.database(), run, "acc")->items[0].margin == Approx(4.5));
  CHECK(load_measurement(rows.database(), 77, "acc").error().code == Code::not_found);
  const std::int64_t plain = rows.run("plain", [](const Protocol& protocol, const Item& item, ResultRecord& row) {
    ItemScore score = two_choice_row(protocol, item, row);
    for (ContinuationRecord& one : row.continuations) one.unconditional_nats.reset();
    return score;
  });
  CHECK(load_measurement(rows.database(), plain, "acc_uncond").error().field == "acc_uncond");
  const Measurement by_chars = *load_measurement(rows.database(), plain, "acc_char");  // of a run that did not divide by anything
  CHECK(measured_values(by_chars) == std::vector<double>{1, 0});
  CHECK(*by_chars.items[0].margin == Approx(8.5 / 8 - 1.0));
}

TEST_CASE("measured items: instructions, also of an empty response") {
  ResultRows rows;
  rows.define(kInstructionSuite, kInstructionItems);
  const std::int64_t run = rows.run("chat", [](const Protocol&, const Item& item, ResultRecord&) {
    return score_instructions(item, item.id == "a" ? "Fine it is" : item.id == "b" ? "no comma" : "");
  });
  CHECK(measured_values(*load_measurement(rows.database(), run, "strict_prompt")) == std::vector<double>{0, 1, 0});
  const Measurement parts = *load_measurement(rows.database(), run, "strict_instruction");
  CHECK(parts.score == Score::part_share);
  CHECK(measured_values(parts) == std::vector<double>{1, 1, 0});
  REQUIRE(parts.items.size() == 3);
  CHECK(parts.items[2].weight == 3);
  const auto claims = claims_of_text(R"([{"id": "mean", "model": "M", "value": "33.3", "scale": 100, "parts": [{"suite": "two", "metric": "strict_prompt"}, {"suite": "two", "metric": "strict_instruction"}]},
    {"id": "alone", "model": "M", "value": "0.33", "scale": 1, "suite": "two", "metric": "strict_instruction"}])");
  const auto verdicts = verify_claims(rows.recorder(), claims, {});
  if (!verdicts.ok()) FAIL(verdicts.error().text());
  CHECK(verdicts->at(0).outcome == Outcome::reproduced);  // (1/3 + 2/6) / 2
  CHECK(verdicts->at(0).n == 3);
  CHECK(verdicts->at(1).outcome == Outcome::reproduced);
  const auto parts_stored = part_rows(rows.database());
  REQUIRE(parts_stored->size() == 3);
  CHECK(parts_stored->at(1).metric == "strict_instruction");
  CHECK(*parts_stored->at(1).measured == Approx(100.0 / 3));
  int exported = 0;
  REQUIRE(export_canonical(rows.database(), [&](std::string_view line) -> Status {
    exported += line.find("\"table\":\"verdict_part\"") != std::string_view::npos ? 1 : 0;
    return {};
  }).ok());
  CHECK(exported == 3);
  const auto document = report_document(rows.database());
  REQUIRE(document.ok());
  const auto& tables = document->sections.front().tables;
  REQUIRE(tables.size() == 2);
  CHECK(tables[1].key == "parts");
  CHECK(tables[1].rows.size() == 3);
}

TEST_CASE("verify: parts, macro averages and weights by items, from stored runs") {
  ResultRows rows;
  rows.define(kTwoChoices, kTwoItems);
  rows.run("cloze", two_choice_row, "Q4_1 2, F32 1");
  const auto claims = claims_of_text(R"([{"id": "macro", "model": "M", "value": "50.0", "scale": 100, "suite": "two", "metric": "acc_char_macro", "others": []},
    {"id": "items", "model": "M", "value": "50.0", "scale": 100, "weights_format": "BF16", "parts": [{"suite": "two", "metric": "acc", "weight": "items"}, {"suite": "two", "metric": "acc_char", "weight": "items"}]},
    {"id": "subset", "model": "M", "value": "100", "scale": 100, "parts": [{"suite": "two", "metric": "acc_char", "subset": "one"}]},
    {"id": "absent", "model": "M", "value": "50.0", "scale": 100, "parts": [{"suite": "two", "metric": "acc"}, {"suite": "no-such-suite", "metric": "acc"}]}])");
  const auto verdicts = verify_claims(rows.recorder(), claims, {});
  if (!verdicts.ok()) FAIL(verdicts.error().text());
  CHECK(verdicts->at(0).outcome == Outcome::reproduced);
  CHECK(verdicts->at(0).parts.size() == 2);
  CHECK(verdicts->at(0).parts[0].subset == "one");
  CHECK(verdicts->at(0).reason.find("mean of 2 sub-tasks") != std::string::npos);
  CHECK(verdicts->at(1).outcome == Outcome::reproduced);
  CHECK(verdicts->at(1).fork == "2 of 3 tensors as Q4_1");
  CHECK(verdicts->at(1).parts[0].weight == 0.5);
  CHECK(verdicts->at(2).outcome == Outcome::reproduced);
  CHECK(verdicts->at(2).n == 1);
  CHECK(verdicts->at(3).outcome == Outcome::undecided);
  CHECK(verdicts->at(3).reason.find("no suite of that name") != std::string::npos);
  const auto wrong = verify_claims(rows.recorder(), claims_of_text(R"([{"id": "w", "model": "M", "value": "1", "parts": [{"suite": "two", "protocol": "none", "metric": "acc"}]}])"), {});
  CHECK(wrong.error().code == Code::not_found);
  const auto mixed = verify_claims(rows.recorder(), claims_of_text(R"([{"id": "w", "model": "M", "value": "1", "parts": [{"suite": "two", "metric": "acc"}, {"suite": "two", "metric": "bits_per_byte"}]}])"), {});
  CHECK(mixed.error().message.find("different kinds") != std::string::npos);
}

TEST_CASE("verify plan: a composite claim needs the runs of all its parts") {
  ResultRows rows;
  const auto claims = claims_of_text(R"([{"id": "c", "model": "M", "value": "50.0", "scale": 100, "parts": [{"suite": "world-mc", "metric": "acc"}, {"suite": "steps-gen", "metric": "accuracy"}]},
    {"id": "d", "model": "M", "value": "50.0", "scale": 100, "parts": [{"suite": "world-mc", "metric": "acc"}, {"suite": "bbh", "metric": "accuracy"}]},
    {"id": "e", "model": "M", "value": "19.8", "scale": 1, "suite": "mt-bench", "metric": "score", "scale_max": 10}])");
  const VerifyPlan plan = *plan_verification(rows.database(), claims, {}, {});
  REQUIRE(plan.runs.size() == 2);
  CHECK(plan.runs[0].tokens_per_item > 0);
  CHECK(plan.stored == std::vector<std::string>{"e"});
  REQUIRE(plan.undecided.size() == 1);
  CHECK(plan.undecided[0].first == "d");
  CHECK(plan.undecided[0].second.find("bbh/items/*.json") != std::string::npos);
  std::vector<std::string> asked;
  const MeasurePart measure = [&](const std::string&, const std::string& suite, const std::string&, std::int64_t limit) -> Result<std::int64_t> {
    asked.push_back(fmt::format("{} {}", suite, limit));
    return std::int64_t{1};
  };
  REQUIRE(measure_speeds(rows.database(), claims, {}, measure).ok());
  CHECK(asked == std::vector<std::string>{"world-mc 16"});  // the shorter of the two, once
}
