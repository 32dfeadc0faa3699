// The bundled model against transformers in float64 (tests/oracle/make_bundled_logits.py): 64 prompts, both paths.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "tests/catch.h"

using namespace assay;

namespace {

const std::string kModel = ASSAY_TREE "/suites/data/demo/model";
const std::string kData = ASSAY_TREE "/tests/golden/data";
constexpr std::size_t kVocab = 1024, kStep = 32;  // every 32nd logit is stored

std::vector<std::vector<std::int32_t>> prompts() {
  const auto json = read_json_file(kData + "/bundled_ids.json");
  REQUIRE(json.ok());
  return json->get<std::vector<std::vector<std::int32_t>>>();
}

template <class T>
std::vector<T> stored(const Checkpoint& file, const std::string& name) {
  const TensorView* view = file.find(name);
  REQUIRE(view);
  std::vector<T> out(view->bytes.size() / sizeof(T));
  std::memcpy(out.data(), view->bytes.data(), view->bytes.size());
  return out;
}

struct Worst {
  double relative = 0;
  int wrong_argmax = 0, decided = 0;
};

// Compares one prompt's logits (n_tokens, 1024) with what is stored of it.
template <class T>
void compare(const Checkpoint& file, std::size_t i, const std::vector<T>& got, double max_abs, Worst& worst) {
  const auto positions = stored<std::int64_t>(file, "positions." + std::to_string(i));
  const auto values = stored<double>(file, "values." + std::to_string(i)),
             top = stored<double>(file, "top." + std::to_string(i));
  for (std::size_t r = 0; r < positions.size(); ++r) {
    const T* row = got.data() + static_cast<std::size_t>(positions[r]) * kVocab;
    for (std::size_t j = 0; j < kVocab / kStep; ++j) {
      const double difference =
          std::abs(static_cast<double>(row[j * kStep]) - values[r * kVocab / kStep + j]) / max_abs;
      if (!(difference <= worst.relative) && !std::isnan(worst.relative)) worst.relative = difference;
    }
    if (!(top[2 * r + 1] > 1e-4)) continue;
    ++worst.decided;
    worst.wrong_argmax +=
        std::max_element(row, row + kVocab) - row != static_cast<std::ptrdiff_t>(top[2 * r]);
  }
}

void check_bundled(const std::string& recipe) {
  const auto file = Checkpoint::open(kData + "/bundled_logits.safetensors");
  REQUIRE(file.ok());
  auto engine = Engine::load(kModel, EngineOptions{.threads = 2, .recipe = recipe});
  REQUIRE(engine.ok());
  std::vector<RouterTrace> traces;
  const auto got = (*engine)->logits(prompts(), {}, &traces);
  REQUIRE(got.ok());
  const auto max_abs = stored<double>(*file, "max_abs");
  Worst worst;
  std::size_t ties = 0;
  for (std::size_t i = 0; i < got->size(); ++i) {
    ties += near_ties(traces[i]).size();
    compare(*file, i, (*got)[i], max_abs[i], worst);
  }
  INFO("worst " << worst.relative << ", near ties " << ties);
  CHECK(worst.relative <= 1e-5);
  CHECK(worst.relative > 1e-8);
  CHECK(worst.wrong_argmax == 0);
  CHECK(worst.decided > 400);
}

}  // namespace

TEST_CASE(
    "bundled model: f32 path within 1e-5 of the largest logit of transformers in float64, arg-max where it "
    "is decided") {
  check_bundled("");
}

TEST_CASE("bundled model: the recipe mla-absorbed within the same bar") { check_bundled("mla-absorbed"); }

TEST_CASE("bundled model: f64 oracle within 1e-9 of transformers in float64") {
  const auto file = Checkpoint::open(kData + "/bundled_logits.safetensors");
  REQUIRE(file.ok());
  const auto files = open_model(kModel);
  REQUIRE(files.ok());
  const auto oracle = Oracle::load(files->checkpoint, files->config);
  REQUIRE(oracle.ok());
  const auto max_abs = stored<double>(*file, "max_abs");
  const auto ids = prompts();
  Worst worst;
  for (std::size_t i = 0; i < ids.size(); i += 4)
    compare(*file, i, oracle->logits(ids[i]), max_abs[i], worst);
  INFO("worst " << worst.relative);
  CHECK(worst.relative <= 1e-9);
  CHECK(worst.wrong_argmax == 0);
}
