// Multi-token prediction modules: both paths against an independent float64 (tests/oracle/make_mtp_goldens.py), every reading.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/contract.h"
#include "reference/model/engine.h"
#include "reference/model/mtp_oracle.h"
#include "tests/catch.h"

using namespace assay;

namespace {

const std::string kBundled = ASSAY_TREE "/suites/data/demo/model";
const std::string kSmall = ASSAY_SHARED "/models/hf-oracles/deepseek_v3-negative-bias";

struct MtpGolden {
  std::string model, reading;  // "bundled", "raw"
  std::int64_t module = 0;     // from 1
  std::size_t prompt = 0;
  std::string name;
};

Checkpoint mtp_goldens() {
  auto file = Checkpoint::open(ASSAY_TREE "/tests/golden/data/mtp_logits.safetensors");
  REQUIRE(file.ok());
  return std::move(*file);
}

template <class T>
std::vector<T> values(const Checkpoint& file, const std::string& name) {
  const TensorView* view = file.find(name);
  REQUIRE(view);
  std::vector<T> out(view->bytes.size() / sizeof(T));
  std::memcpy(out.data(), view->bytes.data(), view->bytes.size());
  return out;
}

std::vector<std::vector<std::int32_t>> prompts_of(const Checkpoint& file, const std::string& model) {
  std::vector<std::vector<std::int32_t>> out;
  while (file.find(model + ".ids." + std::to_string(out.size()))) {
    const auto ids = values<std::int64_t>(file, model + ".ids." + std::to_string(out.size()));
    out.emplace_back(ids.begin(), ids.end());
  }
  return out;
}

// "bundled.1.raw.0" and so on.
std::vector<MtpGolden> list_of(const Checkpoint& file, const std::string& model) {
  std::vector<MtpGolden> out;
  for (const TensorView& view : file.tensors()) {
    const std::string rest = view.name.substr(view.name.find('.') + 1);
    if (!view.name.starts_with(model + ".") || rest.starts_with("ids.")) continue;
    out.push_back({model, rest.substr(2, rest.rfind('.') - 2), rest[0] - '0',
                   static_cast<std::size_t>(std::stoi(rest.substr(rest.rfind('.') + 1))), view.name});
  }
  return out;
}

MtpChoices choices_of(const std::string& reading) {
  const std::pair<const char*, const char*> kSwitches[] = {{"hidden-first", "mtp-input-order=hidden-first"},
                                                           {"raw", "mtp-hidden=raw"},
                                                           {"masked", "mtp-first-position=masked"},
                                                           {"chain-normed", "mtp-chain=normed"}};
  MtpChoices choices;
  int set = 0;
  for (const auto& [name, assignment] : kSwitches) {
    if (reading != name) continue;
    REQUIRE(set_mtp_convention(choices, 2, assignment).ok());
    ++set;
  }
  REQUIRE(set == (reading == "default" ? 0 : 1));
  return choices;
}

// The model with its module a second time, as the goldens chain it: the same bytes under the next layer's names.
ModelFiles open_chained(const std::string& folder) {
  auto files = open_model(folder);
  if (!files.ok()) FAIL(files.error().text());
  ModelConfig& c = files->config;
  REQUIRE(c.num_nextn_predict_layers == 1);
  const std::string from = mtp_prefix(c, 0) + ".";
  c.num_nextn_predict_layers = 2;
  c.mtp_layers.push_back(c.mtp_layers[0]);
  const std::string to = mtp_prefix(c, 1) + ".";
  const std::vector<TensorView> all(files->checkpoint.tensors().begin(), files->checkpoint.tensors().end());
  for (const TensorView& view : all) {
    if (!view.name.starts_with(from)) continue;
    TensorView copy = view;
    copy.name = to + view.name.substr(from.size());
    REQUIRE(files->checkpoint.add_parts(view, {std::move(copy)}).ok());
  }
  return std::move(*files);
}

struct MtpWorst {
  double relative = 0;
  int wrong_argmax = 0;
};

// Every `vocab / columns`-th logit of `got` (rows, vocab) against the stored ones.
template <class T>
void compare(const std::vector<T>& got, const std::vector<double>& want, std::size_t vocab,
             std::size_t columns, MtpWorst& worst) {
  REQUIRE(got.size() / vocab == want.size() / columns);
  const std::size_t step = vocab / columns;
  double largest = 0;
  for (const double each : want) largest = std::max(largest, std::abs(each));
  for (std::size_t r = 0; r < want.size() / columns; ++r) {
    for (std::size_t i = 0; i < columns; ++i) {
      const double difference =
          std::abs(static_cast<double>(got[r * vocab + i * step]) - want[r * columns + i]) / largest;
      if (!(difference <= worst.relative) && !std::isnan(worst.relative)) worst.relative = difference;
    }
  }
}

std::size_t columns_of(const Checkpoint& file, const MtpGolden& golden) {
  return static_cast<std::size_t>(file.find(golden.name)->shape[1]);
}

bool skipped(const std::string& model) {
  if (model == "bundled" || std::filesystem::exists(kSmall)) return false;
  WARN("skipped: no " << kSmall);
  return true;
}

}  // namespace

