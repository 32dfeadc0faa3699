#include "reference/model/oracle_parts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::size_t> order_of(const Row& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

// Indices of the k largest, ascending; ties to the lower index. Lowers `margin` to the distance of the last
// kept from the first left out.
std::vector<std::size_t> top_k(const Row& scores, std::size_t k, double& margin) {
  ASSAY_CHECK(k <= scores.size());
  std::vector<std::size_t> order = order_of(scores);
  if (k > 0 && k < scores.size()) {
    const double gap = scores[order[k - 1]] - scores[order[k]];
    margin = std::min(margin,
                      std::isnan(gap) ? kInfinity : gap);  // -inf next to -inf: closed groups are no rivals
  }
  order.resize(k);
  std::sort(order.begin(), order.end());
  return order;
}

double group_score(GroupScore rule, std::span<const double> members) {
  Row sorted(members.begin(), members.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  if (rule == GroupScore::top2_sum && sorted.size() > 1) return sorted[0] + sorted[1];
  return sorted[0];
}

// DeepSeek-V3 inference/model.py Gate: only experts of the best groups compete.
Row close_groups(const RouterConfig& router, const Row& choice, double& margin) {
  if (router.group_score == GroupScore::none || router.n_groups <= 1) return choice;
  const auto groups = static_cast<std::size_t>(router.n_groups), size = choice.size() / groups;
  Row ranked;
  for (std::size_t g = 0; g < groups; ++g)
    ranked.push_back(group_score(router.group_score, std::span(choice).subspan(g * size, size)));
  const auto open = top_k(ranked, static_cast<std::size_t>(router.n_open_groups), margin);
  Row out(choice.size(), router.closed_groups == ClosedGroups::zero ? 0.0 : -kInfinity);
  for (const std::size_t g : open)
    std::copy_n(choice.begin() + static_cast<std::ptrdiff_t>(g * size), size,
                out.begin() + static_cast<std::ptrdiff_t>(g * size));
  return out;
}

void normalise(const RouterConfig& router, Row& weights) {
  if (router.topk_norm != TopkNorm::none) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0) + router.epsilon;
    for (double& w : weights) w /= sum;
  }
  if (router.topk_norm == TopkNorm::sum_unscaled) return;
  for (double& w : weights) w *= router.scaling_factor;
}

}  // namespace

Row Linear::operator()(const Row& x) const {
  ASSAY_CHECK(static_cast<std::int64_t>(x.size()) == n_in);
  const auto width = static_cast<std::size_t>(n_out);
  Row y(width, 0.0);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double* column = columns.data() + k * width;
    for (std::size_t o = 0; o < width; ++o) y[o] += x[k] * column[o];
  }
  for (std::size_t o = 0; o < bias.size(); ++o) y[o] += bias[o];
  return y;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double silu(double x) { return x * sigmoid(x); }
double clamped_swiglu(double gate, double up, double alpha, double limit) {
  const double g = gate > limit ? limit : gate, u = up > limit ? limit : up < -limit ? -limit : up;
  return (u + 1) * g * sigmoid(alpha * g);
}

Row softmax(const Row& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  Row y;
  double sum = 0;
  for (const double each : x) sum += y.emplace_back(std::exp(each - largest));
  for (double& each : y) each /= sum;
  return y;
}

Row rms_norm(std::span<const double> x, const Row& weight, double eps) {
  ASSAY_CHECK(x.size() == weight.size());
  double sum = 0;
  for (const double each : x) sum += each * each;
  const double root = std::sqrt(sum / static_cast<double>(x.size()) + eps);
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / root * weight[i];
  return y;
}

void rotate(double* head, std::span<const double> cos, std::span<const double> sin, RopeLayout layout) {
  ASSAY_CHECK(cos.size() == sin.size());
  const std::size_t n = cos.size();
  for (std::size_t i = 0; i < n; ++i) {
    double& a = layout == RopeLayout::pairs ? head[2 * i] : head[i];
    double& b = layout == RopeLayout::pairs ? head[2 * i + 1] : head[i + n];
    const double x = a, y = b;
    a = x * cos[i] - y * sin[i];
    b = y * cos[i] + x * sin[i];
  }
}

Routing route(const RouterConfig& router, const Row& logits, const Row& bias,
              std::span<const std::int32_t> forced) {
  ASSAY_CHECK(static_cast<std::int64_t>(logits.size()) == router.n_experts);
  Routing out{.experts = {}, .weights = {}, .scores = {}, .margin = kInfinity};
  if (router.scoring == Scoring::softmax) out.scores = softmax(logits);
  if (router.scoring == Scoring::softmax_of_chosen) out.scores = logits;
  if (router.scoring == Scoring::sigmoid) {
    for (const double each : logits) out.scores.push_back(sigmoid(each));
  }
  Row choice = out.scores;
  for (std::size_t e = 0; e < bias.size(); ++e) choice[e] += bias[e];
  const Row open = close_groups(router, choice, out.margin);
  for (const std::size_t e : top_k(open, static_cast<std::size_t>(router.n_chosen), out.margin)) {
    out.experts.push_back(static_cast<std::int32_t>(e));
  }
  if (!forced.empty()) out.experts.assign(forced.begin(), forced.end());
  ASSAY_CHECK(static_cast<std::int64_t>(out.experts.size()) == router.n_chosen);
  for (const std::int32_t e : out.experts) {
    const auto i = static_cast<std::size_t>(e);
    out.weights.push_back(router.mixing_weight == MixingWeight::biased ? choice[i] : out.scores[i]);
  }
  if (router.scoring == Scoring::softmax_of_chosen) out.weights = softmax(out.weights);
  normalise(router, out.weights);
  return out;
}

}  // namespace assay::oracle
