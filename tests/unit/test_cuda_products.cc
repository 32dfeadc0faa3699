// The GPU's matrix products: the canonical one has the CPU's bits, the tensor cores' stays within its derived bound and does not look at
// neighbours. Run on the host in the GPU's place, threads upwards and downwards, and on the device where there is one.
#include <array>
#include <cmath>

#include "reference/weights/activation.h"
#include "tests/unit/accelerator_fixture.h"

namespace assay::test {
namespace {

constexpr std::array kFormats = {WeightFormat::f32, WeightFormat::bf16, WeightFormat::mxfp4,
                                 WeightFormat::e4m3, WeightFormat::e5m2};

std::vector<float> product_of(Accelerator& a, const PackedMatrix& w, const std::vector<float>& x,
                              std::int64_t n_tokens, GpuArithmetic arithmetic,
                              const std::vector<float>& bias = {}, bool of_experts = false) {
  const MatrixOnDevice matrix(a, w);
  const OnDevice<float> inputs(a, x), biases(a, bias), y(a, static_cast<std::size_t>(n_tokens * w.n_out));
  const DeviceProduct job{.w = matrix.get(),
                          .n_tokens = n_tokens,
                          .y = y.get(),
                          .y_stride = w.n_out,
                          .bias = bias.empty() ? nullptr : biases.get()};
  a.multiply({inputs.get(), n_tokens, w.n_in, of_experts}, &job, 1, arithmetic);
  return y.host();
}

std::vector<float> on_cpu(const PackedMatrix& w, const std::vector<float>& x, std::int64_t n_tokens,
                          const std::vector<float>& bias = {}) {
  ThreadPool pool(2);
  std::vector<float> y(static_cast<std::size_t>(n_tokens * w.n_out));
  matmul({kernels(), pool}, w, x.data(), n_tokens, y.data());
  for (std::size_t i = 0; i < y.size() && !bias.empty(); ++i) y[i] += bias[i % bias.size()];
  return y;
}

TEST_CASE("cuda: panels unpack to the weights that they mean") {
  each_accelerator([](Accelerator& a) {
    for (const WeightFormat format : kFormats) {
      const std::int64_t n_out = 70, n_in = is_scaled(format) && format == WeightFormat::mxfp4 ? 96 : 131;
      const AnyWeights w = any_weights(format, n_out, n_in, 1);
      // A row of the identity picks a column of weights.
      std::vector<float> x(static_cast<std::size_t>(n_in * n_in), 0.0f),
          want(static_cast<std::size_t>(n_in * n_out));
      for (std::int64_t k = 0; k < n_in; ++k) {
        x[static_cast<std::size_t>(k * n_in + k)] = 1;
        for (std::int64_t o = 0; o < n_out; ++o)
          want[static_cast<std::size_t>(k * n_out + o)] = packed_weight(w.packed, o, k) + 0.0f;
      }
      CHECK(same_bits(product_of(a, w.packed, x, n_in, GpuArithmetic::canonical), want));
    }
  });
}

TEST_CASE("cuda: the canonical product has the CPU's bits in every format") {
  each_accelerator([](Accelerator& a) {
    for (const WeightFormat format : kFormats) {
      for (const auto& [n_out, n_in, n_tokens] :
           {std::array<std::int64_t, 3>{1, 32, 1}, {70, 544, 5}, {64, 1120, 67}}) {
        for (const bool hard : {false, true}) {
          const auto n_x = static_cast<std::size_t>(n_tokens * n_in);
          const AnyWeights w = any_weights(format, n_out, n_in, 2);
          const auto x = hard ? linspace(n_x) : normals(n_x, 3),
                     bias = normals(static_cast<std::size_t>(n_out), 4);
          INFO("format " << static_cast<int>(format) << ", " << n_out << " x " << n_in << ", " << n_tokens
                         << " tokens");
          CHECK(same_bits(product_of(a, w.packed, x, n_tokens, GpuArithmetic::canonical),
                          on_cpu(w.packed, x, n_tokens)));
          CHECK(same_bits(product_of(a, w.packed, x, n_tokens, GpuArithmetic::canonical, bias),
                          on_cpu(w.packed, x, n_tokens, bias)));
        }
      }
    }
  });
}

// Sum over k of |w| |x|, in f64.
double magnitude(const PackedMatrix& w, const float* x, std::int64_t o) {
  double sum = 0;
  for (std::int64_t k = 0; k < w.n_in; ++k) sum += std::fabs(double{packed_weight(w, o, k)} * double{x[k]});
  return sum;
}

TEST_CASE("cuda: the tensor cores' product stays within its derived bound, and is not the canonical one") {
  each_accelerator([](Accelerator& a) {
    for (const WeightFormat format :
         {WeightFormat::bf16, WeightFormat::mxfp4, WeightFormat::e4m3, WeightFormat::e5m2}) {
      for (const auto& [n_out, n_in, n_tokens] :
           {std::array<std::int64_t, 3>{8, 32, 1}, {150, 1120, 5}, {70, 224, 150}}) {
        const AnyWeights w = any_weights(format, n_out, n_in, 5);
        const auto x = normals(static_cast<std::size_t>(n_tokens * n_in), 6);
        const auto got = product_of(a, w.packed, x, n_tokens, GpuArithmetic::bf16),
                   want = on_cpu(w.packed, x, n_tokens);
        const double bound = gpu_product_bound(format, n_in, GpuArithmetic::bf16);
        double worst = 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
          const auto token = static_cast<std::int64_t>(i) / n_out, o = static_cast<std::int64_t>(i) % n_out;
          const double error = std::fabs(double{got[i]} - double{want[i]});
          worst = std::max(worst, error / (bound * magnitude(w.packed, x.data() + token * n_in, o)));
          if (!(error == error)) worst = 1e9;
        }
        INFO("format " << static_cast<int>(format) << ", " << n_out << " x " << n_in << ", " << n_tokens
                       << " tokens: " << worst << " of the bound");
        CHECK(worst <= 1);
        CHECK(worst > 0.01);  // inputs were rounded to bf16, or something else ran
      }
    }
  });
}

TEST_CASE("cuda: quantised inputs give the product of what their codes mean") {
  each_accelerator([](Accelerator& a) {
    for (const auto& [n_out, n_in, n_tokens] :
         {std::array<std::int64_t, 3>{9, 40, 1}, {70, 600, 5}, {40, 300, 140}}) {
      const AnyWeights w = any_weights(WeightFormat::e4m3, n_out, n_in, 15);
      auto x = normals(static_cast<std::size_t>(n_tokens * n_in), 16);
      for (std::size_t i = 0; i < x.size(); i += 5) x[i] *= 1e-3f;  // codes below the smallest normal
      x[0] = 0;
      const auto got = product_of(a, w.packed, x, n_tokens, GpuArithmetic::fp8);
      round_activations_by_block(x, n_tokens, n_in);
      const auto want = on_cpu(w.packed, x, n_tokens);
      const double bound = gpu_product_bound(WeightFormat::e4m3, n_in, GpuArithmetic::fp8);
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const auto token = static_cast<std::int64_t>(i) / n_out, o = static_cast<std::int64_t>(i) % n_out;
        const double error = std::fabs(double{got[i]} - double{want[i]});
        worst = std::max(
            worst, error == error ? error / (bound * magnitude(w.packed, x.data() + token * n_in, o)) : 1e9);
      }
      INFO(n_out << " x " << n_in << ", " << n_tokens << " tokens: " << worst << " of the bound");
      CHECK(worst <= 1);
      CHECK(bound < 0x1p-10);  // rounding the inputs to bf16 would show
    }
  });
}

