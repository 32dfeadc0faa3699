#include "eval/demo.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/progress.h"
#include "eval/compare/compare_runs.h"
#include "eval/compare/similarity_outputs.h"
#include "eval/compare/similarity_weights.h"
#include "eval/cost/bench.h"
#include "eval/cost/cost.h"
#include "eval/inspect.h"
#include "eval/replay/replay.h"
#include "eval/runs/measure.h"
#include "eval/verdicts/verify.h"
#include "reports/export.h"
#include "suites/locate.h"

namespace assay {
namespace {

using DemoClock = std::chrono::steady_clock;

// The fork's stored outputs of demo/claims that are replayed beside fresh ones.
struct StoredFile {
  const char *suite, *protocol, *format;
};
constexpr StoredFile kStored[] = {{"world-mc", "text-0shot", "assay-items"}, {"steps-gen", "cot-3shot", "jsonl"}};

class Demo {
 public:
  Demo(Database& database, Recorder& recorder, const DemoOptions& options, RunOptions run_options, std::string model, std::string fork)
      : database_(database), recorder_(recorder), options_(options), model_(std::move(model)), fork_(std::move(fork)),
        measurer_(recorder, options.engine, std::move(run_options)) {}

  Result<DemoResult> run() {
    const auto begin = DemoClock::now();
    DemoResult result;
    ASSAY_OK(decide(result));
    ASSAY_OK(replay_fork());
    ASSAY_OK(similarity());
    ASSAY_OK(cost());
    if (options_.with_bench) ASSAY_OK(measure_kernels());
    ASSAY_OK(report(result));
    result.seconds = std::chrono::duration<double>(DemoClock::now() - begin).count();
    return result;
  }

 private:
  void say(std::string_view what) const {
    if (!options_.quiet) fmt::print(stderr, "{}\n", what);
  }

  Result<ParameterCounts> count(const std::string& model) {
    ASSAY_TRY(const Json json, inspect_model(model, {}));
    return ParameterCounts{.stored = json["params_stored"].get<std::int64_t>(), .total = json["params_total"].get<std::int64_t>(),
                           .active = json["params_active"].get<std::int64_t>()};
  }

  Status decide(DemoResult& result) {
    say("measuring what the bundled claims speak of");
    ASSAY_TRY(result.claims, gather_claims({"demo"}, &database_));
    VerifyOptions verify{.models = {{"model", model_}, {"model-fp8", fork_}}};
    verify.measure = measurer_.as_measure({{model_, "model"}, {fork_, "model-fp8"}});
    verify.count = [this](const std::string& model) { return count(model); };
    ASSAY_TRY(result.verdicts, verify_claims(recorder_, result.claims, verify));
    for (std::size_t i = 0; i < result.claims.size(); ++i) {
      if (result.claims[i].expected_verdict != name_of(result.verdicts[i].outcome)) result.unexpected.push_back(result.claims[i].id);
    }
    return {};
  }

  Status replay_fork() {
    say("replaying the fork's stored outputs beside fresh ones");
    for (const StoredFile& stored : kStored) {
      ASSAY_TRY(const std::string file, data_path(fmt::format("demo/claims/items-{}-{}-fp8.jsonl", stored.suite, stored.protocol)));
      ReplayOptions replay_options{.format = stored.format, .suite = stored.suite, .protocol = stored.protocol};
      if (std::string_view(stored.format) == "jsonl") replay_options.fields = {.id = "id", .output = "text"};
      ASSAY_TRY(const std::vector<ReplayResult> replayed, replay({file}, replay_options, &recorder_));
      ASSAY_TRY(const std::int64_t fresh, measurer_.run(fork_, stored.suite, stored.protocol, "model-fp8"));
      ASSAY_TRY(const std::int64_t original, measurer_.run(model_, stored.suite, stored.protocol, "model"));
      for (const ReplayResult& one : replayed) {
        if (one.run_id) ASSAY_OK(compare(*one.run_id, fresh));
      }
      ASSAY_OK(compare(original, fresh));
    }
    return {};
  }

