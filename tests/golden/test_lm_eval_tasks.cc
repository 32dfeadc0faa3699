// Tasks as lm-evaluation-harness itself asks and scores them on the bundled model (tests/oracle/make_lm_eval_goldens.py): multiple choice with all
// normalisations and mutual information in one pass, bits per byte of whole texts. The exact values beside the harness's are a float64 computation
// without float32 islands.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/progress.h"
#include "eval/runs/ask.h"
#include "eval/runs/requests.h"
#include "reference/model/model_files.h"
#include "reference/model/oracle.h"
#include "tests/catch.h"
#include "tests/serve_fixture.h"

using namespace assay;

namespace {

constexpr double kNearTie = 1e-4;      // the bar: flags agree where the decision is clearer
constexpr double kMaxLogit = 30;       // of the bundled model (tests/golden/data/bundled_logits.safetensors: max_abs)

const Json& golden() {
  static const Json json = read_json_file(ASSAY_TREE "/tests/golden/data/lm_eval_tasks.json").value();
  return json;
}

EvalModel& bundled() { return const_cast<EvalModel&>(serve_test::bundled()); }

// The bar of a log-likelihood.
double tolerance(double logprob) { return 1e-5 * std::max(1.0, std::abs(logprob) / 10) + 1e-5 * kMaxLogit; }

Protocol harness_protocol(const Suite& suite) {
  Protocol out = *suite.find_protocol("text-0shot");
  out.bos = BosPolicy::tokenizer;
  out.unconditional = "";
  return out;
}

std::vector<std::size_t> places_of(const Suite& suite, const Json& lines) {
  std::vector<std::size_t> out;
  for (const Json& line : lines) {
    const auto at = std::ranges::find(suite.items, line["id"].get<std::string>(), &Item::id);
    REQUIRE(at != suite.items.end());
    out.push_back(static_cast<std::size_t>(at - suite.items.begin()));
  }
  return out;
}

// Best minus second-best of what a metric compares.
double margin(std::vector<double> values) {
  std::ranges::sort(values, std::greater{});
  return values[0] - values[1];
}

std::vector<double> compared(const Json& line, const Item& item, const std::string& metric) {
  std::vector<double> out;
  const std::size_t n = item.options.size();
  for (std::size_t i = 0; i < n; ++i) {
    double value = line["logprobs"][i].get<double>();
    if (metric == "acc_norm") value /= static_cast<double>(count_code_points(item.options[i]));
    if (metric == "acc_bytes") value /= static_cast<double>(item.options[i].size());
    if (metric == "acc_mutual_info") value -= line["logprobs"][n + i].get<double>();
    out.push_back(value);
  }
  return out;
}

double value_of(const ItemScore& score, const std::string& name) {
  for (const auto& [metric, value] : score.values) {
    if (metric == name) return value;
  }
  FAIL("no such metric: " << name);
  return 0;
}

}  // namespace

TEST_CASE("lm_eval tasks: acc, acc_norm, acc_bytes and mutual information are the harness's, in one pass") {
  const Suite suite = load_suite("world-mc").value();
  const Protocol protocol = harness_protocol(suite);
  const Json& lines = golden()["choices"];
  REQUIRE(lines.size() >= 40);
  Progress quiet("", 0, "", true);
  const auto asked = ask_items(bundled(), suite, protocol, places_of(suite, lines), 1, quiet).value();
  REQUIRE(asked.size() == lines.size());
  const std::pair<const char*, const char*> names[] = {{"acc", "acc"}, {"acc_norm", "acc_char"}, {"acc_bytes", "acc_byte"}, {"acc_mutual_info", "acc_uncond"}};
  int flags = 0;
  double largest = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Json& line = lines[i];
    const auto& records = asked[i].record.continuations;
    INFO(line["id"]);
    CHECK(asked[i].record.prompt == line["prompt"].get<std::string>());
    REQUIRE(line["logprobs"].size() == 2 * records.size());
    for (std::size_t k = 0; k < records.size(); ++k) {
      const double with = line["logprobs"][k], without = line["logprobs"][records.size() + k];
      CHECK(std::abs(records[k].logprob_nats - with) <= tolerance(with));
      CHECK(std::abs(records[k].unconditional_nats.value() - without) <= tolerance(without));
      largest = std::max(largest, std::abs(records[k].logprob_nats - with));
      CHECK(records[k].greedy == line["greedy"][k].get<bool>());
    }
    for (const auto& [theirs, ours] : names) {
      if (!(margin(compared(line, suite.items[asked[i].index], theirs)) > kNearTie)) continue;
      ++flags;
      CHECK(value_of(asked[i].score, ours) == line[theirs].get<double>());
    }
  }
  CHECK(flags >= 150);
  CHECK(largest > 0);  // float32 against float64: no difference at all would mean that one was held against itself
}

