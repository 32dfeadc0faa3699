// Which item a stored record speaks of, in what order its options stand, and whose filter speaks of which protocol.
#include "eval/replay/replay_items.h"

#include "tests/catch.h"

namespace {

using namespace assay;

Suite small_suite() {
  Suite suite;
  suite.items_loaded = true;
  for (const char* name : {"a", "b", "c", "d"}) {
    Item item;
    item.id = name;
    item.question = std::string(name) == "d" ? "What is c?" : "What is " + std::string(name) + "?";
    item.options = {"red", "blue", "green"};
    suite.items.push_back(item);
  }
  return suite;
}

StoredOutput record(const std::string& id, const std::string& question, std::optional<std::int64_t> ordinal, const std::string& prompt = "") {
  StoredOutput out;
  out.id = id;
  out.question = question;
  out.ordinal = ordinal;
  if (!prompt.empty()) out.prompt = prompt;
  return out;
}

}  // namespace

TEST_CASE("replay items: by id, by question, by place, and never against what the record shows") {
  const Suite suite = small_suite();
  const ItemFinder finder(suite);
  const std::pair<StoredOutput, const char*> cases[] = {
      {record("b", "anything", 0), "b"},
      {record("7", " What is a?\n", 3), "a"},
      {record("7", "What is c?", std::nullopt), ""},  // two items ask that
      {record("7", "What is c?", 2), "c"},
      {record("7", "What is c?", 3), "d"},
      {record("7", "", 1), "b"},
      {record("7", "What is x?", 1), ""},
      {record("7", "", 1, "Q: What is b?\nA:"), "b"},
      {record("7", "", 1, "Q: What is a?\nA:"), ""},
      {record("7", "", 4), ""},
      {record("7", "", -1), ""},
      {record("7", "", std::nullopt), ""},
  };
  for (const auto& [output, expected] : cases) {
    INFO(output.question << "|" << output.prompt.value_or("none") << "|" << output.ordinal.value_or(-9));
    const Item* item = finder.find(output);
    CHECK((item != nullptr ? item->id : std::string()) == expected);
  }
}

TEST_CASE("replay items: options asked in another order are put back") {
  const Item item = small_suite().items.front();
  StoredOutput output;
  output.log_likelihoods = {-1, -2, -3};
  output.options = {"green", "red", "blue"};
  output.option_tokens = {10, 20, 30};
  output.unconditional = {-4, -5, -6};
  const auto scores = option_scores(item, output);
  CHECK(scores[0].logprob_nats == -2);
  CHECK(scores[1].logprob_nats == -3);
  CHECK(scores[2].tokens == 10);
  CHECK(scores[0].unconditional_nats == -5);
  output.options = {"A", "B", "C"};  // letters say nothing about the order
  CHECK(option_scores(item, output)[0].logprob_nats == -1);
  output.options = {"red", "red", "blue"};
  CHECK(option_scores(item, output)[1].logprob_nats == -2);
}

TEST_CASE("replay items: a filter speaks of the protocol that has its name or its first word") {
  Protocol protocol;
  protocol.name = "lm-eval-strict";
  CHECK(filter_fits("strict-match", protocol, false));
  CHECK_FALSE(filter_fits("flexible-extract", protocol, false));
  CHECK(filter_fits("flexible-extract", protocol, true));
  CHECK(filter_fits("", protocol, false));
}

TEST_CASE("replay items: the harness's own values are held against ours of the same name") {
  Protocol protocol;
  protocol.name = "strict";
  protocol.metrics = {"accuracy"};
  StoredOutput output;
  output.id = "a";
  output.values = {{"exact_match,strict-match", 1}, {"exact_match,flexible", 0}, {"f1", 0.5}};
  ItemScore score;
  score.correct = false;
  score.values = {{"accuracy", 0}};
  std::vector<std::pair<std::string, FlagAgreement>> agreements;
  count_own_values(agreements, output, protocol, score);
  REQUIRE(agreements.size() == 1);
  CHECK(agreements[0].first == "exact_match,strict-match");
  CHECK(agreements[0].second.agree == 0);
  CHECK(agreements[0].second.flagged_right == 1);
  CHECK(agreements[0].second.differing == std::vector<std::string>{"a"});
  CHECK(own_flag(output, protocol) == true);
  output.flag = false;
  CHECK(own_flag(output, protocol) == false);
  ReplayResult result;
  result.metrics.resize(1);
  result.metrics[0].name = "accuracy";
  result.metrics[0].value = 0.25;
  const std::vector<StoredFigure> reported = {{.metric = "exact_match", .printed = "0.25", .scale = 1, .filter = "strict-match"},
                                              {.metric = "exact_match", .printed = "0.5", .scale = 1, .filter = "flexible"}};
  const auto figures = reported_figures(reported, protocol, result);
  REQUIRE(figures.size() == 1);
  CHECK(figures[0].agrees);
}
