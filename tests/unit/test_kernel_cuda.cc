// The GPU kernels against the CPU's: the same bits, for any batch. Without a device each test says so.
#include <cmath>
#include <cstdio>

#include "kernels/cuda.h"
#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

bool skipped() {
  if (!cuda_devices().empty()) return false;
  std::puts("skipped: no CUDA device");
  return true;
}

TEST_CASE("cuda: without a device every call says so") {
  if (!cuda_devices().empty()) return;
  const float x = 1;
  const std::uint16_t w = 0x3f80;
  float y = 7;
  const auto status = cuda_matmul(&w, &x, 1, 1, 1, &y);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == Code::unsupported);
  CHECK(status.error().message.find("GPU") != std::string::npos);
  CHECK(y == 7);
  CHECK_FALSE(cuda_cublas_seconds(1, 1, 1, 1).ok());
  CHECK(gpu_devices().empty());
}

TEST_CASE("cuda: the matrix product has the CPU's bits") {
  if (skipped()) return;
  ThreadPool pool(2);
  for (const auto& [n_out, n_in, n_tokens] :
       {std::array<std::int64_t, 3>{1, 1, 1}, {70, 513, 4}, {64, 1100, 130}, {200, 2048, 65}}) {
    for (const bool hard : {false, true}) {
      const auto size = static_cast<std::size_t>(n_out * n_in),
                 n_x = static_cast<std::size_t>(n_tokens * n_in);
      const auto w = make_weights(hard ? linspace(size) : normals(size, 1), WeightFormat::bf16, n_out, n_in);
      const auto x = hard ? linspace(n_x) : normals(n_x, 2);
      std::vector<float> cpu(static_cast<std::size_t>(n_tokens * n_out)), gpu(cpu),
          one(static_cast<std::size_t>(n_out));
      matmul({kernels(), pool}, w.packed, x.data(), n_tokens, cpu.data());
      REQUIRE(cuda_matmul(w.bf16_rows.data(), x.data(), n_tokens, n_out, n_in, gpu.data()).ok());
      CHECK(same_bits(gpu, cpu));
      REQUIRE(
          cuda_matmul(w.bf16_rows.data(), x.data() + (n_tokens - 1) * n_in, 1, n_out, n_in, one.data()).ok());
      CHECK(same_bits(one, {cpu.end() - n_out, cpu.end()}));
    }
  }
}

TEST_CASE("cuda: the router makes the CPU's choices, weights and margins") {
  if (skipped()) return;
  ThreadPool pool(2);
  const Compute c{kernels(), pool};
  const auto bias = normals(64, 3, 0.05);
  for (const auto groups : {GroupRule::none, GroupRule::top2_sum, GroupRule::maximum}) {
    RouterSpec spec;
    spec.n_experts = 64;
    spec.top_k = 6;
    spec.n_groups = 8;
    spec.top_groups = 3;
    spec.groups = groups;
    spec.score = RouterScore::sigmoid;
    spec.bias = bias.data();
    spec.normalise = true;
    spec.scale = 2.5f;
    auto logits = normals(64 * 300, 4);
    for (std::size_t i = 0; i < 64 * 50; ++i) logits[i] = std::round(logits[i]);  // many ties
    std::vector<float> scores(logits.size()), weights(300 * 6), gpu_weights(300 * 6);
    apply(c, Function::sigmoid, logits.data(), static_cast<std::int64_t>(logits.size()), scores.data());
    std::vector<std::int32_t> experts(300 * 6), gpu_experts(300 * 6);
    std::vector<double> margins(300), gpu_margins(300);
    route(c, spec, logits.data(), 300, {experts.data(), weights.data(), margins.data()});
    REQUIRE(cuda_route(spec, scores.data(), 300, {gpu_experts.data(), gpu_weights.data(), gpu_margins.data()})
                .ok());
    CHECK(gpu_experts == experts);
    CHECK(same_bits(gpu_weights, weights));
    CHECK(gpu_margins == margins);
  }
}

TEST_CASE("cuda: cuBLAS is found and takes time") {
  if (skipped()) return;
  const auto seconds = cuda_cublas_seconds(96, 2048, 7168, 5);
  if (!seconds.ok()) {
    std::printf("skipped: %s\n", seconds.error().message.c_str());
    return;
  }
  CHECK(*seconds > 0);
}

}  // namespace
}  // namespace assay::test
