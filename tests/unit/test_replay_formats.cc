// Every format of stored outputs in small: what a record becomes, what is refused, and the published figures beside it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eval/replay/replay.h"
#include "tests/catch.h"

namespace {

using namespace assay;
namespace fs = std::filesystem;

class FormatFolder {
 public:
  FormatFolder() {
    static int count = 0;
    path_ = fs::temp_directory_path() / ("assay-formats-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    fs::create_directories(path_);
  }
  ~FormatFolder() { fs::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::vector<ReplayResult> run(const std::string& path, const std::string& format, const std::string& suite, const std::string& protocol = "",
                              Recorder* recorder = nullptr) {
  ReplayOptions options;
  options.format = format;
  options.suite = suite;
  options.protocol = protocol;
  auto results = replay(list_outputs({path}).value(), options, recorder);
  INFO((results.ok() ? std::string() : results.error().text()));
  REQUIRE(results.ok());
  return std::move(results).value();
}

double metric(const ReplayResult& r, std::string_view name) {
  const Metric* found = find_metric(r, name);
  REQUIRE(found != nullptr);
  return found->value;
}

// metric=published/ours, with a star where they disagree.
std::string figures(const ReplayResult& r) {
  std::string out;
  for (const auto& f : r.published) out += f.metric + "=" + f.published + "/" + f.ours + (f.agrees ? " " : "* ");
  return out;
}

std::string mmlu_row(const std::string& id, const std::string& text, const std::string& gold, const std::string& pred) {
  return Json{{"question_id", Json::parse(id)}, {"question", "q" + id}, {"options", {"x", "y"}}, {"answer", gold}, {"category", "law"}, {"pred", pred}, {"generated_text", text}}
      .dump();
}

}  // namespace

TEST_CASE("formats: mmlu-pro, bare strings and all") {
  FormatFolder f;
  const std::string text = "[" + mmlu_row("1", "so the answer is (B).", "B", "B") + ",\n\"a bare string\", " +
                           mmlu_row("2", "Answer: A. The answer is not known, C", "A", "C") + ", " + mmlu_row("3", "the answer is A. the answer is B", "A", "B") +
                           ", {\"question_id\": 4, \"answer\": \"A\"}, {\"no\": \"id\"}, " + mmlu_row("1", "again", "B", "B") + "]";
  const auto path = f.write("model_outputs_Meta-Some-3-70B_5shots.json", text);
  f.write("README.md", "| Model | Overall |\n|---|---|\n| Other | 10.0 |\n| Some-3-70B | 66.9 | \n");
  const auto results = run(path, "mmlu-pro", "mmlu-pro", "all");
  std::map<std::string, const ReplayResult*> by;
  for (const auto& r : results) by[r.protocol] = &r;
  const ReplayResult& own = *by.at("mmlu-pro");
  CHECK(own.model == "Meta-Some-3-70B");
  CHECK(own.audit.expected == 12032);
  CHECK(own.audit.seen == 3);
  CHECK(own.audit.malformed == 3);
  CHECK(own.audit.duplicated == 1);
  CHECK(own.audit.unextractable == 1);
  REQUIRE(own.guess);
  CHECK(own.guess->guessed == 1);
  CHECK(own.guess->low == Approx(2.0 / 3));
  CHECK(own.guess->high == 1);
  CHECK(figures(own).starts_with("accuracy=66.9/"));
  CHECK(own.published[0].agrees);
  CHECK(metric(*by.at("first-match"), "accuracy") == Approx(2.0 / 3));
  CHECK(metric(*by.at("last-match"), "accuracy") == Approx(1.0 / 3));
  CHECK(metric(*by.at("fallback"), "accuracy") == 1);
  CHECK(by.at("fallback")->audit.fallback == 1);
  CHECK(by.at("fallback")->published.empty());
  REQUIRE(own.flags);
  CHECK(own.flags->of == 3);
  CHECK(own.flags->differing == std::vector<std::string>{"3"});
  const Json json = replay_json(results, true);
  const auto told = std::find_if(json.begin(), json.end(), [](const Json& one) { return one["protocol"] == "mmlu-pro"; });
  REQUIRE(told != json.end());
  CHECK((*told)["guess"]["seeds"] == 50);
  CHECK((*told)["sensitivity"]["n_flips"] == 2);
  CHECK(replay_text(results, true).find("letters were drawn for 1 items") != std::string::npos);
}

TEST_CASE("formats: bbh takes what follows the last marker") {
  FormatFolder f;
  const auto output = [](const char* question, const char* prediction, const char* target) {
    return Json{{"input", std::string("Solve.\n\nQ: first\nA: 1\n\nQ: ") + question + "\nA: Let's think."}, {"prediction", prediction}, {"target", target}};
  };
  const Json document = {{"canary", "c"},
                         {"outputs", {output("a", "the answer is 3. So the answer is (B).", "(B)"), output("b", "Valid", "Valid"), output("c", "So the answer is no", "yes"),
                                      {{"input", "x"}, {"target", "y"}}}}};
  const auto path = f.write("some-model/cot/web_of_lies_few_shot_template_0-255000.json", document.dump(1));
  f.write("some-model/cot/web_of_lies_few_shot_template_0-255000_eval_metrics.jsonl", "{\"accuracy\": 66.66666666666667, \"accuracy_with_calc\": 70}");
  const auto r = run(path, "bbh", "bbh")[0];
  CHECK(r.model == "some-model/cot");
  CHECK(r.audit.seen == 3);
  CHECK(r.audit.malformed == 1);
  CHECK(figures(r) == "accuracy=66.66666666666667/66.66666666666666 ");
  CHECK(r.verdicts[0] == std::pair<std::string, std::optional<bool>>("web_of_lies/0", true));
  f.write("some-model/cot/web_of_lies_few_shot_template_0-255000_eval_metrics.jsonl", "{\"accuracy\": 66.7}");
  CHECK(figures(run(path, "bbh", "bbh")[0]).ends_with("* "));
  CHECK(list_outputs({f.path()})->size() == 1);
}

TEST_CASE("formats: misguided-attention in its three forms") {
  FormatFolder f;
  f.write("published_average_scores.txt", "a-model\t0.375\nb-model\t0.900\n");
  const auto scores = f.write("scores/detailed_evaluations_x.json",
                              R"({"p1": {"a-model": [{"total_score": 1.0, "met": [true, true]}, {"total_score": 0.5, "met": [true, false]}]},
      "p2": {"a-model": [{"total_score": 0.0, "met": [false]}], "b-model": [{"total_score": 1}]}, "p3": {"b-model": [{"total_score": 7}]}, "p4": {"b-model": []}})");
  const auto results = run(scores, "misguided-attention", "misguided-attention");
  REQUIRE(results.size() == 2);
  CHECK(figures(results[0]) == "accuracy=0.375/0.375 ");
  CHECK(figures(results[1]) == "accuracy=0.900/1.000* ");
  CHECK(*find_metric(results[0], "accuracy")->se_fixed == Approx(0.125));  // sqrt(0.125 / 2) / 2
  CHECK(results[1].audit.malformed == 2);
  const auto summary = f.write("summary/s.json", R"({"p1": {"a-model": {"average_total_score": 0.75, "num_evaluations": 2}}, "p2": {"a-model": {"average_total_score": 0}}})");
  CHECK(figures(run(summary, "misguided-attention", "misguided-attention")[0]) == "accuracy=0.375/0.375 ");
  const auto outputs = f.write("outputs/o.json", R"({"results": [{"prompt_id": "p1", "prompt": "why?", "llm": "a-model", "output": ["x", "y"]}, {"llm": "a-model"}]})");
  const auto unjudged = run(outputs, "misguided-attention", "misguided-attention")[0];
  CHECK(unjudged.metrics.empty());
  CHECK(unjudged.audit.seen == 1);
  CHECK(unjudged.audit.malformed == 1);
  CHECK_FALSE(unjudged.verdicts[0].second);
}

TEST_CASE("formats: wildbench has the judge's score and the lengths") {
  FormatFolder f;
  f.write("published_score.json", R"({"m": {"score": 4.5, "adjusted_score": -1.0, "avg_len": 2.0, "total": 3}})");
  const auto path = f.write("m.score.json", R"([{"session_id": "a", "score": "3", "model_output": "\u00e9\u00e9"}, {"session_id": "b", "score": 6, "model_output": ""},
      {"session_id": "c", "score": "N/A", "model_output": "x"}, {"session_id": "d", "score": "11", "model_output": "x"}])");
  const auto r = run(path, "wildbench", "wildbench")[0];
  CHECK(r.model == "m");
  CHECK(figures(r) == "score=4.5/4.5 adjusted_score=-1.0/-1 avg_len=2.0/2 total=3/2* ");
  CHECK(r.audit.malformed == 2);
  CHECK(replay_text({r}, false).find("score 4.5000") != std::string::npos);
}

TEST_CASE("formats: cruxeval counts the flags of its samples") {
  FormatFolder f;
  const auto path = f.write("s.json", R"({"raw_generations": {"sample_0": ["1", "2", "3", "4", "5", "6"], "sample_1": ["x", "x", "x", "x", "x", "x"], "sample_2": ["a"]},
      "raw_scored_generations": {"sample_0": [true, false, false, false, false, false], "sample_1": [true, true, true, true, true, true], "sample_2": [true, false]},
      "pass_at_1": 58.33333333333333, "pass_at_5": 91.66666666666666})");
  const auto r = run(path, "cruxeval", "cruxeval")[0];
  CHECK(r.audit.seen == 2);
  CHECK(r.audit.malformed == 1);
  CHECK(r.audit.unextractable == 0);  // nothing was read: the verdicts are the file's
  CHECK(metric(r, "pass@1") == Approx(7.0 / 12));
  CHECK(metric(r, "pass@5") == Approx(11.0 / 12));
  REQUIRE(r.published.size() == 2);
  CHECK(r.published[0].agrees);
  CHECK(r.published[1].agrees);
  const auto plain = run(f.write("g.json", R"_({"sample_0": ["f(1)", "f(2)"]})_"), "cruxeval", "cruxeval")[0];
  CHECK(plain.audit.seen == 1);
  CHECK(plain.metrics.empty());
}

