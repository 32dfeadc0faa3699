// Plans and budgets: what is run first, what does not fit, and what is said about it. The runs are made up: 500 items of world-mc, a speed each.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/verdicts/verify_plan.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

class Shop {
 public:
  Shop() : database_(Database::create(scratch_ / "a.db").value()), recorder_(Recorder::open(database_).value()) {}
  Database& database() { return database_; }

  // A run of `items` items that took `seconds`; all of them or a drawn part.
  std::int64_t add(const std::string& model, const std::string& suite_name, const std::string& protocol, std::int64_t limit, double seconds_per_item) {
    const Suite suite = load_suite(suite_name).value();
    auto transaction = Transaction::begin(database_);
    const std::int64_t suite_id = *recorder_.suite(suite), protocol_id = *recorder_.protocol(suite_id, *suite.find_protocol(protocol));
    const std::int64_t model_id = *recorder_.model({.name = model});
    const std::int64_t items = limit > 0 ? limit : suite.n_items;
    RunRecord head{.kind = "run", .model_id = model_id, .suite_id = suite_id, .protocol_id = protocol_id, .identity = fmt::format("{}{}{}{}", model, suite_name, protocol, limit),
                   .items_expected = items};
    if (limit > 0) head.limit_items = limit;
    const std::int64_t run = *recorder_.begin_run(head);
    REQUIRE(recorder_.end_run(run, {.wall_seconds = seconds_per_item * static_cast<double>(items), .audit = {.expected = items, .seen = items}}).ok());
    REQUIRE(transaction->commit().ok());
    asked_.push_back(fmt::format("{} {} {}", suite_name, protocol, limit));
    return run;
  }
  // A drawn part that was stopped before its first item was done.
  void begin(const std::string& model, const std::string& suite_name, const std::string& protocol, std::int64_t limit) {
    const Suite suite = load_suite(suite_name).value();
    auto transaction = Transaction::begin(database_);
    const std::int64_t suite_id = *recorder_.suite(suite), protocol_id = *recorder_.protocol(suite_id, *suite.find_protocol(protocol));
    RunRecord head{.kind = "run", .model_id = *recorder_.model({.name = model}), .suite_id = suite_id, .protocol_id = protocol_id, .identity = "begun", .items_expected = limit};
    head.limit_items = limit;
    REQUIRE(recorder_.begin_run(head).ok());
    REQUIRE(transaction->commit().ok());
  }
  const std::vector<std::string>& asked() const { return asked_; }
  void forget() { asked_.clear(); }

 private:
  Scratch scratch_;
  Database database_;
  Recorder recorder_;
  std::vector<std::string> asked_;
};

std::vector<Claim> claims(const std::string& text) { return *parse_claims(*parse_json(text, "c"), "c"); }

const char* kThree = R"([{"id": "a", "model": "M", "suite": "world-mc", "protocol": "text-0shot", "value": "76.4"},
  {"id": "b", "model": "M", "suite": "world-mc", "protocol": "text-0shot", "value": "70.0"},
  {"id": "c", "model": "M", "suite": "steps-gen", "protocol": "cot-0shot", "value": "50.0"},
  {"id": "d", "model": "M", "suite": "no-such-suite", "value": "1.0"}])";

TEST_CASE("verify plan: durations") {
  CHECK(*parse_duration("90s") == 90);
  CHECK(*parse_duration("20min") == 1200);
  CHECK(*parse_duration("1.5h") == 5400);
  CHECK(*parse_duration("600") == 600);
  for (const char* bad : {"", "0", "-5s", "soon", "5 days", "1e9h", "nan"}) CHECK_FALSE(parse_duration(bad).ok());
}

TEST_CASE("verify plan: without a budget everything is run whole, runs that are there are not") {
  Shop shop;
  VerifyPlan plan = *plan_verification(shop.database(), claims(kThree), {}, {});
  REQUIRE(plan.runs.size() == 2);
  for (const PlannedRun& run : plan.runs) CHECK((run.planned == run.items && run.items == 500 && !run.seconds_per_item));
  CHECK(plan.undecided.size() == 1);
  CHECK(plan.undecided[0].first == "d");
  shop.add("M", "world-mc", "text-0shot", 0, 0.1);
  plan = *plan_verification(shop.database(), claims(kThree), {}, {});
  REQUIRE(plan.runs.size() == 1);
  CHECK(plan.stored == std::vector<std::string>{"a", "b"});
  CHECK(plan.runs[0].origin == "runs of this model on other suites");
  CHECK(*plan.runs[0].seconds == Approx(50));
}

TEST_CASE("verify plan: a budget takes what decides most for its time, then a part of the next") {
  Shop shop;
  shop.add("M", "world-mc", "text-3shot", 0, 0.1);   // 50 s for a and b together
  shop.add("M", "steps-gen", "cot-3shot", 0, 0.2);   // 100 s for c alone
  const auto planned = [&](double budget) {
    const VerifyPlan plan = *plan_verification(shop.database(), claims(kThree), {}, budget);
    REQUIRE(plan.runs.size() == 2);
    CHECK(plan.runs[0].suite == "world-mc");
    CHECK(plan.seconds <= budget * (1 + 1e-9));
    return std::pair{plan.runs[0].planned, plan.runs[1].planned};
  };
  CHECK(planned(200) == std::pair<std::int64_t, std::int64_t>{500, 500});
  CHECK(planned(90) == std::pair<std::int64_t, std::int64_t>{500, 200});
  CHECK(planned(52) == std::pair<std::int64_t, std::int64_t>{500, 0});  // ten items would show nothing
  CHECK(planned(10) == std::pair<std::int64_t, std::int64_t>{100, 0});
  const VerifyPlan tight = *plan_verification(shop.database(), claims(kThree), {}, 90);
  REQUIRE(tight.runs[1].detects);
  CHECK(*tight.runs[1].detects > 5);   // 200 items show nine points or so
  CHECK(*tight.runs[1].detects < 12);
  CHECK(*tight.runs[0].detects == 0);
  CHECK(tight.undecided.size() == 2);  // c, of which a part was asked, and d
  CHECK(plan_text(tight).find("200 of 500 items") != std::string::npos);
  CHECK(plan_json(tight)["runs"][1]["planned"] == 200);
}

