// `assay logits --explain`: whose reading of the formulas gives these logits?
#include <nlohmann/json.hpp>

#include "eval/compare/explain.h"
#include "reference/model/conventions.h"
#include "tests/command.h"
#include "tests/golden/explain_models.h"
#include "tests/golden/hf_cases.h"

using namespace assay;

namespace {

Explanation explained(ExplainJob job) {
  job.engine.threads = 2;
  auto out = explain(job);
  if (!out.ok()) FAIL(out.error().text());
  return std::move(*out);
}

// The switches behind a stored reading, as ORACLES.md describes it.
std::vector<std::string> switches_of(const std::string& name, const std::string& reading) {
  if (reading == "logits_zero_mask") return {"closed-groups=zero"};
  if (reading == "logits_vl2") return {"topk-weights=divided-by-sum"};
  if (reading == "logits_bottom_window") return {"window-layers=below"};
  if (reading == "logits") return {};
  if (name == "olmoe-clip") return {"clip-qkv=after-norm"};
  if (name == "deepseek_v2-normtopk") return {"topk-weights=as-scored"};  // no rope scaling there
  return {"yarn-gain=transformers", "topk-weights=as-scored"};
}

std::vector<float> as_floats(const std::vector<double>& x) { return {x.begin(), x.end()}; }
std::vector<std::uint16_t> as_bf16(const std::vector<double>& x) {
  std::vector<std::uint16_t> out;
  for (const double each : x) out.push_back(round_bf16(static_cast<float>(each)));
  return out;
}

// All logits of one prompt of a variant under a convention, from the f64 oracle through the command line.
void write_logits(const std::string& model, const Scratch& scratch, const std::string& ids,
                  const std::string& out, const std::vector<std::string>& switches) {
  scratch.write("ids.json", ids);
  std::vector<std::string> arguments = {"logits", model, "--ids", "ids.json", "--out", out, "--oracle"};
  for (const std::string& each : switches) arguments.insert(arguments.end(), {"--convention", each});
  const auto ran = run_assay(arguments, scratch.path());
  INFO(ran.err);
  REQUIRE(ran.code == 0);
}

const std::string kIds =
    "[[7, 3, 11, 60, 22, 9, 41, 5, 17, 2, 33, 12, 8, 19, 4, 50, 1, 28, 36, 6, 13, 44, 10, 31, 25, 14]]";

}  // namespace

TEST_CASE("explain: every stored reading that differs is told, in the fewest switches") {
  if (!hf::present()) return;
  int told = 0;
  for (const std::string& name : hf::kVariants) {
    const auto meta = read_json_file(hf::kRoot + "/" + name + "/cases.json");
    REQUIRE(meta.ok());
    for (const Json& convention : (*meta)["conventions"]) {
      const auto reading = convention["reading"].get<std::string>();
      if (reading == "logits" || convention["tensors"].is_null()) continue;
      DYNAMIC_SECTION(name << " " << reading) {
        const Explanation e = explained({.model = hf::kRoot + "/" + name,
                                         .other_path = hf::kRoot + "/" + name + "/cases.safetensors",
                                         .reading = reading});
        INFO(to_text(e));
        REQUIRE(e.told());
        auto got = e.fitting[0].switches, expected = switches_of(name, reading);
        std::sort(got.begin(), got.end());
        std::sort(expected.begin(), expected.end());
        CHECK(got == expected);
        CHECK(e.fitting[0].max_abs <= 1e-9 * e.largest_logit);
        CHECK(e.fitting[0].argmax_same == e.positions);
        CHECK_FALSE(e.tried[0].fits);
      }
      ++told;
    }
  }
  CHECK(told >= 6);
}

TEST_CASE(
    "explain: the authors' logits are told as published (every third variant; the oracle's test has all)") {
  if (!hf::present()) return;
  for (std::size_t i = 0; i < hf::kVariants.size(); i += 3) {
    const std::string& name = hf::kVariants[i];
    const Explanation e = explained(
        {.model = hf::kRoot + "/" + name, .other_path = hf::kRoot + "/" + name + "/cases.safetensors"});
    INFO(name << "\n" << to_text(e));
    REQUIRE(e.told());
    CHECK(e.fitting[0].switches.empty());
    CHECK(e.fitting[0].max_abs <= 1e-9 * e.largest_logit);
  }
}

TEST_CASE("explain: published references that carry a deviation are refused as published and told with it") {
  for (const other::Fixture& fixture : other::kFixtures) {
    if (!other::present(fixture)) continue;
    DYNAMIC_SECTION(fixture.weights) {
      const Scratch scratch;
      other::unpack(fixture, scratch);
      const Explanation e = explained({.model = scratch / "model",
                                       .ids_path = scratch / "ids.json",
                                       .other_path = scratch / "other.safetensors"});
      INFO(to_text(e));
      CHECK_FALSE(e.tried[0].fits);
      REQUIRE(e.told());
      CHECK(e.fitting[0].switches == fixture.deviation);
      CHECK(e.fitting[0].max_abs <= 5e-6);  // their float64 keeps float32 parts
    }
  }
}

