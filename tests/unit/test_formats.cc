// Stored outputs of other harnesses in small: every form that a format has, the audit of what cannot be used, and the harness's own values
// held against ours. Files that the tools themselves wrote are in tests/golden/test_formats_real.cc.
#include "tests/format_fixture.h"

namespace {

using namespace assay;
using namespace assay::formats;

Json helm_state(const std::string& id, const std::string& text, const Json& more = {}) {
  Json state = {{"instance", {{"id", id}, {"input", {{"text", "What is 2 + 2?"}}},
                              {"references", {{{"output", {{"text", "4"}}}, {"tags", {"correct"}}}, {{"output", {{"text", "5"}}}, {"tags", Json::array()}}}}}},
                {"train_trial_index", 0},
                {"request", {{"prompt", "Q: What is 2 + 2?\nA:"}}},
                {"result", {{"success", true}, {"completions", {{{"text", text}, {"logprob", -1.5}, {"finish_reason", {{"reason", "length"}}}}}}}}};
  if (!more.is_null()) state.update(more);
  return state;
}

std::string helm_file(const Json& states) {
  return Json{{"adapter_spec", {{"method", "generation"}, {"model", "maker/model"}}}, {"request_states", states}, {"annotator_specs", nullptr}}.dump(2);
}

// One reference's echo: the prompt's tokens, then " 4" or " 5".
Json echo(const std::string& id, int reference, double logprob, const char* mode = nullptr) {
  Json state = helm_state(id, "");
  state["reference_index"] = reference;
  state["request_mode"] = mode == nullptr ? Json(nullptr) : Json(mode);
  state["result"]["completions"][0]["tokens"] = {{{"text", "A:"}, {"logprob", -9.0}}, {{"text", " "}, {"logprob", -0.5}}, {{"text", reference == 0 ? "4" : "5"}, {"logprob", logprob}}};
  return state;
}

std::string lm_eval_line(int doc, const std::string& filter, const Json& resps, double value) {
  return Json{{"doc_id", doc}, {"doc", {{"question", "q" + std::to_string(doc)}}}, {"target", "7"},
              {"arguments", {{"gen_args_0", {{"arg_0", "Q: q"}, {"arg_1", {{"until", Json::array()}}}}}}},
              {"resps", resps}, {"filtered_resps", {"7"}}, {"filter", filter}, {"exact_match", value}}.dump() + "\n";
}

}  // namespace

TEST_CASE("formats: helm generations, joint choices with their letters, samples and failed requests") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  Json failed = helm_state("id2", "");
  failed["result"] = nullptr;
  const std::string path = scratch.write("scenario_state.json", helm_file({helm_state("id0", "It is 4."), helm_state("id1", "5"), failed, "bare", helm_state("id0", "4")}));
  const auto r = replay_one(path, "helm", suite);
  CHECK(r.model == "maker/model");
  CHECK(r.audit.seen == 2);
  CHECK(r.audit.malformed == 2);   // no result, a bare string
  CHECK(r.audit.duplicated == 1);
  CHECK(r.audit.truncated == 2);
  CHECK(metric(r, "accuracy") == 0.5);
  const Json letters = {{"output_mapping", {{"A", "5"}, {"B", "4"}}}};
  const auto joint = replay_one(scratch.write("joint.json", helm_file({helm_state("id0", " B", letters), helm_state("id1", "A", letters)})), "helm", suite, "letter");
  CHECK(metric(joint, "accuracy") == 0.5);
  CHECK(joint.verdicts[0].second == true);
}

TEST_CASE("formats: helm references are scored by their own tokens, calibrated by those without the question") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const auto plain = replay_one(scratch.write("plain.json", helm_file({echo("id0", 0, -3), echo("id0", 1, -2), echo("id1", 0, -1), echo("id1", 1, -2), echo("id2", 0, -1)})),
                                "helm", suite, "choice");
  CHECK(plain.audit.seen == 2);
  CHECK(plain.audit.malformed == 1);  // id2 lacks a reference
  CHECK(plain.verdicts[0].second == false);
  CHECK(plain.verdicts[1].second == true);
  CHECK(metric(plain, "acc_token") == 0.5);
  const Json states = {echo("id0", 0, -3, "original"), echo("id0", 1, -2, "original"), echo("id0", 0, -8, "calibration"), echo("id0", 1, -2, "calibration")};
  const auto calibrated = replay_one(scratch.write("calibrated.json", helm_file(states)), "helm", suite, "choice");
  REQUIRE(calibrated.verdicts.size() == 1);
  CHECK(calibrated.verdicts[0].second == true);
}

