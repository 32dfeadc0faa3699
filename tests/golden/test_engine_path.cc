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
