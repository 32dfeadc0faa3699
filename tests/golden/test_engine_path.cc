// The f32 path against the stored float64 logits: within the bar that each variant's own numbers set.
#include "tests/golden/hf_checks.h"

TEST_CASE(
    "engine path: every known family within max(2e-5 max(1, std), 4 islands), arg-max everywhere, experts of "
    "case 2 identical") {
  if (!hf::present()) return;
  for (const std::string& name : hf::kVariants) {
    DYNAMIC_SECTION(name) { hf::check_engine(hf::load(name)); }
  }
}

TEST_CASE(
    "engine path: every latent variant within the same bar under the recipe mla-absorbed, with other bits "
    "than expanded") {
  if (!hf::present()) return;
  for (const std::string& name : hf::kVariants) {
    if (!name.starts_with("deepseek")) continue;
    DYNAMIC_SECTION(name) {
      const hf::Variant v = hf::load(name);
      hf::check_engine(v, {.recipe = "mla-absorbed"});
      std::vector<std::vector<float>> rows[2];
      for (const bool absorbed : {false, true}) {
        const auto engine = Engine::load(v.folder, {.recipe = absorbed ? "mla-absorbed" : ""});
        REQUIRE(engine.ok());
        const std::vector<std::vector<std::int32_t>> prompts = {{v.cases[0].ids[0]}, v.cases.back().ids};
        const auto got = (*engine)->logits(prompts);
        REQUIRE(got.ok());
        rows[absorbed] = *got;
      }
      const bool alone = rows[0][0] == rows[1][0], together = rows[0][1] == rows[1][1];
      CHECK(
          alone);  // a token that sees itself alone reads its own latent, and that is led back as the expanded form does
      CHECK_FALSE(together);
    }
  }
}