TEST_CASE("formats: opencompass generations, losses of options, and a file that breaks off") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  std::filesystem::create_directories(scratch / "my-model");
  const Json chat = {{{"role", "HUMAN"}, {"prompt", "2 + 2?"}}};
  const Json predictions = {{"0", {{"origin_prompt", chat}, {"prediction", "four: 4"}, {"gold", "4"}}}, {"1", {{"origin_prompt", "x"}, {"prediction", ""}, {"gold", "4"}}},
                            {"2", {{"origin_prompt", "x"}, {"gold", "4"}}}, {"x", {{"prediction", "4"}, {"gold", "4"}}}, {"3", "bare"}, {"4", {{"prediction", {"4", "5"}}, {"gold", 4}}}};
  const std::string text = predictions.dump(4);
  const auto r = replay_one(scratch.write("my-model/sums.json", text), "opencompass", suite);
  CHECK(r.model == "my-model");
  CHECK(r.audit.seen == 3);
  CHECK(r.audit.malformed == 3);
  CHECK(r.audit.unextractable == 1);
  CHECK(metric(r, "accuracy") == 0.5);  // 1, 0, and one of two samples
  const auto cut = replay_one(scratch.write("my-model/cut.json", text.substr(0, text.find("\"2\"") + 20)), "opencompass", suite);
  CHECK(cut.audit.seen == 2);
  CHECK(cut.warnings.size() == 1);
  const Json losses = {{"0", {{"label: A", {{"PPL", 2.5}}}, {"label: B", {{"PPL", 1.5}}}, {"prediction", "B"}, {"gold", "B"}}}, {"1", {{"label: A", {{"PPL", nullptr}}}, {"gold", "A"}}}};
  const auto choice = replay_one(scratch.write("my-model/ppl.json", losses.dump()), "opencompass", suite, "choice");
  CHECK(choice.audit.seen == 1);
  CHECK(choice.audit.malformed == 1);
  CHECK(metric(choice, "acc") == 1);
}

TEST_CASE("formats: evalplus samples and results with their own verdicts") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const auto samples = replay_one(scratch.write("m_temp_0.jsonl", "{\"task_id\": \"T/0\", \"solution\": \"4\"}\n{\"task_id\": \"T/0\", \"completion\": \"5\"}\n{\"solution\": \"4\"}\n"), "evalplus", suite);
  CHECK(samples.audit.seen == 1);  // both samples are of one task; a line without a task is none
  CHECK(samples.audit.duplicated == 0);
  CHECK(samples.verdicts[0].second == std::nullopt);  // no gold: nothing can be judged
  const Json sample = {{"task_id", "T/0"}, {"solution", "4"}, {"base_status", "pass"}, {"plus_status", "fail"}, {"base_fail_tests", Json::array()}};
  const Json results = {{"date", "d"}, {"hash", "h"}, {"eval", {{"T/0", {sample, sample}}, {"T/1", {{{"base_status", "timeout"}, {"solution", "x"}}}}, {"T/2", 5}}}};
  const auto r = replay_one(scratch.write("m_eval_results.json", results.dump()), "evalplus", suite);
  CHECK(r.audit.malformed == 1);
  CHECK(r.verdicts.size() == 2);
}

