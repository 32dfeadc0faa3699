// Runs as lm-evaluation-harness's own files: what is written is read back by the importer with the same verdicts, names and layout are those
// that its readers look for, and what cannot be exported is refused.
#include "eval/runs/export_lm_eval.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "eval/runs/record.h"
#include "tests/format_fixture.h"

namespace {

using namespace assay;
using namespace assay::formats;
namespace fs = std::filesystem;

std::string fixture(const std::string& task) {
  for (const auto& entry : fs::directory_iterator(ASSAY_TREE "/tests/golden/data/formats/lm-eval")) {
    if (entry.path().filename().string().starts_with("samples_" + task + "_")) return entry.path().string();
  }
  return {};
}

// A replay that is kept in a database: its result, with the run's number.
ReplayResult record(Database& database, const std::string& path, const std::string& suite, const std::string& protocol) {
  auto recorder = Recorder::open(database);
  REQUIRE(recorder.ok());
  ReplayOptions options;
  options.format = "lm-eval";
  options.suite = suite;
  options.protocol = protocol;
  auto results = replay({path}, options, &*recorder);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  REQUIRE(results->front().run_id);
  return std::move(results->front());
}

std::vector<Json> lines_of(const std::string& path) {
  std::istringstream file(read_file(path).value());
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("export lm-eval: a run comes back from its own files with the same verdicts") {
  const std::tuple<const char*, const char*, const char*, const char*> cases[] = {
      {"w_mc", "world-mc", "text-0shot", "acc"}, {"w_mc", "world-mc", "textnorm-0shot", "acc_char"}, {"s_gen", "steps-gen", "cot-3shot", "exact_match,cot-3shot"},
      {"s_rep", "steps-gen", "cot-0shot", ""}, {"t_bpb", "tales-bpb", "", "bits_per_byte"}};
  for (const auto& [task, suite, protocol, value] : cases) {
    INFO(task << " " << protocol);
    const Scratch scratch;
    auto database = Database::create(scratch / "a.db");
    REQUIRE(database.ok());
    const ReplayResult before = record(*database, fixture(task), suite, protocol);
    const auto written = export_lm_eval(*database, {.run = *before.run_id, .out = scratch / "out", .suite = {}, .data_dir = {}});
    INFO((written.ok() ? std::string() : written.error().text()));
    REQUIRE(written.ok());
    CHECK(written->n == 12);
    const ReplayResult after = replay_one(written->samples, "lm-eval", suite, before.protocol);
    CHECK(after.verdicts == before.verdicts);
    CHECK(after.model == before.model);
    REQUIRE(after.metrics.size() >= 1);
    for (std::size_t i = 0; i < after.metrics.size(); ++i) CHECK(after.metrics[i].value == before.metrics[i].value);
    if (*value != 0) CHECK(own(after, value) == "12/12");
    for (const auto& figure : after.published) CHECK(figure.agrees);
  }
}

TEST_CASE("export lm-eval: names, members and digests as the harness has them") {
  const Scratch scratch;
  auto database = Database::create(scratch / "a.db");
  REQUIRE(database.ok());
  const ReplayResult run = record(*database, fixture("w_mc"), "world-mc", "text-0shot");
  const auto written = export_lm_eval(*database, {.run = *run.run_id, .out = scratch / "out", .suite = {}, .data_dir = {}});
  REQUIRE(written.ok());
  const std::string file = fs::path(written->samples).filename().string();
  CHECK(fs::path(written->samples).parent_path().filename() == "demo__model");
  CHECK(file.starts_with("samples_world-mc_text-0shot_20"));
  CHECK(fs::path(written->results).filename().string() == "results_" + file.substr(file.rfind('_') + 1, file.size() - file.rfind('_') - 2));
  const Json theirs = lines_of(fixture("w_mc")).front(), ours = lines_of(written->samples).front();
  for (const char* member : {"doc_id", "target", "resps", "filter", "acc", "acc_norm", "acc_bytes", "prompt_hash", "target_hash"}) {
    INFO(member);
    if (std::string_view(member) == "resps") {
      for (std::size_t i = 0; i < 4; ++i) CHECK(ours["resps"][i][0][0] == theirs["resps"][i][0][0]);
    } else {
      CHECK(ours.at(member) == theirs.at(member));
    }
  }
  for (const char* argument : {"gen_args_0", "gen_args_3"}) CHECK(ours["arguments"][argument] == theirs["arguments"][argument]);
  CHECK(ours["doc"]["options"] == theirs["doc"]["options"]);
  const Json results = read_json_file(written->results).value();
  const Json& values = results["results"]["world-mc_text-0shot"];
  CHECK(values["acc,none"].get<double>() == Approx(11.0 / 12));
  CHECK(values["acc_stderr,none"].get<double>() == Approx(0.08333333333333333));
  CHECK(results["n-samples"]["world-mc_text-0shot"]["effective"] == 12);
  for (const char* member : {"configs", "versions", "n-shot", "higher_is_better", "task_hashes", "group_subtasks", "model_name"}) CHECK(results.contains(member));
}

TEST_CASE("export lm-eval: refusals") {
  const Scratch scratch;
  auto database = Database::create(scratch / "a.db");
  REQUIRE(database.ok());
  const ReplayResult run = record(*database, fixture("w_mc"), "world-mc", "text-0shot");
  CHECK(export_lm_eval(*database, {.run = *run.run_id + 7, .out = scratch / "out", .suite = {}, .data_dir = {}}).error().code == Code::not_found);
  CHECK(export_lm_eval(*database, {.run = *run.run_id, .out = scratch / "out", .suite = "steps-gen", .data_dir = {}}).error().code == Code::digest_changed);
  scratch.write("file", "");
  CHECK(export_lm_eval(*database, {.run = *run.run_id, .out = scratch / "file", .suite = {}, .data_dir = {}}).error().code == Code::io);
  REQUIRE(database->run("UPDATE run SET status = 'interrupted'").ok());
  CHECK(export_lm_eval(*database, {.run = *run.run_id, .out = scratch / "out", .suite = {}, .data_dir = {}}).error().code == Code::bad_value);
}
