// Task files of lm-evaluation-harness: YAML as PyYAML reads it, Python's lists, and everything that is refused by its name.
#include <nlohmann/json.hpp>

#include "suites/tasks/task_import.h"

#include "suites/suite.h"
#include "suites/tasks/task_docs.h"
#include "suites/tasks/task_yaml.h"
#include "tests/catch.h"
#include "tests/scratch.h"

namespace {

using namespace assay;

constexpr const char* kRows = R"({"q": "2 + 2?", "a": 4, "g": 1, "options": ["3", "4"]}
{"q": "1 + 1?", "a": 2, "g": 0, "options": ["2", "5"], "extra": "x"}
)";
constexpr const char* kChoice = "task: sums\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\ndoc_to_text: '{{q}}'\ndoc_to_target: g\n";
constexpr const char* kTask = "task: sums\ndataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\ntest_split: test\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n";

Result<ImportedTask> import_text(const Scratch& scratch, const std::string& yaml, std::optional<std::int64_t> shots = {}) {
  scratch.write("rows.jsonl", kRows);
  return import_task({.task = scratch.write("t.yaml", yaml), .out = scratch / "t.suite.json", .items = {}, .fewshot = {}, .num_fewshot = shots});
}

}  // namespace

TEST_CASE("task yaml: scalars as PyYAML types them") {
  const std::string text =
      "a: yes\nb: 'yes'\nc: 12\nd: \"12\"\ne: 1.5\nf: 1e3\ng: ~\nh:\ni: -3\nj: 012\nk: |\n  two\n  lines\nl: off\nm: .5\nn: [1, x]\no: {p: {q: True}}\nr: +7\n";
  const auto task = parse_task_yaml(text, "t.yaml");
  REQUIRE(task.ok());
  CHECK(*task == Json::parse(R"({"a": true, "b": "yes", "c": 12, "d": "12", "e": 1.5, "f": "1e3", "g": null, "h": null, "i": -3, "j": "012",
    "k": "two\nlines\n", "l": false, "m": 0.5, "n": [1, "x"], "o": {"p": {"q": true}}, "r": 7})"));
}

TEST_CASE("task yaml: what is refused") {
  const std::tuple<const char*, Code, const char*> cases[] = {
      {"a: !function utils.f\n", Code::unsupported, "a"},
      {"m: [{process: {f: !function utils.g}}]\n", Code::unsupported, "m.0.process.f"},
      {"a: !!python/object:os.system {}\n", Code::unsupported, "a"},
      {"a: 1\na: 2\n", Code::duplicate, "a"},
      {"- a\n", Code::bad_value, ""},
      {"a: [1\n", Code::bad_value, ""},
      {"a: &x [*x]\n", Code::too_large, ""},
      {"", Code::bad_value, ""},
  };
  for (const auto& [text, code, field] : cases) {
    INFO(text);
    const auto task = parse_task_yaml(text, "t.yaml");
    REQUIRE_FALSE(task.ok());
    CHECK(task.error().code == code);
    if (*field != 0) CHECK(task.error().field == field);
  }
  CHECK_FALSE(parse_task_yaml(std::string(3000, '['), "t.yaml").ok());
  std::string laughs = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + ", *a" + std::to_string(i - 1) + "]\n";
  const auto bomb = parse_task_yaml(laughs, "t.yaml");
  REQUIRE_FALSE(bomb.ok());
  CHECK(bomb.error().code == Code::too_large);
}

TEST_CASE("task yaml: includes lie under the task's own members, and end") {
  const Scratch scratch;
  scratch.write("base.yaml", "a: 1\nb: 2\ninclude: deeper.yaml\n");
  scratch.write("deeper.yaml", "c: 3\na: 0\n");
  const auto task = read_task_yaml(scratch.write("t.yaml", "include: base.yaml\nb: own\n"));
  REQUIRE(task.ok());
  CHECK(task->at("a") == 1);
  CHECK(task->at("b") == "own");
  CHECK(task->at("c") == 3);
  CHECK_FALSE(task->contains("include"));
  const auto loop = read_task_yaml(scratch.write("loop.yaml", "include: loop.yaml\n"));
  REQUIRE_FALSE(loop.ok());
  CHECK(loop.error().code == Code::too_large);
  CHECK(read_task_yaml(scratch.write("gone.yaml", "include: nowhere.yaml\n")).error().code == Code::not_found);
}

TEST_CASE("task docs: lists as Python prints them") {
  const std::pair<const char*, const char*> good[] = {
      {"['a', \"b's\"]", R"(["a", "b's"])"}, {"[]", "[]"},       {" [ 'x' , ] ", R"(["x"])"}, {R"(['\'', '\\', '\n', '\x41', '\u00e9', '\U0001F600'])", R"(["'", "\\", "\n", "A", "é", "😀"])"},
      {"[1, -2.5]", "[1, -2.5]"},            {"['é']", R"(["é"])"}};
  for (const auto& [text, expected] : good) {
    INFO(text);
    const auto list = parse_python_list(text);
    REQUIRE(list);
    CHECK(Json(*list) == Json::parse(expected));
  }
  for (const char* bad : {"", "'a'", "['a'", "['a' 'b']", "['a',,]", "[a]", "['\\ud800']", "['\\x4']", "['a'] x", "[,]", "['\\q']", "['a"}) {
    INFO(bad);
    CHECK_FALSE(parse_python_list(bad));
  }
}

