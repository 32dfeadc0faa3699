// Real stored outputs in ../shared against what was published about them, and the bundled item results against measured.json.
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "eval/replay/replay.h"
#include "suites/locate.h"
#include "suites/render.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kRealData = ASSAY_SHARED "/data";

bool absent_data(const std::string& path) {
  if (fs::exists(path)) return false;
  std::printf("skipped: %s is not there\n", path.c_str());
  return true;
}

std::vector<ReplayResult> replayed(const std::string& path, const std::string& format, const std::string& suite,
                              const std::string& protocol = "") {
  ReplayOptions options;
  options.format = format;
  options.suite = suite;
  options.protocol = protocol;
  options.threads = 2;
  auto results = replay(list_outputs({path}).value(), options, nullptr);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  return std::move(results).value();
}

std::string as_percent(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", 100 * value);
  return text;
}

// Files under `folder` whose published figures the stored outputs do not give.
std::vector<std::string> disagreeing(const std::vector<ReplayResult>& results) {
  std::vector<std::string> out;
  for (const auto& r : results) {
    CHECK(r.published.size() == 3);
    for (const auto& figure : r.published) {
      if (!figure.agrees)
        out.push_back(r.model + " " + figure.metric + " " + figure.published + " " + figure.ours);
    }
  }
  return out;
}

const Json& measured_outputs() {
  static const Json kMeasured = read_json_file(data_path("demo/claims/measured.json").value()).value();
  return kMeasured;
}

double metric(const ReplayResult& r, const std::string& name) {
  for (const auto& m : r.metrics) {
    if (m.name == name) return m.value;
  }
  FAIL("no metric " + name);
  return 0;
}

}  // namespace

TEST_CASE("real: the 5,276 flags of the GSM8K model solutions") {
  const std::string path = kRealData + "/gsm8k/example_model_solutions.jsonl.gz";
  if (absent_data(path)) return;
  const auto results = replayed(path, "gsm8k-solutions", "gsm8k");
  REQUIRE(results.size() == 4);
  const char* expected[] = {"21.68", "39.04", "34.72", "56.25"};
  std::int64_t agree = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    REQUIRE(results[i].flags);
    agree += results[i].flags->agree;
    CHECK(as_percent(metric(results[i], "accuracy")) == expected[i]);
    CHECK(results[i].audit.seen == 1319);
    CHECK(results[i].audit.malformed == 0);
  }
  CHECK(agree == 5276);
}

TEST_CASE("real: ZeroEval gsm, published accuracy, no-answer share and total of every model") {
  if (absent_data(kRealData + "/zeroeval/gsm")) return;
  const auto results = replayed(kRealData + "/zeroeval/gsm", "zeroeval", "gsm8k");
  CHECK(results.size() == 18);
  CHECK(disagreeing(results).empty());
}

TEST_CASE("real: ZeroEval math-l5, partial runs included") {
  if (absent_data(kRealData + "/zeroeval/math-l5")) return;
  const auto results = replayed(kRealData + "/zeroeval/math-l5", "zeroeval", "math-l5");
  CHECK(results.size() == 16);
  CHECK(disagreeing(results).empty());
  int partial = 0;
  for (const auto& r : results) partial += r.audit.seen < r.audit.expected ? 1 : 0;
  CHECK(partial == 2);
}

TEST_CASE("real: ZeroEval numersense, in all three ways of asking") {
  if (absent_data(kRealData + "/zeroeval/numersense-v2")) return;
  const auto results = replayed(kRealData + "/zeroeval/numersense-v2", "zeroeval", "numersense");
  CHECK(results.size() == 12);
  CHECK(disagreeing(results).empty());
}

TEST_CASE("real: ZeroEval crux") {
  if (absent_data(kRealData + "/zeroeval/crux")) return;
  const auto results = replayed(kRealData + "/zeroeval/crux", "zeroeval", "crux");
  CHECK(results.size() == 19);
  CHECK(disagreeing(results).empty());
}

