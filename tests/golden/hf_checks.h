// What both paths must satisfy on a stored checkpoint with its float64 logits.
#pragma once
#include <algorithm>
#include <memory>

#include "reference/model/conventions.h"
#include "reference/model/engine.h"
#include "reference/model/oracle.h"
#include "tests/golden/hf_cases.h"

namespace hf {

// The conventions that make a stored reading, by family.
inline std::vector<std::string> switches_of(const std::string& family, const std::string& reading,
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

// The f64 oracle within 1e-9 of a reading.
inline void check_reading(const Variant& v, const std::string& reading) {
  ModelConfig config = v.files.config;
  for (const std::string& each : switches_of(v.meta["family"].get<std::string>(), reading, config)) {
    const Status set = set_convention(config, each);
    const bool concerns = set.ok() || each == "closed-groups=zero";  // one group: there is nothing to close
    CHECK(concerns);
  }
  const auto oracle = Oracle::load(v.files.checkpoint, config);
  REQUIRE(oracle.ok());
  Difference d;
  for (std::size_t i = 0; i < v.cases.size(); ++i) {
    RouterTrace trace;
    const auto got = oracle->logits(v.cases[i].ids, nullptr, &trace);
    compare(got, v.expected(i, reading), v.cases[i], static_cast<std::size_t>(config.vocab_size), d);
    if (i == 2 && reading == "logits" && v.stored.find("case2.experts")) {
      const auto experts = values<std::int64_t>(v.stored, "case2.experts");
      CHECK(std::equal(experts.begin(), experts.end(), trace.experts.begin(), trace.experts.end()));
    }
  }
  INFO(v.name << " " << reading << ": " << d.max_abs << " of " << d.max_logit);
  CHECK(d.max_abs <= 1e-9 * d.max_logit);
  CHECK(d.wrong_argmax == 0);
}

// The f32 path within the bar that the variant's own numbers set.
inline void check_engine(const Variant& v, const EngineOptions& options = {}) {
  auto loaded = Engine::load(v.folder, options);
  if (!loaded.ok()) FAIL(loaded.error().text());
  const std::unique_ptr<Engine> engine = std::move(*loaded);
  std::vector<std::vector<std::int32_t>> prompts;
  for (const Case& c : v.cases) prompts.push_back(c.ids);
  std::vector<RouterTrace> traces;
  const auto got = engine->logits(prompts, {}, &traces);
  REQUIRE(got.ok());
  Difference d;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    compare((*got)[i], v.expected(i, "logits"), v.cases[i],
            static_cast<std::size_t>(v.files.config.vocab_size), d);
  }
  if (v.stored.find("case2.experts")) {
    const auto experts = values<std::int64_t>(v.stored, "case2.experts");
    CHECK(std::equal(experts.begin(), experts.end(), traces[2].experts.begin(), traces[2].experts.end()));
  }
  const double bar =
      std::max(2e-5 * std::max(1.0, v.number("logit_std")), 4 * v.number("float32_islands_max_abs"));
  INFO(v.name << ": " << d.max_abs << " bar " << bar);
  CHECK(d.max_abs <= bar);
  CHECK(d.max_abs > 1e-9);  // f32 cannot be closer: something else ran
  CHECK(d.wrong_argmax == 0);
}

}  // namespace hf