TEST_CASE("task import: a generation task without filters is judged as it stands") {
  const Scratch scratch;
  const auto task = import_text(scratch, kTask);
  INFO((task.ok() ? std::string() : task.error().text()));
  REQUIRE(task.ok());
  CHECK(task->n == 2);
  CHECK(task->protocols == std::vector<std::string>{"none"});
  const auto suite = load_suite(task->suite);
  REQUIRE(suite.ok());
  const Protocol& p = suite->main_protocol();
  CHECK(p.stops == std::vector<std::string>{"\n\n"});
  CHECK(p.max_tokens == 256);
  CHECK(p.equality == "exact");
  CHECK(p.extractors[0].function == "whole");
  CHECK(suite->items[0].question == "2 + 2?");
  CHECK(suite->items[1].gold == "2");
}

TEST_CASE("task import: what has no equal here is refused by its name") {
  const std::string base = kTask;
  const std::pair<std::string, const char*> cases[] = {
      {base + "process_results: !function u.f\n", "process_results"},
      {base + "metric_list: [{metric: bleu}]\n", "metric_list"},
      {base + "metric_list: [{metric: exact_match, weight: 2}]\n", "metric_list.weight"},
      {base + "metric_list: [{metric: exact_match, aggregation: median}]\n", "metric_list"},
      {base + "filter_list: [{name: m, filter: [{function: majority_vote}]}]\n", "filter_list"},
      {base + "filter_list: [{name: m, filter: [{function: regex, group_select: 2}]}]\n", "filter_list"},
      {base + "filter_list: [{name: m, filter: [{function: regex}, {function: regex}]}]\n", "filter_list"},
      {base + "generation_kwargs: {num_beams: 4}\n", "generation_kwargs.num_beams"},
      {base + "generation_kwargs: {until: [3]}\n", "generation_kwargs.until"},
      {base + "output_type: loglikelihood\n", "output_type"},
      {base + "output_type: multiple_choice\n", "doc_to_choice"},
      {base + "output_type: multiple_choice\ndoc_to_choice: ['x', 'y']\n", "doc_to_target"},
      {base + "use_prompt: promptsource\n", "use_prompt"},
      {base + "surprise: 1\n", "surprise"},
      {base + "gen_prefix: '{{q}}'\n", "gen_prefix"},
      {base + "num_fewshot: 1\nfewshot_config: {sampler: balanced}\n", "fewshot_config.sampler"},
      {base + "num_fewshot: 1\nfewshot_config: {fewshot_indices: [1]}\n", "fewshot_config.fewshot_indices"},
      {base + "num_fewshot: -1\n", "num_fewshot"},
      {"task: [a, b]\n", "task"},
      {"task: t\ndoc_to_text: a\n", "test_split"},
      {"task: t\ndataset_path: openai/gsm8k\ntest_split: test\ndoc_to_text: a\n", "dataset_path"},
  };
  for (const auto& [yaml, field] : cases) {
    INFO(yaml);
    const Scratch scratch;
    const auto task = import_text(scratch, yaml);
    REQUIRE_FALSE(task.ok());
    CHECK(task.error().field == field);
    CHECK_FALSE(task.error().message.empty());
  }
}

TEST_CASE("task import: choices by template, sampling, examples of the task's own") {
  const Scratch scratch;
  const std::string yaml = std::string(kChoice) + "output_type: multiple_choice\ndoc_to_choice: '{{options}}'\nmetric_list: [{metric: acc_norm}, {metric: mcc}, {metric: acc}]\n";
  const auto task = import_text(scratch, yaml);
  INFO((task.ok() ? std::string() : task.error().text()));
  REQUIRE(task.ok());
  CHECK(task->protocols == std::vector<std::string>{"acc_norm", "acc"});
  CHECK(task->notes.size() == 1);
  const auto suite = load_suite(task->suite);
  REQUIRE(suite.ok());
  CHECK(suite->main_protocol().normalisation == Normalisation::chars);
  CHECK(suite->items[0].gold_index == 1);
  CHECK(suite->find_protocol("acc")->metrics.front() == "acc");
  const auto sampled = import_text(scratch, std::string(kTask) + "generation_kwargs: {do_sample: true, temperature: 0.7, top_p: 0.9}\nnum_fewshot: 2\nfewshot_config:\n  sampler: first_n\n  samples: [{q: s, a: 1}, {q: t, a: 2}]\n");
  INFO((sampled.ok() ? std::string() : sampled.error().text()));
  REQUIRE(sampled.ok());
  const auto loaded = load_suite(sampled->suite);
  REQUIRE(loaded.ok());
  CHECK(loaded->main_protocol().sampling.temperature == 0.7);
  CHECK(loaded->main_protocol().sampling.top_p == 0.9);
  CHECK(loaded->fewshot.size() == 2);
}