TEST_CASE("real: what other extractors make of the same ZeroEval outputs") {
  // field study, section 5.3: lm-evaluation-harness strict and flexible, OpenCompass' last number
  const std::tuple<const char*, const char*, const char*> kRows[] = {
      {"Mistral-Large-2", "91.05", "93.03"}, {"Mixtral-8x7B-Instruct-v0.1", "68.46", "70.36"}, {"deepseek-chat", "92.72", "93.48"}};
  for (const auto& [model, flexible, last] : kRows) {
    const std::string path = kRealData + "/zeroeval/gsm/" + model + ".jsonl.gz";
    if (absent_data(path)) return;
    INFO(model);
    CHECK(as_percent(metric(replayed(path, "zeroeval", "gsm8k", "lme-strict")[0], "accuracy")) == "0.00");
    CHECK(as_percent(metric(replayed(path, "zeroeval", "gsm8k", "lme-flexible")[0], "accuracy")) == flexible);
    CHECK(as_percent(metric(replayed(path, "zeroeval", "gsm8k", "last-number-no-commas")[0], "accuracy")) == last);
  }
}

TEST_CASE("real: items of GSM8K and MMLU load") {
  if (absent_data(kRealData + "/gsm8k") || absent_data(kRealData + "/mmlu")) return;
  auto gsm = load_suite("gsm8k", kRealData);
  INFO((gsm.ok() ? std::string() : gsm.error().text()));
  REQUIRE(gsm.ok());
  CHECK(gsm->items.size() == 1319);
  CHECK(gsm->items[0].gold == "18");
  auto mmlu = load_suite("mmlu", kRealData);
  INFO((mmlu.ok() ? std::string() : mmlu.error().text()));
  REQUIRE(mmlu.ok());
  CHECK(mmlu->items.size() == 14042);
  CHECK(mmlu->fewshot.size() == 285);
  const auto request = render_request(*mmlu, mmlu->main_protocol(), mmlu->items[0]);
  REQUIRE(request.ok());
  CHECK(request->prompt.starts_with(
      "The following are multiple choice questions (with answers) about abstract algebra.\n\n"));
  CHECK(request->prompt.ends_with("\nAnswer:"));
  CHECK(request->continuations == std::vector<std::string>{" A", " B", " C", " D"});
}

TEST_CASE("demo: stored item results give the measured scores, both models, all twelve protocols") {
  const std::string claims = data_path("demo/claims").value();
  for (const auto& [suffix, model] : {std::pair{"", "bf16"}, std::pair{"-fp8", "fp8"}}) {
    int protocols = 0;
    for (const auto& [key, expected] : measured_outputs().at(model).items()) {
      const auto slash = key.find('/');
      const std::string suite = key.substr(0, slash), protocol = key.substr(slash + 1);
      const std::string file = claims + "/items-" + suite + "-" + protocol + suffix + ".jsonl";
      const auto r = replayed(file, suite == "steps-gen" ? "jsonl" : "assay-items", suite, protocol)[0];
      INFO(file);
      const bool rolling = suite == "tales-bpb";
      const double score = r.metrics[0].value * (rolling ? 1 : 100);
      CHECK(std::abs(score - expected.at("score").get<double>()) < (rolling ? 2e-6 : 1e-4));
      const double se = *r.metrics[0].se_population * (rolling ? 1 : 100);
      CHECK(se == Approx(expected.at("standard_error").get<double>()).epsilon(rolling ? 1e-4 : 2e-3));
      CHECK(r.audit.seen == expected.at("n").get<std::int64_t>());
      CHECK(r.audit.malformed == 0);
      if (!rolling) {
        REQUIRE(r.flags);
        CHECK(r.flags->agree == r.flags->of);
        CHECK(r.flags->flagged_right == expected.at("correct").get<std::int64_t>());
      }
      CHECK(r.tasks.size() == expected.at("subsets").size());
      ++protocols;
    }
    CHECK(protocols == 12);
  }
}

TEST_CASE("demo: every delivered file has the digest of SHA256SUMS") {
  const std::string folder = data_path("demo").value();
  std::istringstream sums(read_file(folder + "/SHA256SUMS").value());
  int files = 0;
  for (std::string digest, name; sums >> digest >> name; ++files) {
    INFO(name);
    const auto bytes = read_file(folder + "/" + name);
    REQUIRE(bytes.ok());
    CHECK(sha256_hex(*bytes) == digest);
  }
  CHECK(files > 70);
}
