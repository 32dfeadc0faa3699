// Every convention changes something, and both paths change the same.
#include <algorithm>
#include <set>

#include "reference/model/conventions.h"
#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "reference/model/oracle_parts.h"
#include "reference/weights/writer.h"
#include "tests/golden/hf_cases.h"
#include "tests/scratch.h"

using namespace assay;

namespace {

// Between them, these have all that a convention can switch.
const std::vector<std::string> kShown = {"deepseek_v3-fp8",
                                         "deepseek_v3-negative-bias",
                                         "deepseek_v2-group",
                                         "deepseek_v2-normtopk-scaled",
                                         "deepseek_v2-lite",
                                         "deepseek_v2-normtopk",
                                         "granitemoeshared-plain",
                                         "gpt_oss-mxfp4-clamp",
                                         "qwen2-yarn",
                                         "qwen2_moe-plain",
                                         "qwen3-window",
                                         "olmoe-clip",
                                         "llama-headdim",
                                         "mistral-window",
                                         "llama-llama3rope"};
constexpr std::size_t kCase = 3;  // 33 tokens: longer than the windows, short enough to be quick

ModelConfig with(ModelConfig config, const std::string& assignment) {
  const Status set = set_convention(config, assignment);
  if (!set.ok()) FAIL(set.error().text());
  return config;
}

std::vector<double> oracle_logits(const hf::Variant& v, const ModelConfig& config) {
  const auto oracle = Oracle::load(v.files.checkpoint, config);
  if (!oracle.ok()) return {};  // such as a head of its own that a tied file does not hold
  return oracle->logits(v.cases[kCase].ids);
}

template <class A, class B>
double largest_difference(const std::vector<A>& a, const std::vector<B>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double each = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(each <= largest)) largest = each;
  }
  return largest;
}

double spread_of(const std::vector<double>& x) {
  double sum = 0, squares = 0;
  for (const double each : x) {
    sum += each;
    squares += each * each;
  }
  const auto n = static_cast<double>(x.size());
  return std::sqrt(squares / n - sum / n * (sum / n));
}

// The f32 path under a convention against the oracle's logits under it; false: refused in words.
bool f32_agrees(const hf::Variant& v, const std::string& assignment, const std::vector<double>& expected) {
  auto files = open_model(hf::kRoot + "/" + v.name);
  REQUIRE(files.ok());
  auto engine = Engine::load(std::move(*files), {.conventions = {assignment}});
  if (!engine.ok()) {
    CHECK(engine.error().code == Code::unsupported);
    CHECK(engine.error().text().find("--oracle") != std::string::npos);
    return false;
  }
  const std::vector<std::vector<std::int32_t>> prompts = {v.cases[kCase].ids};
  const auto got = (*engine)->logits(prompts);
  REQUIRE(got.ok());
  // The variant's own bar; it grows where the reading makes larger logits.
  const double islands = 4 * v.number("float32_islands_max_abs"),
               grown = spread_of(expected) / v.number("logit_std");
  const double bar = std::max(2e-5 * std::max(1.0, spread_of(expected)), islands * std::max(1.0, grown));
  const double difference = largest_difference((*got)[0], expected);
  INFO(v.name << " " << assignment << ": f32 " << difference << " from f64, bar " << bar);
  CHECK(difference <= bar);
  CHECK(difference > 1e-9);
  return true;
}

}  // namespace

TEST_CASE(
    "conventions: each value changes the logits of some variant, and both paths agree under it or f32 "
    "refuses") {
  if (!hf::present()) return;
  std::set<std::string> known, changing, refused;
  for (const std::string& name : kShown) {
    const hf::Variant v = hf::load(name);
    const auto published = oracle_logits(v, v.files.config);
    for (const std::string& assignment : other_conventions(v.files.config)) {
      INFO(name << " " << assignment);
      known.insert(assignment);
      const auto other = oracle_logits(v, with(v.files.config, assignment));
      if (other.empty() || !(largest_difference(other, published) > 1e-4)) continue;
      if (!changing.insert(assignment).second) continue;  // shown by an earlier variant
      // Weights some 10^6 times too large saturate the routers: their scores tie in f32 and not in f64.
      if (assignment == "weights=dequant-divided") continue;
      if (!f32_agrees(v, assignment, other)) refused.insert(assignment);
    }
  }
  // 1e-20 beside a sum of scores shows only where all scores vanish: its own test below.
  known.erase("topk-epsilon=omitted");
  known.erase("correction-bias=bf16");  // likewise
  known.erase("head=own");              // no tied file here holds a second head; test_explain.cc makes one
  for (const std::string& each : known) {
    INFO(each);
    CHECK(changing.contains(each));
  }
  CHECK(refused == std::set<std::string>{"router-numbers=bf16-scores", "router-softmax=after-mask"});
  CHECK(known.size() >= 40);
}