  Status compare(std::int64_t a, std::int64_t b) {
    ASSAY_TRY(const RunComparison comparison, compare_runs(database_, a, b, options_.seed));
    return record_comparison(database_, comparison);
  }

  Result<OutputSet> outputs_of(const std::string& model, const std::string& name) {
    ASSAY_TRY(const std::int64_t run, measurer_.run(model, "steps-gen", "cot-3shot", name));
    ASSAY_TRY(Statement rows, database_.prepare("SELECT i.key, s.output FROM main.sample s JOIN main.item_result x ON x.id = s.item_result_id "
                                                "JOIN main.item i ON i.id = x.item_id WHERE x.run_id = ?1 AND s.sample_index = 0"));
    rows.with(run);
    OutputSet set{.model = name};
    for (;;) {
      ASSAY_TRY(const bool row, rows.next());
      if (!row) return set;
      set.answers[rows.text(0)] = rows.text(1);
    }
  }

  Status similarity() {
    say("holding weights and outputs against each other");
    ThreadPool pool(options_.engine.threads);
    ASSAY_TRY(const auto weights, similarity_of_weights(model_, fork_, {.seed = options_.seed}, pool));
    for (const WeightSimilarity& one : weights) ASSAY_OK(record_weight_similarity(database_, one));
    ASSAY_TRY(OutputSet original, outputs_of(model_, "model"));
    ASSAY_TRY(OutputSet fork, outputs_of(fork_, "model-fp8"));
    // No panel of unrelated models is bundled, so this says INCONCLUSIVE: an honest answer of the tool to a question without a null.
    ASSAY_TRY(const auto outputs, compare_outputs({std::move(original), std::move(fork)}, std::nullopt));
    return record_output_similarity(database_, outputs);
  }

  Status cost() {
    say("recomputing DeepSeek-V3's training bill");
    ASSAY_TRY(const std::string path, data_path("cost/deepseek-v3.json"));
    ASSAY_TRY(const Json document, read_json_file(path));
    ASSAY_TRY(const std::vector<Price> book, bundled_prices());
    ASSAY_TRY(const Bill bill, check_bill(document, book, path));
    ASSAY_OK(record_bill(database_, bill));
    return {};
  }

  Status measure_kernels() {
    say("measuring kernels");
    ASSAY_TRY(const BenchReport bench_report, bench({.threads = options_.engine.threads, .quick = true, .quiet = true}));
    return store_bench(database_, bench_report);
  }

  Status report(DemoResult& result) {
    if (options_.out.empty()) return {};
    say("writing the report");
    std::error_code fault;
    std::filesystem::create_directories(options_.out, fault);
    if (fault) return Error{.code = Code::io, .message = "the folder for the report cannot be made", .file = options_.out, .got = fault.message()};
    ASSAY_TRY(const std::vector<ReportFile> files, render_report(database_, "html"));
    for (const ReportFile& file : files) {
      result.files.push_back((std::filesystem::path(options_.out) / file.name).string());
      ASSAY_OK(write_file_atomic(result.files.back(), file.bytes));
    }
    return {};
  }

  Database& database_;
  Recorder& recorder_;
  const DemoOptions& options_;
  std::string model_, fork_;
  Measurer measurer_;
};

}  // namespace

Result<DemoResult> run_demo(Database& database, const DemoOptions& options) {
  ASSAY_TRY(Recorder recorder, Recorder::open(database));
  ASSAY_TRY(std::string model, data_path("demo/model"));
  ASSAY_TRY(std::string fork, data_path("demo/model-fp8"));
  RunOptions run_options{.seed = options.seed, .quiet = options.quiet};
  ASSAY_OK(price_run(database, run_options));
  return Demo(database, recorder, options, run_options, std::move(model), std::move(fork)).run();
}

}  // namespace assay