TEST_CASE("explain: logits rounded to float32 and bfloat16, stacked or not, are told too") {
  if (!hf::present()) return;
  const std::string model = hf::kRoot + "/deepseek_v2-lite";
  const Scratch scratch;
  const std::vector<std::string> switches = {"yarn-softmax-scale=plain"};
  write_logits(model, scratch, kIds, "f64.safetensors", switches);
  const auto file = Checkpoint::open(scratch / "f64.safetensors");
  REQUIRE(file.ok());
  const TensorView* view = file->find("logits.0");
  REQUIRE(view);
  const auto values = hf::values<double>(*file, "logits.0");
  const auto floats = as_floats(values);
  const auto codes = as_bf16(values);
  std::vector<std::int64_t> stacked = view->shape;
  stacked.insert(stacked.begin(), 1);
  REQUIRE(
      write_safetensors(scratch / "f32.safetensors", std::vector{tensor_out("logits", view->shape, floats)})
          .ok());
  REQUIRE(
      write_safetensors(scratch / "stacked.safetensors", std::vector{tensor_out("logits", stacked, floats)})
          .ok());
  REQUIRE(write_safetensors(scratch / "bf16.safetensors",
                            std::vector{tensor_out_bf16("logits.0", view->shape, codes)})
              .ok());
  double last = 0;
  for (const char* name : {"f64.safetensors", "f32.safetensors", "stacked.safetensors", "bf16.safetensors"}) {
    const Explanation e =
        explained({.model = model, .ids_path = scratch / "ids.json", .other_path = scratch / name});
    INFO(name << "\n" << to_text(e));
    REQUIRE(e.told());
    CHECK(e.fitting[0].switches == switches);
    CHECK(e.tolerance > 0.999 * last);  // less precision allows more; f32 rounds the spread a little
    last = e.tolerance;
  }
}

TEST_CASE(
    "explain: what no reading gives is said, with the closest; the f32 engine explains what the oracle "
    "does") {
  if (!hf::present()) return;
  const std::string model = hf::kRoot + "/deepseek_v2-lite";
  const Scratch scratch;
  write_logits(model, scratch, kIds, "other.safetensors", {"yarn-softmax-scale=plain"});
  const auto file = Checkpoint::open(scratch / "other.safetensors");
  REQUIRE(file.ok());
  auto values = hf::values<double>(*file, "logits.0");
  values[values.size() - 1] += 0.01;
  const std::vector<std::int64_t> shape = file->find("logits.0")->shape;
  REQUIRE(write_safetensors(scratch / "moved.safetensors", std::vector{tensor_out("logits.0", shape, values)})
              .ok());
  const auto moved = run_assay(
      {"logits", model, "--ids", "ids.json", "--explain", "moved.safetensors", "--max-tries", "60", "--json"},
      scratch.path());
  CHECK(moved.code == 4);
  const auto json = parse_json(moved.out, "stdout");
  REQUIRE(json.ok());
  CHECK((*json)["told"] == false);
  CHECK((*json)["answer"].is_null());
  CHECK((*json)["closest"]["conventions"] == Json{{"yarn-softmax-scale", "plain"}});
  CHECK((*json)["closest"]["max_abs"].get<double>() == Approx(0.01).epsilon(1e-6));
  CHECK((*json)["stopped_early"] == true);

  const auto wide = run_assay(
      {"logits", model, "--ids", "ids.json", "--explain", "moved.safetensors", "--tolerance", "0.02"},
      scratch.path());
  CHECK(wide.code == 0);
  CHECK(wide.out.find("yarn-softmax-scale=plain: largest difference 0.01") != std::string::npos);
  CHECK(wide.out.find("mscale(mscale_all_dim)") != std::string::npos);  // the source is named
}

TEST_CASE("explain: a tied model whose file holds another head is told as one that uses it") {
  if (!hf::present()) return;
  const std::string tied = hf::kRoot + "/qwen3-tied";
  const auto config = read_model_config(tied + "/config.json");
  REQUIRE(config.ok());
  REQUIRE(config->tie_word_embeddings);
  other::Copy copy(tied + "/model.safetensors");
  std::vector<float> head(static_cast<std::size_t>(config->vocab_size * config->hidden_size));
  for (std::size_t i = 0; i < head.size(); ++i)
    head[i] = static_cast<float>(static_cast<int>(i * 7919 % 201) - 100) / 400;
  copy.append("lm_head.weight", {config->vocab_size, config->hidden_size}, head);
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "model");
  copy.write(scratch / "model/model.safetensors");
  std::filesystem::copy(tied + "/config.json", scratch / "model/config.json");
  write_logits(scratch / "model", scratch, kIds, "own.safetensors", {"head=own"});
  write_logits(scratch / "model", scratch, kIds, "tied.safetensors", {});
  const Explanation own = explained({.model = scratch / "model",
                                     .ids_path = scratch / "ids.json",
                                     .other_path = scratch / "own.safetensors"});
  REQUIRE(own.told());
  CHECK(own.fitting[0].switches == std::vector<std::string>{"head=own"});
  const Explanation published = explained({.model = scratch / "model",
                                           .ids_path = scratch / "ids.json",
                                           .other_path = scratch / "tied.safetensors"});
  REQUIRE(published.told());
  CHECK(published.fitting[0].switches.empty());
}
