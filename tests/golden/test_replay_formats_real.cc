// Stored outputs of six projects in ../shared against what those projects published: how many figures agree, and exactly which do not.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "eval/replay/replay.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

const std::string kFormatData = ASSAY_SHARED "/data";

bool absent(const std::string& path) {
  if (fs::exists(path)) return false;
  std::printf("skipped: %s is not there\n", path.c_str());
  return true;
}

std::vector<ReplayResult> run(const std::string& path, const std::string& format, const std::string& suite, const std::string& protocol = "") {
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

struct FormatTally {
  int agree = 0;
  std::vector<std::string> differ;
};

FormatTally tally(const std::vector<ReplayResult>& results) {
  FormatTally out;
  for (const auto& r : results) {
    for (const auto& f : r.published) {
      if (f.agrees)
        ++out.agree;
      else
        out.differ.push_back(r.model + " " + f.metric + " " + f.published + " " + f.ours);
    }
  }
  std::sort(out.differ.begin(), out.differ.end());
  return out;
}

std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", 100 * value);
  return text;
}

// A row of the field study's table, section 5.3: extractors first match, last match, fallback chain, letters drawn with 50 seeds.
struct MmluRow {
  const char *model, *first, *last, *fallback, *random, *low, *high;
  double unanswered;
  std::int64_t seen, malformed;
};

std::string accuracy(const ReplayResult& r) { return percent(find_metric(r, "accuracy")->value); }

void check_mmlu_row(const MmluRow& row) {
  INFO(row.model);
  std::map<std::string, ReplayResult> by;
  for (auto& r : run(kFormatData + "/mmlu_pro/model_outputs_" + row.model + "_5shots.zip", "mmlu-pro", "mmlu-pro", "all")) by[r.protocol] = std::move(r);
  CHECK(accuracy(by["first-match"]) == row.first);
  CHECK(accuracy(by["last-match"]) == row.last);
  CHECK(accuracy(by["fallback"]) == row.fallback);
  const ReplayResult& own = by["mmlu-pro"];
  CHECK(accuracy(own) == row.random);
  REQUIRE(own.guess);
  if (row.low != nullptr) CHECK(percent(own.guess->low) == row.low);
  if (row.high != nullptr) CHECK(percent(own.guess->high) == row.high);
  CHECK(100 * find_metric(own, "no_answer")->value == Approx(row.unanswered).margin(0.005));
  CHECK(own.audit.seen == row.seen);
  CHECK(own.audit.malformed == row.malformed);
  CHECK(own.audit.expected == 12032);
  CHECK(own.tasks.size() == 14);
  if (std::string_view(row.model) != "Meta-Llama-3-70B") return;
  REQUIRE(own.published.size() == 1);
  CHECK(own.published[0].published == "52.78");
  CHECK(own.published[0].agrees);
  CHECK(std::abs(100 * find_metric(own, "accuracy")->value - 52.78) < 0.2);
}

}  // namespace

TEST_CASE("formats real: BBH, 54 files of Codex outputs") {
  const std::string path = kFormatData + "/bbh/code-davinci-002";
  if (absent(path)) return;
  const auto results = run(path, "bbh", "bbh");
  CHECK(results.size() == 54);
  const FormatTally figures = tally(results);
  CHECK(figures.agree == 54);
  CHECK(figures.differ.empty());
  std::int64_t seen = 0;
  for (const auto& r : results) seen += r.audit.seen;
  CHECK(seen == 2 * 6511);
}

TEST_CASE("formats real: MisguidedAttention, summaries give all 59 figures, five evaluations do not") {
  const std::string path = kFormatData + "/misguided_attention";
  if (absent(path)) return;
  const FormatTally summaries = tally(run(path + "/summary", "misguided-attention", "misguided-attention"));
  CHECK(summaries.agree == 59);
  CHECK(summaries.differ.empty());
  const FormatTally scores = tally(run(path + "/scores", "misguided-attention", "misguided-attention"));
  CHECK(scores.agree == 53);
  CHECK(scores.differ == std::vector<std::string>{"claude-3.7-sonnet accuracy 0.462 0.449", "claude-4-sonnet-0522-thinking accuracy 0.686 0.692",
                                                  "claude-opus-4 accuracy 0.641 0.638", "deepseek-r1-0528 accuracy 0.671 0.657",
                                                  "o4-mini-high accuracy 0.429 0.436"});
}

TEST_CASE("formats real: WildBench, every figure of the judged files") {
  const std::string path = kFormatData + "/wildbench";
  if (absent(path)) return;
  const auto results = run(path, "wildbench", "wildbench");
  CHECK(results.size() == 10);
  const FormatTally figures = tally(results);
  CHECK(figures.agree == 16);  // four models: score, adjusted score, mean length, total
  CHECK(figures.differ.empty());
}

TEST_CASE("formats real: CRUXEval, pass@1 and pass@5 of the scored files") {
  const std::string path = kFormatData + "/cruxeval";
  if (absent(path)) return;
  for (const auto& [name, one, five] : {std::tuple{"input", "35.95", "44.99"}, {"output", "34.21", "40.29"}}) {
    const auto r = run(path + "/sample_scored_codellama-7b_temp0.2_" + name + ".json.gz", "cruxeval", "cruxeval")[0];
    INFO(name);
    CHECK(r.audit.seen == 800);
    CHECK(r.audit.malformed == 0);
    CHECK(tally({r}).agree == 2);
    CHECK(percent(find_metric(r, "pass@1")->value) == one);
    CHECK(percent(find_metric(r, "pass@5")->value) == five);
  }
}

TEST_CASE("formats real: EvalPerf, the files' own summaries and the combined table") {
  const std::string path = kFormatData + "/evalplus_evalperf";
  if (absent(path)) return;
  const auto results = run(path, "evalplus", "evalperf");
  CHECK(results.size() == 6);
  const FormatTally figures = tally(results);
  CHECK(figures.agree == 36);
  CHECK(figures.differ.empty());
  for (const auto& r : results) CHECK(r.audit.seen == 118);
}

TEST_CASE("formats real: MMLU-Pro, the extractor table of the field study to the digit") {
  if (absent(kFormatData + "/mmlu_pro")) return;
  check_mmlu_row({"DeepSeek-Coder-V2", "53.73", "53.73", "63.97", "55.24", "55.05", "55.51", 15.06, 10351, 43});
  check_mmlu_row({"Meta-Llama-3-70B", "52.01", "27.53", "52.38", "52.70", nullptr, nullptr, 6.77, 12032, 0});
}

TEST_CASE("formats real: MMLU-Pro, the other models of the extractor table", "[.long]") {
  if (absent(kFormatData + "/mmlu_pro")) return;
  check_mmlu_row({"Mixtral-8x7B-v0.1", "39.88", "39.89", "40.35", "40.90", "40.72", "41.12", 10.05, 12032, 0});
  check_mmlu_row({"Mixtral-8x7B-Instruct-v0.1", "41.89", "41.93", "42.50", "43.07", nullptr, nullptr, 11.85, 12032, 0});
  check_mmlu_row({"Qwen1.5-7B-Chat", "26.44", "26.38", "30.35", "28.80", nullptr, nullptr, 23.35, 12032, 0});
}