TEST_CASE("lm_eval tasks: bits per byte over whole texts") {
  const Suite suite = load_suite("tales-bpb").value();
  Protocol protocol = suite.main_protocol();
  protocol.bos = BosPolicy::tokenizer;
  protocol.aggregation = Aggregation::micro;
  const Json& rolling = golden()["rolling"];
  Progress quiet("", 0, "", true);
  const auto asked = ask_items(bundled(), suite, protocol, places_of(suite, rolling["items"]), 1, quiet).value();
  std::vector<ScoredItem> scored;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const double expected = rolling["items"][i]["logprob"];
    const auto tokens = static_cast<double>(asked[i].record.continuations[0].tokens);
    CHECK(std::abs(asked[i].record.continuations[0].logprob_nats - expected) <= tolerance(expected) + 1e-6 * tokens);
    scored.push_back({&suite.items[asked[i].index], asked[i].score});
  }
  REQUIRE(scored.size() >= 8);
  const auto metrics = aggregate(protocol, scored);
  const auto bits = std::ranges::find(metrics, "bits_per_byte", &Metric::name);
  REQUIRE(bits != metrics.end());
  CHECK(std::abs(bits->value - rolling["bits_per_byte"].get<double>()) <= 1e-6);
}

TEST_CASE("lm_eval tasks: the f64 path is within 1e-9 of a float64 computation") {
  const auto files = open_model(ASSAY_TREE "/suites/data/demo/model");
  REQUIRE(files.ok());
  const auto oracle = Oracle::load(files->checkpoint, files->config);
  REQUIRE(oracle.ok());
  const Suite suite = load_suite("world-mc").value();
  const Protocol protocol = harness_protocol(suite);
  int done = 0;
  double largest = 0;
  for (const std::size_t at : {std::size_t{0}, std::size_t{17}, std::size_t{39}}) {
    const Json& line = golden()["choices"][at];
    const Item& item = suite.items[places_of(suite, Json::array({line}))[0]];
    for (std::size_t k = 0; k < item.options.size(); ++k) {
      const auto request = continuation_request(bundled().tokenizer, line["prompt"].get<std::string>(), " " + item.options[k], protocol.bos,
                                                {bundled().context_tokens()}).value();
      const std::vector<std::int32_t>& ids = request.score.ids;
      const std::vector<double> logits = oracle->logits(std::span(ids).first(ids.size() - 1));
      const std::size_t vocab = logits.size() / (ids.size() - 1);
      double sum = 0;
      for (auto i = static_cast<std::size_t>(request.score.scored_from); i < ids.size(); ++i) {
        const std::span row(logits.data() + (i - 1) * vocab, vocab);
        const double most = std::ranges::max(row);
        double total = 0;
        for (const double x : row) total += std::exp(x - most);
        sum += row[static_cast<std::size_t>(ids[i])] - most - std::log(total);
      }
      largest = std::max(largest, std::abs(sum - line["exact"][k].get<double>()));
      ++done;
    }
  }
  CHECK(done == 12);
  CHECK(largest <= 1e-9);
}
