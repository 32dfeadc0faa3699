// The f64 oracle against the stored float64 logits of the authors' formulas, every reading that they have.
#include <algorithm>

#include "reference/model/conventions.h"
#include "reference/model/oracle.h"
#include "tests/golden/hf_cases.h"

using namespace assay;

namespace {

// The conventions that make a stored reading, by family.
std::vector<std::string> switches_of(const std::string& family, const std::string& reading,
                                     const ModelConfig& c) {
  if (reading == "logits_zero_mask") return {"closed-groups=zero"};
  if (reading == "logits_vl2") return {"topk-weights=divided-by-sum"};
  if (reading == "logits_bottom_window") return {"window-layers=below"};
  if (reading != "logits_transformers") return {};
  if (family == "olmoe") return {"clip-qkv=after-norm"};
  std::vector<std::string> out;
  if (c.router.topk_norm != TopkNorm::none) out.push_back("topk-weights=as-scored");
  if (c.rope.kind == RopeKind::yarn) out.push_back("yarn-gain=transformers");
  return out;
}

void check_reading(const hf::Variant& v, const std::string& reading) {
  ModelConfig config = v.files.config;
  for (const std::string& each : switches_of(v.meta["family"].get<std::string>(), reading, config)) {
    const Status set = set_convention(config, each);
    const bool concerns = set.ok() || each == "closed-groups=zero";  // one group: there is nothing to close
    CHECK(concerns);
  }
  const auto oracle = Oracle::load(v.files.checkpoint, config);
  REQUIRE(oracle.ok());
  hf::Difference d;
  for (std::size_t i = 0; i < v.cases.size(); ++i) {
    RouterTrace trace;
    const auto got = oracle->logits(v.cases[i].ids, nullptr, &trace);
    hf::compare(got, v.expected(i, reading), v.cases[i], static_cast<std::size_t>(config.vocab_size), d);
    if (i == 2 && reading == "logits" && v.stored.find("case2.experts")) {
      const auto experts = hf::values<std::int64_t>(v.stored, "case2.experts");
      CHECK(std::equal(experts.begin(), experts.end(), trace.experts.begin(), trace.experts.end()));
    }
  }
  INFO(v.name << " " << reading << ": " << d.max_abs << " of " << d.max_logit);
  CHECK(d.max_abs <= 1e-9 * d.max_logit);
  CHECK(d.wrong_argmax == 0);
}

}  // namespace

TEST_CASE("oracle path: every stored reading of every known family within 1e-9") {
  if (!hf::present()) return;
  for (const std::string& name : hf::kVariants) {
    const hf::Variant v = hf::load(name);
    for (const Json& convention : v.meta["conventions"]) {
      DYNAMIC_SECTION(name << " " << convention["reading"].get<std::string>()) {
        check_reading(v, convention["reading"].get<std::string>());
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