TEST_CASE("formats: evalplus, EvalPerf and plain results") {
  FormatFolder f;
  f.write("published_evalperf_combined.json", R"({"m-1": {"dps": 80.0, "dps_norm": 70.5, "pass@1": 55.0}})");
  const auto path = f.write("m-1_vllm_temp_1.0_evalperf_results.brief.json",
                            R"({"summary": {"dps": 80.0, "dps_norm": 70.0, "pass@1": 55.0}, "eval": {"HumanEval/9": {"dps": 80.0, "dps_norm": 70.0, "pass@1": 100.0,
      "profiled": [{"solution": "def f(): pass", "matching_cluster_idx": 4}]}, "Mbpp/3": {"dps": null, "dps_norm": null, "pass@1": 10.0, "profiled": []}}})");
  const auto r = run(path, "evalplus", "evalperf")[0];
  CHECK(r.model == "m-1");
  CHECK(figures(r) == "dps=80.0/80 dps_norm=70.0/70 pass@1=55.0/55.00000000000001 dps=80.0/80 dps_norm=70.5/70* pass@1=55.0/55.00000000000001 ");
  CHECK(find_metric(r, "dps")->n == 1);
  CHECK(find_metric(r, "pass@1")->n == 2);
  CHECK(r.tasks.size() == 2);
  const auto results = run(f.write("eval_results.json", R"({"hash": "h", "eval": {"HumanEval/0": [{"solution": "a", "base_status": "pass", "plus_status": "fail"},
      {"solution": "b", "base_status": "pass", "plus_status": "pass"}]}})"),
                           "evalplus", "evalperf");
  CHECK(metric(results[0], "pass@1") == 0.5);
  const auto lines = run(f.write("samples.jsonl", "{\"task_id\": \"HumanEval/0\", \"solution\": \"a\"}\n{\"task_id\": \"HumanEval/1\", \"completion\": \"b\"}\n"), "evalplus", "evalperf");
  CHECK(lines[0].audit.seen == 2);
  CHECK(lines[0].metrics.empty());
}

TEST_CASE("formats: samples have rows of their own") {
  FormatFolder f;
  const auto path = f.write("s.json", R"({"raw_generations": {"sample_0": ["1", "2"]}, "raw_scored_generations": {"sample_0": [true, false]}})");
  auto database = Database::create(f.path() + "/r.db");
  REQUIRE(database.ok());
  auto recorder = Recorder::open(*database);
  run(path, "cruxeval", "cruxeval", "", &*recorder);
  auto rows = database->prepare("SELECT group_concat(output || ':' || sample.correct), max(item_result.score), count(item_result.correct) FROM sample JOIN item_result "
                                "ON item_result.id = item_result_id");
  REQUIRE(rows->next().value());
  CHECK(rows->text(0) == "1:1,2:0");
  CHECK(rows->real(1) == 0.5);
  CHECK(rows->integer(2) == 0);
}

TEST_CASE("formats: a cut document gives what stood before the cut") {
  FormatFolder f;
  const auto r = run(f.write("s.json", R"({"p1": {"a": [{"total_score": 1}]}, "p2": {"a": [{"total_sc)"), "misguided-attention", "misguided-attention")[0];
  CHECK(r.audit.seen == 1);
  REQUIRE(r.warnings.size() == 1);
}