TEST_CASE(
    "mtp: the f64 oracle gives what numpy computes, within 1e-9, under every reading and down the chain") {
  const Checkpoint file = mtp_goldens();
  for (const std::string model : {"bundled", "small"}) {
    if (skipped(model)) continue;
    const ModelFiles files = open_chained(model == "bundled" ? kBundled : kSmall);
    const auto main = Oracle::load(files.checkpoint, files.config);
    const auto modules = MtpOracle::load(files.checkpoint, files.config);
    REQUIRE(main.ok());
    if (!modules.ok()) FAIL(modules.error().text());
    const auto prompts = prompts_of(file, model);
    REQUIRE(prompts.size() == 3);
    std::size_t second = 0;
    for (const MtpGolden& golden : list_of(file, model)) {
      const auto got = modules->logits(*main, prompts[golden.prompt], choices_of(golden.reading));
      REQUIRE(got.size() == 2);
      MtpWorst worst;
      compare(got[static_cast<std::size_t>(golden.module - 1)], values<double>(file, golden.name),
              static_cast<std::size_t>(files.config.vocab_size), columns_of(file, golden), worst);
      INFO(golden.name << ": " << worst.relative);
      CHECK(worst.relative <= 1e-9);
      second += golden.module == 2;
    }
    CHECK(second >= 2);
  }
}

TEST_CASE("mtp: the f32 engine is within 1e-5 of the largest logit and never closer than f32 can be") {
  const Checkpoint file = mtp_goldens();
  for (const std::string whole : {"bundled", "small", "bundled mla-absorbed", "small mla-absorbed"}) {
    const std::string model = whole.substr(0, whole.find(' ')),
                      recipe = whole == model ? "" : whole.substr(model.size() + 1);
    if (skipped(model)) continue;
    const auto engine = Engine::load(open_chained(model == "bundled" ? kBundled : kSmall),
                                     EngineOptions{.threads = 2, .recipe = recipe});
    REQUIRE(engine.ok());
    const auto prompts = prompts_of(file, model);
    std::vector<std::vector<float>> states;
    REQUIRE((*engine)->logits(prompts, {}, nullptr, &states).ok());
    for (const MtpGolden& golden : list_of(file, model)) {
      const auto got = (*engine)->mtp_logits(prompts, states, choices_of(golden.reading));
      if (!got.ok()) FAIL(got.error().text());
      MtpWorst worst;
      compare((*got)[static_cast<std::size_t>(golden.module - 1)][golden.prompt],
              values<double>(file, golden.name), static_cast<std::size_t>((*engine)->config().vocab_size),
              columns_of(file, golden), worst);
      INFO(golden.name << ": " << worst.relative);
      CHECK(worst.relative <= 1e-5);
      CHECK(worst.relative > 1e-9);
    }
  }
}

TEST_CASE("mtp: every reading moves the logits, so that none stands for another") {
  const Checkpoint file = mtp_goldens();
  const auto reference = values<double>(file, "bundled.1.default.0");
  for (const std::string reading : {"hidden-first", "raw", "masked"}) {
    const auto other = values<double>(file, "bundled.1." + reading + ".0");
    REQUIRE(other.size() == reference.size());
    double largest = 0;
    for (std::size_t i = 0; i < other.size(); ++i)
      largest = std::max(largest, std::abs(other[i] - reference[i]));
    INFO(reading << " moves a logit by " << largest);
    CHECK(largest > 1e-3);
  }
}

TEST_CASE("mtp: the module of the trained model predicts the token after the next one better than chance") {
  const Checkpoint file = mtp_goldens();
  const auto engine = Engine::load(kBundled, EngineOptions{.threads = 2});
  REQUIRE(engine.ok());
  const auto prompts = prompts_of(file, "bundled");
  std::vector<std::vector<float>> states;
  REQUIRE((*engine)->logits(prompts, {}, nullptr, &states).ok());
  const auto got = (*engine)->mtp_logits(prompts, states, {});
  REQUIRE(got.ok());
  int right = 0, asked = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::vector<float>& rows = (*got)[0][i];
    for (std::size_t p = 0; p + 2 < prompts[i].size(); ++p, ++asked)
      right += argmax(rows.data() + p * 1024, 1024) == prompts[i][p + 2];
  }
  INFO(right << " of " << asked);
  CHECK(2 * right > asked);  // a shift by one token would leave a few percent
}