TEST_CASE("conventions: setting every name to its present value changes nothing") {
  if (!hf::present()) return;
  for (const std::string name : {"deepseek_v3-fp8", "qwen3-window", "olmoe-clip"}) {
    const hf::Variant v = hf::load(name);
    ModelConfig config = v.files.config;
    for (const auto& [convention, value] : conventions_of(config))
      CHECK(set_convention(config, convention + "=" + value).ok());
    CHECK(conventions_of(config) == conventions_of(v.files.config));
    CHECK(oracle_logits(v, config) == oracle_logits(v, v.files.config));
  }
}

TEST_CASE("conventions: without its epsilon a sum of scores that vanish is 0 / 0") {
  RouterConfig router{.scoring = Scoring::sigmoid,
                      .topk_norm = TopkNorm::sum,
                      .epsilon = 1e-20,
                      .n_experts = 4,
                      .n_chosen = 2};
  const oracle::Row logits(4, -1000.0);  // a sigmoid of 0 in f64
  CHECK(oracle::route(router, logits, {}, {}).weights == oracle::Row{0, 0});
  router.reading.epsilon = TopkEpsilon::omitted;
  for (const double each : oracle::route(router, logits, {}, {}).weights) CHECK(std::isnan(each));
}

TEST_CASE("conventions: a correction bias rounded to bf16 makes the router choose other experts") {
  if (!hf::present()) return;
  std::size_t changed = 0;
  for (const std::string name : {"deepseek_v3-noqlora", "deepseek_v3-onegroup"}) {
    const hf::Variant v = hf::load(name);
    const auto published = Oracle::load(v.files.checkpoint, v.files.config);
    const auto rounded = Oracle::load(v.files.checkpoint, with(v.files.config, "correction-bias=bf16"));
    REQUIRE(published.ok());
    REQUIRE(rounded.ok());
    RouterTrace a, b;
    published->logits(v.cases.back().ids, nullptr, &a);
    rounded->logits(v.cases.back().ids, nullptr, &b);
    for (std::size_t i = 0; i < a.experts.size(); ++i) changed += a.experts[i] != b.experts[i];
  }
  CHECK(changed > 0);
}

TEST_CASE("conventions: every recipe gives the numbers that its name says") {
  // (3, 5) codes of 1.0, 1.125, 1.25, ... in blocks of 2 x 2, of which those at the edges hang over.
  std::vector<std::uint8_t> codes(15);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(0x38 + i);
  const std::vector<float> scales = {0.5F, 3.0F, 1.0F / 3, 7.0F, 0.1F, 11.0F};  // (2, 3)
  const std::vector<TensorOut> out = {{.name = "m.weight",
                                       .format = Format::F8_E4M3,
                                       .shape = {3, 5},
                                       .bytes = std::as_bytes(std::span<const std::uint8_t>(codes))},
                                      tensor_out("m.weight_scale_inv", {2, 3}, scales)};
  const Scratch scratch;
  REQUIRE(write_safetensors(scratch / "m.safetensors", out).ok());
  const auto file = Checkpoint::open(scratch / "m.safetensors");
  REQUIRE(file.ok());
  const std::int64_t shape[] = {3, 5};
  const auto to_bf16 = [](float x) { return widen_bf16(round_bf16(x)); };
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t col = 0; col < 5; ++col) {
      const float code = widen_e4m3(codes[row * 5 + col]), s = scales[row / 2 * 3 + col / 2];
      const auto got = [&](Recipe recipe) {
        const auto values = load_f32(*file, "m.weight", shape, recipe, {2, 2});
        REQUIRE(values.ok());
        return (*values)[row * 5 + col];
      };
      CHECK(got(Recipe::dequant_f32) == code * s);
      CHECK(got(Recipe::dequant_bf16) == to_bf16(code * s));
      CHECK(got(Recipe::dequant_bf16_scale) == code * to_bf16(s));
      CHECK(got(Recipe::dequant_divided) == code / s);
      CHECK(got(Recipe::dequant_first_scale) == code * 0.5F);
      CHECK(got(Recipe::dequant_floor_stride) == code * scales[row / 2 * 2 + col / 2]);
      CHECK(got(Recipe::dequant_unscaled) == code);
    }
  }
}