TEST_CASE("verify plan: an unknown speed is measured by a probe, and the budget is kept") {
  Shop shop;
  const auto run = [&](double budget) {
    shop.forget();
    const MeasurePart measure = [&](const std::string& model, const std::string& suite, const std::string& protocol, std::int64_t limit) -> Result<std::int64_t> {
      return shop.add(model, suite, protocol, limit, suite == "world-mc" ? 0.1 : 0.4);
    };
    const auto plan = run_within_budget(shop.database(), claims(kThree), {}, budget, measure);
    REQUIRE(plan.ok());
    return *plan;
  };
  const VerifyPlan plan = run(120);
  REQUIRE(shop.asked().size() >= 3);
  CHECK(shop.asked()[0].ends_with(" 16"));
  CHECK(std::find(shop.asked().begin(), shop.asked().end(), "world-mc text-0shot 0") != shop.asked().end());
  CHECK(std::find(shop.asked().begin(), shop.asked().end(), "steps-gen cot-0shot 0") == shop.asked().end());
  CHECK(plan.stored == std::vector<std::string>{"a", "b"});
  // A part that was asked counts where parts may count, and nowhere else.
  CHECK(find_part_run(shop.database(), {"M"}, "steps-gen", "cot-0shot")->has_value());
  CHECK_FALSE(find_run(shop.database(), {"M"}, "steps-gen", "cot-0shot")->has_value());
}

TEST_CASE("verify plan: claims about a model come from all ledgers, copies left out") {
  const auto about = claims_about("deepseek-r1", nullptr);
  REQUIRE(about.ok());
  CHECK(about->size() > 50);
  for (const Claim& c : *about) {
    CHECK(c.model == "DeepSeek-R1");
    CHECK(c.dependence != "quoted");
  }
  CHECK(claims_about("model", nullptr)->size() >= 5);
  CHECK(claims_about("nobody's model", nullptr).error().code == Code::not_found);
  CHECK(gather_claims({"C00462"}, nullptr)->front().source == "deepseek-ai/DeepSeek-R1@0cf78561f1d5:README.md#L152");
  CHECK_FALSE(gather_claims({"C99999"}, nullptr).ok());
}

TEST_CASE("verify plan: from the command line nothing is run and nothing is written") {
  const Scratch scratch;
  const CommandResult plan = run_assay({"verify", "demo", "--budget", "20min", "--plan", "--json"}, scratch.path());
  REQUIRE(plan.code == 0);
  const Json document = *parse_json(plan.out, "plan");
  CHECK(document["budget_seconds"] == 1200.0);
  CHECK(document["runs"].size() >= 5);
  CHECK_FALSE(std::filesystem::exists(scratch / "assay.db"));
  CHECK(run_assay({"verify"}, scratch.path()).code == 2);
  CHECK(run_assay({"verify", "demo", "--budget", "soon"}, scratch.path()).code == 2);
  const CommandResult published = run_assay({"verify", "C00462", "--json"}, scratch.path());
  CHECK(published.code == 4);
  const Json verdict = (*parse_json(published.out, "verdicts"))[0];
  CHECK(verdict["verdict"] == "undecided");
  CHECK(verdict["test"] == "sampling-bound");
  CHECK(verdict["measured"] == 63.0);
  CHECK(verdict["hangs_on"].get<std::string>().find("contradicted from 8 on") != std::string::npos);
  const std::string card = scratch.write("card.json", R"([{"id": "mt", "model": "SmolLM2", "suite": "mt-bench", "value": "19.8"}])");
  const CommandResult scale = run_assay({"verify", card, "--json"}, scratch.path());
  CHECK(scale.code == 1);
  CHECK((*parse_json(scale.out, "verdicts"))[0]["verdict"] == "impossible");
}

}  // namespace

TEST_CASE("verify plan: a part that was stopped goes on with its own items, if its rest fits") {
  Shop shop;
  shop.add("M", "steps-gen", "direct-0shot", 16, 1);  // one second an item
  shop.begin("M", "steps-gen", "cot-0shot", 120);
  const auto one = claims(R"([{"id": "c", "model": "M", "suite": "steps-gen", "protocol": "cot-0shot", "value": "50.0"}])");
  const auto run_with = [&](double budget) {
    shop.forget();
    const MeasurePart measure = [&](const std::string& model, const std::string& suite, const std::string& protocol, std::int64_t limit) -> Result<std::int64_t> {
      return shop.add(model, suite, protocol, limit, 1);
    };
    REQUIRE(run_within_budget(shop.database(), one, {}, budget, measure).ok());
    return shop.asked();
  };
  CHECK(run_with(150) == std::vector<std::string>{"steps-gen cot-0shot 120"});
  CHECK(run_with(60) == std::vector<std::string>{"steps-gen cot-0shot 60"});  // 120 items do not fit into a minute
}
