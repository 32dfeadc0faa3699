// The f32 path against the stored float64 logits: within the bar that each variant's own numbers set.
#include "reference/model/engine.h"
#include "tests/golden/hf_cases.h"

using namespace assay;

namespace {

std::unique_ptr<Engine> engine_of(const std::string& name, EngineOptions options = {}) {
  auto engine = Engine::load(hf::kRoot + "/" + name, options);
  if (!engine.ok()) FAIL(engine.error().text());
  return std::move(*engine);
}

}  // namespace

TEST_CASE(
    "engine path: every known family within max(2e-5 max(1, std), 4 islands), arg-max everywhere, experts of "
    "case 2 identical") {
  if (!hf::present()) return;
  for (const std::string& name : hf::kVariants) {
    DYNAMIC_SECTION(name) {
      const hf::Variant v = hf::load(name);
      const auto engine = engine_of(name);
      std::vector<std::vector<std::int32_t>> prompts;
      for (const hf::Case& c : v.cases) prompts.push_back(c.ids);
      std::vector<RouterTrace> traces;
      const auto got = engine->logits(prompts, {}, &traces);
      REQUIRE(got.ok());
      hf::Difference d;
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        hf::compare((*got)[i], v.expected(i, "logits"), v.cases[i],
                    static_cast<std::size_t>(v.files.config.vocab_size), d);
      }
      if (v.stored.find("case2.experts")) {
        const auto experts = hf::values<std::int64_t>(v.stored, "case2.experts");
        CHECK(std::equal(experts.begin(), experts.end(), traces[2].experts.begin(), traces[2].experts.end()));
      }
      const double bar =
          std::max(2e-5 * std::max(1.0, v.number("logit_std")), 4 * v.number("float32_islands_max_abs"));
      INFO(name << ": " << d.max_abs << " bar " << bar);
      CHECK(d.max_abs <= bar);
      CHECK(d.max_abs > 1e-9);  // f32 cannot be closer: something else ran
      CHECK(d.wrong_argmax == 0);
    }
  }
}