TEST_CASE("mtp: bits do not depend on threads, waves, chunks or what else is asked") {
  const Checkpoint file = mtp_goldens();
  const auto prompts = prompts_of(file, "bundled");
  std::vector<std::vector<float>> first;
  for (const EngineOptions& options :
       {EngineOptions{.threads = 1}, EngineOptions{.threads = 2, .wave_tokens = 40},
        EngineOptions{.prefill_chunk = 7, .isa = "scalar"}}) {
    const auto engine = Engine::load(kBundled, options);
    REQUIRE(engine.ok());
    std::vector<std::vector<float>> states;
    REQUIRE((*engine)->logits(prompts, {}, nullptr, &states).ok());
    const auto got = (*engine)->mtp_logits(prompts, states, {});
    REQUIRE(got.ok());
    if (first.empty()) first = (*got)[0];
    CHECK((*got)[0] == first);
    const auto alone = (*engine)->mtp_logits(std::span(prompts).first(1), std::span(states).first(1), {});
    REQUIRE(alone.ok());
    CHECK((*alone)[0][0] == first[0]);
  }
}

TEST_CASE("mtp: what is not there is refused by name, and unknown choices with what can be said") {
  auto files = open_model(kBundled);
  REQUIRE(files.ok());
  ModelConfig none = files->config;
  none.num_nextn_predict_layers = 0;
  none.mtp_layers.clear();
  CHECK(check_mtp(none, files->checkpoint).error().code == Code::usage);
  ModelConfig two = files->config;
  two.num_nextn_predict_layers = 2;
  two.mtp_layers.push_back(two.mtp_layers[0]);
  const Status missing = check_mtp(two, files->checkpoint);
  REQUIRE(!missing.ok());
  CHECK(missing.error().code == Code::missing_tensor);
  CHECK(missing.error().field == "model.layers.5.enorm.weight");
  MtpChoices choices;
  for (const char* wrong :
       {"mtp-chain=raw", "mtp-hidden", "mtp-hidden=", "mtp-hidden=warm", "mtp-x=y", "", "="}) {
    INFO(wrong);
    const Status status = set_mtp_convention(choices, 1, wrong);
    REQUIRE(!status.ok());
    CHECK(status.error().code == Code::usage);
    CHECK(!status.error().expected.empty());
  }
  CHECK(mtp_conventions_of(choices, 1).size() == 3);
  CHECK(mtp_conventions_of(choices, 2).size() == 4);
  CHECK(mtp_conventions_of(choices, 0).empty());
}

TEST_CASE("mtp: what the modules add is counted without the copies of embedding and head") {
  const auto files = open_model(kBundled);
  REQUIRE(files.ok());
  const MtpCounts n = count_mtp(files->config);
  CHECK(n.params == 858'940 - 327'680);  // README of the bundled model
  CHECK(n.params_active == n.params - (12 - 3) * 3 * 64 * 160);
  const std::string v3 = ASSAY_SHARED "/configs/hf-configs-SimAI/deepseek_R1_0528_config.json";
  if (!std::filesystem::exists(v3)) {
    WARN("skipped: no " << v3);
    return;
  }
  const auto config = read_model_config(v3);
  REQUIRE(config.ok());
  // README_WEIGHTS.md: 11.5B unique parameters, 2.4B active with embedding and head. Both hold without eh_proj and neither with it.
  const MtpCounts published = count_mtp(*config);
  const std::int64_t projection = 2 * 7168 * 7168, shared = 2 * 129280 * 7168;
  CHECK(published.params == 11'610'068'224);
  CHECK(std::abs(static_cast<double>(published.params - projection) - 11.5e9) < 0.05e9);
  CHECK(std::abs(static_cast<double>(published.params_active - projection + shared) - 2.4e9) < 0.05e9);
}

TEST_CASE("mtp: the FP8 fork's module runs too, both paths agree, and it is not the original's") {
  const Checkpoint file = mtp_goldens();
  const auto prompts = prompts_of(file, "bundled");
  const ModelFiles files = [] {
    auto opened = open_model(ASSAY_TREE "/suites/data/demo/model-fp8");
    REQUIRE(opened.ok());
    return std::move(*opened);
  }();
  const auto main = Oracle::load(files.checkpoint, files.config);
  const auto modules = MtpOracle::load(files.checkpoint, files.config);
  REQUIRE(main.ok());
  REQUIRE(modules.ok());
  const auto engine = Engine::load(ASSAY_TREE "/suites/data/demo/model-fp8", EngineOptions{.threads = 2});
  REQUIRE(engine.ok());
  std::vector<std::vector<float>> states;
  REQUIRE((*engine)->logits(prompts, {}, nullptr, &states).ok());
  const auto got = (*engine)->mtp_logits(prompts, states, {});
  REQUIRE(got.ok());
  const auto want = modules->logits(*main, prompts[0], {});
  MtpWorst worst, moved;
  compare((*got)[0][0], want[0], 1024, 1024, worst);
  compare((*got)[0][0], values<double>(file, "bundled.1.default.0"), 1024, 32, moved);
  INFO(worst.relative << ", from the original " << moved.relative);
  CHECK(worst.relative <= 1e-5);
  CHECK(moved.relative > 1e-3);
}
