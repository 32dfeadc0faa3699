// The router: choices, weights and margins by hand, against a plain second implementation in f64, and the published bugs it must not have.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/unit/kernel_fixture.h"

namespace assay::test {
namespace {

struct Routed {
  std::vector<std::int32_t> experts;
  std::vector<float> weights;
  std::vector<double> margins;
};

Routed routed(const Compute& c, const RouterSpec& spec, const std::vector<float>& logits) {
  const auto n = static_cast<std::int64_t>(logits.size()) / spec.n_experts;
  const auto k = static_cast<std::size_t>(n * spec.top_k);
  Routed r{std::vector<std::int32_t>(k), std::vector<float>(k),
           std::vector<double>(static_cast<std::size_t>(n))};
  route(c, spec, logits.data(), n, {r.experts.data(), r.weights.data(), r.margins.data()});
  return r;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

RouterSpec sigmoid_spec(std::int32_t n, std::int32_t k) {
  RouterSpec spec;
  spec.n_experts = n;
  spec.top_k = k;
  spec.score = RouterScore::sigmoid;
  return spec;
}

// Choice and weights in f64 with sorting instead of scanning; experts whose decision is closer than kRouterNearTie are not compared.
struct Plain {
  std::vector<std::int32_t> experts;
  std::vector<double> weights;
};
Plain plain_route(const RouterSpec& spec, const float* logits) {
  std::vector<double> score, choice;
  const double m = double{*std::max_element(logits, logits + spec.n_experts)};
  double sum = 0;
  for (std::int32_t i = 0; i < spec.n_experts; ++i) sum += std::exp(double{logits[i]} - m);
  for (std::int32_t i = 0; i < spec.n_experts; ++i) {
    score.push_back(spec.score == RouterScore::sigmoid ? sigmoid(double{logits[i]})
                                                       : std::exp(double{logits[i]} - m) / sum);
    choice.push_back(score.back() + (spec.bias != nullptr ? double{spec.bias[i]} : 0));
  }
  const std::int32_t size = spec.n_experts / spec.n_groups;
  std::vector<std::pair<double, std::int32_t>> groups;
  for (std::int32_t g = 0; g < spec.n_groups; ++g) {
    std::vector<double> in(choice.begin() + g * size, choice.begin() + (g + 1) * size);
    std::sort(in.rbegin(), in.rend());
    groups.emplace_back(spec.groups == GroupRule::top2_sum ? -(in[0] + in[1]) : -in[0], g);
  }
  std::sort(groups.begin(), groups.end());
  std::vector<std::pair<double, std::int32_t>> order;
  for (std::int32_t g = 0; g < (spec.groups == GroupRule::none ? spec.n_groups : spec.top_groups); ++g) {
    for (std::int32_t i = groups[static_cast<std::size_t>(g)].second * size;
         i < (groups[static_cast<std::size_t>(g)].second + 1) * size; ++i)
      order.emplace_back(-choice[static_cast<std::size_t>(i)], i);
  }
  std::sort(order.begin(), order.end());
  Plain out;
  for (std::int32_t k = 0; k < spec.top_k; ++k)
    out.experts.push_back(order[static_cast<std::size_t>(k)].second);
  std::sort(out.experts.begin(), out.experts.end());
  double total = 0;
  for (const auto e : out.experts) total += score[static_cast<std::size_t>(e)];
  for (const auto e : out.experts)
    out.weights.push_back(score[static_cast<std::size_t>(e)] / (spec.normalise ? total + 1e-20 : 1) *
                          double{spec.scale});
  return out;
}

TEST_CASE("kernels: routing agrees with a plain f64 router wherever no decision is a near tie") {
  const auto bias = normals(64, 1, 0.05);
  for (const auto score : {RouterScore::softmax, RouterScore::sigmoid}) {
    for (const auto groups : {GroupRule::none, GroupRule::top2_sum, GroupRule::maximum}) {
      RouterSpec spec = sigmoid_spec(64, 6);
      spec.score = score;
      spec.groups = groups;
      spec.n_groups = 8;
      spec.top_groups = 3;
      spec.bias = score == RouterScore::sigmoid ? bias.data() : nullptr;
      spec.normalise = score == RouterScore::sigmoid;
      spec.scale = 2.5f;
      const auto logits = normals(64 * 500, 2);
      Routed first;
      each_compute([&](const Compute& c) {
        const auto r = routed(c, spec, logits);
        if (first.experts.empty()) first = r;
        CHECK(r.experts == first.experts);
        CHECK(same_bits(r.weights, first.weights));
        CHECK(r.margins == first.margins);
      });
      int compared = 0;
      for (std::size_t t = 0; t < 500; ++t) {
        if (!(first.margins[t] >= kRouterNearTie)) continue;
        ++compared;
        const auto plain = plain_route(spec, logits.data() + 64 * t);
        for (std::size_t k = 0; k < 6; ++k) {
          REQUIRE(first.experts[6 * t + k] == plain.experts[k]);
          REQUIRE(std::abs(double{first.weights[6 * t + k]} / plain.weights[k] - 1) < 30 * 0x1p-24);
        }
      }
      CHECK(compared > 480);
    }
  }
}

TEST_CASE("kernels: ties go to the lower index and have margin 0") {
  auto spec = sigmoid_spec(6, 2);
  each_compute([&](const Compute& c) {
    const auto r = routed(c, spec, {0, 1, 1, 1, 0, 0});
    CHECK(r.experts == std::vector<std::int32_t>{1, 2});
    CHECK(r.margins[0] == 0);
    spec.groups = GroupRule::maximum;
    spec.n_groups = 3;
    spec.top_groups = 1;
    const auto g = routed(c, spec, {0, 1, 1, 0, -1, -1});
    CHECK(g.experts == std::vector<std::int32_t>{0, 1});
    CHECK(g.margins[0] == 0);
    spec.groups = GroupRule::none;
  });
}

TEST_CASE("kernels: the margin is the distance of the closest decision") {
  auto spec = sigmoid_spec(4, 1);
  each_compute([&](const Compute& c) {
    CHECK(routed(c, spec, {logit(0.5), logit(0.25), logit(0.4375), logit(0.1)}).margins[0] ==
          Approx(0.0625).epsilon(1e-6));
    auto all = spec;
    all.top_k = 4;
    CHECK(std::isinf(routed(c, all, {1, 2, 3, 4}).margins[0]));  // nothing is refused
  });
}

TEST_CASE("kernels: the bias moves the choice and never the weight") {
  auto spec = sigmoid_spec(4, 2);
  const float bias[] = {0, 0, 12, 0};
  spec.bias = bias;
  spec.normalise = true;
  each_compute([&](const Compute& c) {
    const auto r = routed(c, spec, {logit(0.6), logit(0.3), logit(0.2), logit(0.1)});
    CHECK(r.experts == std::vector<std::int32_t>{0, 2});
    CHECK(r.weights[0] == Approx(0.75).epsilon(1e-6));
    CHECK(r.weights[1] == Approx(0.25).epsilon(1e-6));
    // scores of 1e-8 beside a bias of 12 keep their digits: the weight is not recovered from the biased sum
    const auto small = routed(c, spec, {-18, -19, -18, -20});
    CHECK(small.weights[0] == Approx(0.5).epsilon(1e-6));
  });
}

TEST_CASE("kernels: groups by the sum of two, or by the maximum") {
  auto spec = sigmoid_spec(6, 2);
  spec.n_groups = 3;
  spec.top_groups = 1;
  const std::vector<float> logits = {logit(0.9), logit(0.1), logit(0.6), logit(0.7), logit(0.5), logit(0.5)};
  each_compute([&](const Compute& c) {
    spec.groups = GroupRule::top2_sum;
    CHECK(routed(c, spec, logits).experts == std::vector<std::int32_t>{2, 3});
    spec.groups = GroupRule::maximum;
    CHECK(routed(c, spec, logits).experts == std::vector<std::int32_t>{0, 1});
  });
}

TEST_CASE("kernels: a refused group cannot win with negative scores, unless the convention says so") {
  auto spec = sigmoid_spec(4, 2);
  const float bias[] = {-1, -1.5f, -2, -2};
  spec.bias = bias;
  spec.groups = GroupRule::top2_sum;
  spec.n_groups = 2;
  spec.top_groups = 1;
  const std::vector<float> logits = {logit(0.5), logit(0.4), logit(0.5), logit(0.4)};
  each_compute([&](const Compute& c) {
    CHECK(routed(c, spec, logits).experts == std::vector<std::int32_t>{0, 1});
    auto zero = spec;
    zero.masked_groups_are_zero = true;
    CHECK(routed(c, zero, logits).experts == std::vector<std::int32_t>{2, 3});
  });
}

TEST_CASE("kernels: weights of no score at all stay finite") {
  auto spec = sigmoid_spec(3, 2);
  spec.normalise = true;
  each_compute([&](const Compute& c) {
    for (const float w : routed(c, spec, {-500, -500, -500}).weights) CHECK(w == 0);
  });
}

TEST_CASE("kernels: soft-max over the chosen only") {
  auto spec = sigmoid_spec(4, 2);
  spec.score = RouterScore::softmax_of_chosen;
  each_compute([&](const Compute& c) {
    const auto r = routed(c, spec, {1, 3, -2, 2});
    CHECK(r.experts == std::vector<std::int32_t>{1, 3});
    CHECK(r.weights[0] == Approx(1 / (1 + std::exp(-1.0))).epsilon(1e-6));
    CHECK(r.weights[0] + r.weights[1] == Approx(1).epsilon(1e-6));
  });
}

TEST_CASE("kernels: a forced choice gets the weights it would have had") {
  auto spec = sigmoid_spec(16, 4);
  spec.normalise = true;
  spec.scale = 2.5f;
  const auto logits = normals(16 * 20, 3);
  each_compute([&](const Compute& c) {
    const auto r = routed(c, spec, logits);
    std::vector<float> weights(r.weights.size());
    auto experts = r.experts;
    route_forced(c, spec, logits.data(), 20, {experts.data(), weights.data(), nullptr});
    CHECK(same_bits(weights, r.weights));
  });
}

TEST_CASE("kernels: NaN logits still choose distinct experts in range") {
  auto spec = sigmoid_spec(8, 3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  each_compute([&](const Compute& c) {
    const auto r = routed(c, spec, std::vector<float>(8, nan));
    CHECK(std::is_sorted(r.experts.begin(), r.experts.end()));
    CHECK(std::adjacent_find(r.experts.begin(), r.experts.end()) == r.experts.end());
    CHECK((r.experts.front() >= 0 && r.experts.back() < 8));
    CHECK(std::isnan(r.weights[0]));
  });
}

}  // namespace
}  // namespace assay::test
