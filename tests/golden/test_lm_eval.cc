// Log-likelihoods against lm-evaluation-harness itself (tests/oracle/make_lm_eval_goldens.py): how it splits, cuts and windows texts.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "eval/runs/loglikelihood.h"
#include "reference/model/engine.h"
#include "tests/catch.h"

using namespace assay;

namespace {

// The bar of the f32 path is 2e-5 a logit (standard deviation of the logits about 1 or more); a log-probability is a difference of a logit and
// of a mean of logits, and errors of tokens add up at worst.
constexpr double kTolerancePerToken = 4e-5;

std::vector<Json> golden_lines() {
  std::ifstream file(ASSAY_TREE "/tests/golden/data/lm_eval.jsonl");
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json(line, "lm_eval.jsonl").value());
  return lines;
}

}  // namespace

TEST_CASE("lm_eval: log-likelihoods, greedy flags, cuts and windows are the harness's own") {
  const std::vector<Json> lines = golden_lines();
  REQUIRE(lines.size() >= 17);
  const std::string model = ASSAY_TREE "/suites/data/demo/model";
  const auto engine = Engine::load(model, {.threads = 2});
  const auto tokenizer = Tokenizer::load(model);
  REQUIRE(engine.ok());
  REQUIRE(tokenizer.ok());
  double largest = 0;
  int cut = 0, windows = 0;
  for (const Json& line : lines) {
    INFO(dump_json(line).substr(0, 300));
    const auto request = likelihood_request(*tokenizer, line, (*engine)->config().max_position_embeddings);
    REQUIRE(request.ok());
    const auto answers = (*engine)->score(request->windows);
    REQUIRE(answers.ok());
    const Json ours = likelihood_line(*request, *answers);
    const double difference = std::abs(ours["logprob"].get<double>() - line["logprob"].get<double>());
    CHECK(difference <= kTolerancePerToken * ours["tokens"].get<double>());
    largest = std::max(largest, difference);
    if (line.contains("greedy")) CHECK(ours["greedy"] == line["greedy"]);
    cut += request->truncated > 0 ? 1 : 0;
    windows += request->windows.size() > 1 ? 1 : 0;
  }
  CHECK(largest > 0);  // float32 against float64: no difference at all would mean that one was held against itself
  CHECK(cut >= 1);
  CHECK(windows >= 1);
}