TEST_CASE("cuda: a row's bits depend neither on its neighbours nor on their number") {
  each_accelerator([](Accelerator& a) {
    for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::e4m3}) {
      for (const GpuArithmetic arithmetic :
           {GpuArithmetic::canonical, GpuArithmetic::bf16, GpuArithmetic::fp8}) {
        const std::int64_t n_out = 100, n_in = 300, n_tokens = 140;
        const AnyWeights w = any_weights(format, n_out, n_in, 7);
        const auto x = linspace(static_cast<std::size_t>(n_tokens * n_in));
        const auto all = product_of(a, w.packed, x, n_tokens, arithmetic);
        for (const std::int64_t n : {1, 7, 33}) {  // tiles of 16 and of 128 tokens
          const std::vector<float> part(x.begin() + 50 * n_in, x.begin() + (50 + n) * n_in);
          const auto alone = product_of(a, w.packed, part, n, arithmetic);
          CHECK(same_bits(alone, {all.begin() + 50 * n_out, all.begin() + (50 + n) * n_out}));
        }
      }
    }
  });
}

TEST_CASE("cuda: grouped products gather their rows") {
  each_accelerator([](Accelerator& a) {
    const std::int64_t n_out = 40, n_in = 72, n_rows = 50;
    const auto x = normals(static_cast<std::size_t>(n_rows * n_in), 8);
    const OnDevice<float> inputs(a, x);
    for (const GpuArithmetic arithmetic : {GpuArithmetic::canonical, GpuArithmetic::bf16}) {
      std::vector<AnyWeights> weights;
      std::vector<std::unique_ptr<MatrixOnDevice>> matrices;
      std::vector<std::unique_ptr<OnDevice<float>>> outs;
      std::vector<std::unique_ptr<OnDevice<std::int32_t>>> rows;
      std::vector<DeviceProduct> jobs;
      const std::vector<std::vector<std::int32_t>> chosen = {
          {3, 9, 49}, {}, {0}, std::vector<std::int32_t>(45, 17)};
      for (std::size_t e = 0; e < chosen.size(); ++e) {
        weights.push_back(any_weights(WeightFormat::bf16, n_out, n_in, 10 + e));
        matrices.push_back(std::make_unique<MatrixOnDevice>(a, weights.back().packed));
        rows.push_back(std::make_unique<OnDevice<std::int32_t>>(a, chosen[e]));
        outs.push_back(
            std::make_unique<OnDevice<float>>(a, chosen[e].size() * static_cast<std::size_t>(n_out)));
        jobs.push_back({.w = matrices.back()->get(),
                        .rows = rows.back()->get(),
                        .n_tokens = static_cast<std::int64_t>(chosen[e].size()),
                        .y = outs.back()->get(),
                        .y_stride = n_out});
      }
      a.multiply({inputs.get(), n_rows, n_in, true}, jobs.data(), static_cast<std::int64_t>(jobs.size()),
                 arithmetic);
      for (std::size_t e = 0; e < chosen.size(); ++e) {
        std::vector<float> gathered;
        for (const std::int32_t row : chosen[e])
          gathered.insert(gathered.end(), x.begin() + row * n_in, x.begin() + (row + 1) * n_in);
        if (gathered.empty()) continue;
        CHECK(same_bits(outs[e]->host(),
                        product_of(a, weights[e].packed, gathered,
                                   static_cast<std::int64_t>(chosen[e].size()), arithmetic, {}, true)));
      }
    }
  });
}

}  // namespace
}  // namespace assay::test
