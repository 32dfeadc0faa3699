// Files that the tools themselves wrote: lm-evaluation-harness 0.4.13 on the bundled model (tests/golden/data/tasks has such tasks; --limit 12,
// --log_samples), Inspect AI 0.3.285 with its mock model, and EvalPlus 0.3.1 on two problems of our own, re-scored. Every value that the tool stored for an output, and every figure that it
// printed, must be ours.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "eval/replay/stored.h"
#include "suites/tasks/task_import.h"
#include "tests/format_fixture.h"

namespace {

using namespace assay;
using namespace assay::formats;

const std::string kFormats = ASSAY_TREE "/tests/golden/data/formats";

std::string samples_of(const std::string& task) {
  for (const auto& entry : std::filesystem::directory_iterator(kFormats + "/lm-eval")) {
    if (entry.path().filename().string().starts_with("samples_" + task + "_")) return entry.path().string();
  }
  FAIL("no samples of " + task);
  return {};
}

// As many figures as expected, all of them agreeing.
void check_reported(const ReplayResult& r, std::size_t n) {
  CHECK(r.published.size() == n);
  for (const auto& figure : r.published) {
    INFO(figure.metric << " " << figure.published << " " << figure.ours << " " << figure.source);
    CHECK(figure.agrees);
  }
}

}  // namespace

TEST_CASE("formats real: lm-eval multiple choice, four normalisations flag by flag") {
  for (const char* protocol : {"text-0shot", "textnorm-0shot"}) {
    const auto r = replay_one(samples_of("w_mc"), "lm-eval", "world-mc", protocol);
    INFO(protocol);
    CHECK(r.model == "demo/model");
    CHECK(r.audit.seen == 12);
    CHECK(r.audit.malformed == 0);
    CHECK(own(r, "acc") == "12/12");
    CHECK(own(r, "acc_char") == "12/12");
    CHECK(own(r, "acc_byte") == "12/12");
    CHECK(own(r, "acc_uncond") == "12/12");
    REQUIRE(r.flags);
    CHECK(r.flags->agree == 12);
    CHECK(r.flags->flagged_right == 11);
    check_reported(r, 3);
  }
}

TEST_CASE("formats real: lm-eval generations under two filters, judged by the protocols that its task gives") {
  const Scratch scratch;
  const auto task = import_task({.task = ASSAY_TREE "/tests/golden/data/tasks/steps_first.yaml", .out = scratch / "s.suite.json",
                                 .items = ASSAY_TREE "/suites/data/demo/suites/steps-gen.jsonl", .fewshot = {}, .num_fewshot = {}});
  INFO((task.ok() ? std::string() : task.error().text()));
  REQUIRE(task.ok());
  const auto results = replay_all(samples_of("s_gen"), "lm-eval", task->suite, "all");
  REQUIRE(results.size() == 2);
  for (const auto& r : results) {
    CHECK(r.audit.seen == 12);
    CHECK(own(r, "exact_match," + r.protocol) == "12/12");
    check_reported(r, 1);
  }
}

TEST_CASE("formats real: lm-eval repeats are samples of one item") {
  const auto r = replay_one(samples_of("s_rep"), "lm-eval", "steps-gen", "cot-0shot");
  CHECK(r.audit.seen == 12);
  CHECK(r.audit.duplicated == 0);
  CHECK(r.audit.malformed == 0);
  const double thirds = metric(r, "accuracy") * 36;
  CHECK(thirds == Approx(std::round(thirds)));
  CHECK(thirds < 36);  // it drew at temperature 0.8
}

TEST_CASE("formats real: lm-eval whole texts in bits per byte") {
  const auto r = replay_one(samples_of("t_bpb"), "lm-eval", "tales-bpb");
  CHECK(r.audit.seen == 12);
  CHECK(own(r, "bits_per_byte") == "12/12");
  CHECK(metric(r, "bits_per_byte") == Approx(0.3572563007414426).margin(0.02));  // the harness sums over all texts
}

TEST_CASE("formats real: Inspect logs as zip of zstd members and as JSON, epochs as samples") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const auto sums = replay_one(kFormats + "/inspect/sums.eval", "inspect", suite);
  CHECK(sums.model == "mockllm/model");
  CHECK(sums.audit.seen == 3);
  CHECK(sums.audit.duplicated == 0);
  CHECK(metric(sums, "accuracy") == Approx(0.5));  // of q1 both, of q2 one epoch
  for (const char* form : {"mc.eval", "mc.json"}) {
    const auto mc = replay_one(kFormats + "/inspect/" + form, "inspect", suite, "letter");
    INFO(form);
    CHECK(mc.audit.seen == 2);
    CHECK(mc.audit.malformed == 0);
    CHECK(metric(mc, "accuracy") == 0.5);
    CHECK(own(mc, "accuracy,choice") == "2/2");
    REQUIRE(mc.flags);
    CHECK(mc.flags->agree == 2);
    check_reported(mc, 1);
  }
}

TEST_CASE("formats real: EvalPlus results and the samples that they judge") {
  const std::string stem = kFormats + "/evalplus/tiny_temp_0.8";
  std::map<std::string, std::vector<StoredOutput>> outputs;
  for (const char* file : {".jsonl", "_eval_results.json"}) {
    const auto counts = read_stored(stem + file, **find_importer("evalplus"), {}, [&](StoredOutput output) -> Status {
      outputs[file].push_back(std::move(output));
      return {};
    });
    REQUIRE(counts.ok());
    CHECK(counts->malformed == 0);
  }
  const auto &samples = outputs[".jsonl"], &results = outputs["_eval_results.json"];
  REQUIRE(samples.size() == 2);
  REQUIRE(results.size() == 2);
  double base = 0, plus = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(samples[i].id == results[i].id);
    REQUIRE(samples[i].samples.size() == 2);
    REQUIRE(results[i].samples.size() == 2);
    base += results[i].values.at(0).second;
    for (std::size_t k = 0; k < 2; ++k) {
      CHECK(samples[i].samples[k].output == results[i].samples[k].output);
      plus += results[i].samples[k].flag == true ? 1 : 0;
    }
  }
  // The tool printed pass@1 0.750 for the base tests and 0.250 for base and extra ones; both problems have two samples.
  CHECK(base / 2 == 0.75);
  CHECK(plus / 4 == 0.25);
}
