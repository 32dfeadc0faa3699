// The router keeps f32 digits where published engines dropped them to bf16 (transformers 42580, vLLM PR 14027).
#include <cmath>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

RouterSpec one_of_two() {
  RouterSpec spec;
  spec.n_experts = 2;
  spec.top_k = 1;
  spec.score = RouterScore::sigmoid;
  return spec;
}

std::int32_t chosen(const Compute& c, const RouterSpec& spec, const std::vector<float>& logits) {
  std::int32_t expert = -1;
  float weight = 0;
  route(c, spec, logits.data(), 1, {&expert, &weight, nullptr});
  return expert;
}

TEST_CASE("kernels: the bias keeps all its f32 digits") {
  auto spec = one_of_two();
  const float bias[] = {12.01f, 12.02f};  // both are 12 in bf16, whose steps are 1/16 there
  spec.bias = bias;
  each_compute([&](const Compute& c) {
    CHECK(chosen(c, spec, {0.01f, 0.0f}) == 1);
  });  // scores differ by 0.0025
}

TEST_CASE("kernels: scores that bf16 cannot tell apart are told apart") {
  const auto spec = one_of_two();
  each_compute([&](const Compute& c) {  // sigmoids 0.50025 and 0.5005; steps of bf16 are 1/256 there
    CHECK(chosen(c, spec, {0.001f, 0.002f}) == 1);
    CHECK(chosen(c, spec, {0.002f, 0.001f}) == 0);
  });
}

}  // namespace
}  // namespace assay::test