TEST_CASE("formats: lighteval details as the converter writes them") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const auto row = [](const char* id, const Json& response, const Json& metrics) {
    return Json{{"model", "m"}, {"task", "t"}, {"__doc__", {{"id", id}, {"query", "Which?"}, {"choices", {" red", " blue"}}, {"gold_index", Json::array({1})}}},
                {"__model_response__", response}, {"__metric__", metrics}}.dump() + "\n";
  };
  const std::string text = row("0", {{"logprobs", {-5.0, -2.0}}, {"text", Json::array()}}, {{"acc", 1}, {"acc_norm", 1}}) + row("1", {{"logprobs", {-1.0, -2.0}}}, {{"acc", 0}, {"acc_norm", 1}}) +
                           row("2", {{"logprobs", {-1.0, nullptr}}}, {{"acc", 0}}) + "{\"__doc__\": 1}\n";
  const auto r = replay_one(scratch.write("d.jsonl", text), "lighteval", suite, "choice");
  CHECK(r.audit.seen == 2);
  CHECK(r.audit.malformed == 2);
  CHECK(metric(r, "acc") == 0.5);
  CHECK(own(r, "acc") == "2/2");
  CHECK(own(r, "acc_char") == "1/2");  // -1/3 is above -2/4 for the second, whatever it says
  REQUIRE(r.flags);
  CHECK(r.flags->agree == 2);
  const auto texts = replay_one(scratch.write("g.jsonl", row("0", {{"text", {"blue", "red"}}}, Json::object())), "lighteval", suite, "letter");
  CHECK(texts.audit.seen == 1);
}

TEST_CASE("formats: lm-eval merges filters of one document, keeps repeats as samples, counts what it cannot use") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const std::string text = lm_eval_line(0, "number", {{"is 7"}}, 1) + lm_eval_line(1, "number", {{"8"}}, 0) + lm_eval_line(0, "loose", {{"is 7"}}, 0) +
                           lm_eval_line(2, "number", {{"7", "8", "9"}}, 1) + lm_eval_line(1, "number", {{"7"}}, 1) + lm_eval_line(0, "third", {{"another text"}}, 0) + "\"bare\"\n{\"doc_id\": 9}\n";
  const auto r = replay_one(scratch.write("x.jsonl", text), "lm-eval", suite);
  CHECK(r.audit.seen == 3);
  CHECK(r.audit.duplicated == 1);
  CHECK(r.audit.malformed == 3);  // another text under one more filter, a bare string, no responses
  CHECK(metric(r, "accuracy") == Approx((1 + 0 + 1.0 / 3) / 3));
  CHECK(own(r, "exact_match,number") == "2/2");
  CHECK(own(r, "exact_match,loose").empty());  // no filter of that protocol
  REQUIRE(r.flags);
  CHECK(r.flags->of == 2);
}

TEST_CASE("formats: lm-eval choices in the old and the new form, NaN never wins") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  const auto row = [](int id, const Json& first, const Json& second, const Json& target) {
    return Json{{"doc_id", id}, {"doc", {{"q", "?"}}}, {"target", target}, {"arguments", Json::array({Json::array({"Q:", " red"}), Json::array({"Q:", " blue"})})}, {"resps", Json::array({Json::array({first}), Json::array({second})})},
                {"filter", "none"}, {"acc", 1.0}};
  };
  Json array = {row(0, {-3.5, false}, {-2.5, true}, 1), row(1, {"-3.5", "False"}, {"-2.5", "True"}, "1"), row(2, {"-inf", "False"}, {"-2.5", "True"}, "blue"), row(3, {"nan", "False"}, {"-2.5", "True"}, "1")};
  const auto r = replay_one(scratch.write("old.json", array.dump(1)), "lm-eval", suite, "choice");
  CHECK(r.audit.seen == 3);
  CHECK(r.audit.malformed == 1);
  CHECK(metric(r, "acc") == 1);
  CHECK(own(r, "acc") == "3/3");
}

TEST_CASE("formats: generic lines and tables by dotted fields") {
  const Scratch scratch;
  const std::string suite = write_suite(scratch);
  ReplayOptions options;
  options.format = "jsonl";
  options.suite = suite;
  options.fields = parse_field_map("id=meta.key,output=choices.0.text,gold=answer.value").value();
  const std::string path = scratch.write("a.jsonl", R"({"meta": {"key": "k"}, "choices": [{"text": "so 4"}], "answer": {"value": 4}})" "\n" R"({"meta": {}, "choices": []})" "\n");
  const auto results = replay({path}, options, nullptr);
  REQUIRE(results.ok());
  CHECK(results->front().audit.seen == 1);
  CHECK(results->front().audit.malformed == 1);
  CHECK(metric(results->front(), "accuracy") == 1);
}
