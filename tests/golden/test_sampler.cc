// The sampler against transformers' logits processors (tests/oracle/sampler_goldens.py): which tokens stay, in which order, how likely each is.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "reference/model/sampler.h"
#include "tests/catch.h"

namespace assay {
namespace {

GenerateOptions options_of(const Json& o) {
  return {.temperature = o.at("temperature"),
          .top_k = o.at("top_k"),
          .top_p = o.at("top_p"),
          .min_p = o.at("min_p"),
          .repetition_penalty = o.at("repetition_penalty"),
          .presence_penalty = o.at("presence_penalty"),
          .frequency_penalty = o.at("frequency_penalty")};
}

TEST_CASE("sampler golden: the tokens that may be drawn, and how likely, are those of transformers") {
  std::ifstream file(ASSAY_TREE "/tests/golden/data/sampler.jsonl");
  int n = 0, cut = 0;
  double worst = 0;
  for (std::string line; std::getline(file, line); ++n) {
    const Json one = *parse_json(line, "sampler.jsonl");
    INFO(line);
    const auto logits = one.at("logits").get<std::vector<float>>();
    auto seen = one.at("prompt").get<std::vector<std::int32_t>>();
    const auto sampled = one.at("sampled").get<std::vector<std::int32_t>>();
    seen.insert(seen.end(), sampled.begin(), sampled.end());
    const auto got = draw_probabilities(logits, seen, options_of(one.at("options")), sampled);
    const auto ids = one.at("ids").get<std::vector<std::int32_t>>();
    const auto probabilities = one.at("probabilities").get<std::vector<double>>();
    REQUIRE(got.size() == ids.size());
    cut += ids.size() > 1 && ids.size() < logits.size();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      CHECK(got[i].first == ids[i]);
      worst = std::max(worst, std::abs(got[i].second - probabilities[i]));
    }
  }
  CHECK(n == 200);
  CHECK(cut >= 60);
  // transformers divides logits up to 20 by the temperature in f32: 2^-24 * 20 / 0.3 of a logit, and as much of a probability.
  CHECK(worst < 4e-6);
  CHECK(worst > 1e-10);  // the goldens are rounded to 9 digits
}

}  // namespace
}  // namespace assay
