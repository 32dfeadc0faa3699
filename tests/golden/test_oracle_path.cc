// The f64 oracle against the stored float64 logits of the authors' formulas, every reading that they have.
#include "tests/golden/hf_checks.h"

using namespace assay;

TEST_CASE("oracle path: every stored reading of every known family within 1e-9") {
  if (!hf::present()) return;
  for (const std::string& name : hf::kVariants) {
    const hf::Variant v = hf::load(name);
    for (const Json& convention : v.meta["conventions"]) {
      DYNAMIC_SECTION(name << " " << convention["reading"].get<std::string>()) {
        hf::check_reading(v, convention["reading"].get<std::string>());
      }
    }
  }
}

TEST_CASE("oracle path: forcing the choice that the router made changes nothing, forcing another does") {
  if (!hf::present()) return;
  const hf::Variant v = hf::load("deepseek_v3-yarn");
  const auto oracle = Oracle::load(v.files.checkpoint, v.files.config);
  REQUIRE(oracle.ok());
  RouterTrace trace;
  const auto& ids = v.cases[3].ids;
  const auto free = oracle->logits(ids, nullptr, &trace);
  ForcedExperts forced{trace.n_moe_layers, trace.n_tokens, trace.n_chosen, trace.experts};
  CHECK(oracle->logits(ids, &forced) == free);
  const std::int32_t last = forced.experts.back();
  forced.experts.back() = last == 15 ? 14 : 15;
  const auto other = oracle->logits(ids, &forced);
  CHECK(other != free);
  CHECK(std::equal(other.begin(), other.begin() + 131 * 31, free.begin()));  // tokens before it do not see it
}
