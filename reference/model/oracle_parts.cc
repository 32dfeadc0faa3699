#include "reference/model/oracle_parts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reference/weights/dequant.h"

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

double to_bf16(double x) { return widen_bf16(round_bf16(static_cast<float>(x))); }

Row rounded_to_bf16(Row x) {
  for (double& each : x) each = to_bf16(each);
  return x;
}

// Experts of the open groups alone share the probability (RouterSoftmax::over_open). Soft-max scores are
// positive, so that what is not belongs to a closed group, whatever closed groups are filled with.
void share_among_open(const Row& open, Row& scores) {
  double sum = 0;
  for (std::size_t e = 0; e < open.size(); ++e) sum += open[e] > 0 ? scores[e] : 0;
  for (double& each : scores) each /= sum;
}

// What scores the choice and the weights: the reading decides what is rounded and where the soft-max stands.
Row scores_of(const RouterConfig& router, const Row& logits) {
  Row scores = logits;
  if (router.reading.numbers == RouterNumbers::bf16_logits) scores = rounded_to_bf16(scores);
  if (router.scoring == Scoring::softmax) scores = softmax(scores);
  if (router.scoring == Scoring::sigmoid) {
    for (double& each : scores) each = sigmoid(each);
  }
  return router.reading.numbers == RouterNumbers::bf16_scores ? rounded_to_bf16(scores) : scores;
}

// DeepSeek-V3 inference/model.py Gate: only experts of the best groups compete.
Row close_groups(const RouterConfig& router, const Row& choice, double& margin) {
  if (router.group_score == GroupScore::none || router.n_groups <= 1) return choice;
  const auto groups = static_cast<std::size_t>(router.n_groups), size = choice.size() / groups;
  Row ranked;
  for (std::size_t g = 0; g < groups; ++g)
    ranked.push_back(group_score(router.group_score, std::span(choice).subspan(g * size, size)));
  const auto open = top_k(ranked, static_cast<std::size_t>(router.n_open_groups), margin);
  // Before the soft-max zero is no low score, and nobody fills with it there.
  const bool zero =
      router.closed_groups == ClosedGroups::zero && router.scoring != Scoring::softmax_of_chosen;
  Row out(choice.size(), zero ? 0.0 : -kInfinity);
  for (const std::size_t g : open)
    std::copy_n(choice.begin() + static_cast<std::ptrdiff_t>(g * size), size,
                out.begin() + static_cast<std::ptrdiff_t>(g * size));
  return out;
}

void normalise(const RouterConfig& router, Row& weights) {
  if (router.topk_norm != TopkNorm::none) {
    const bool guarded = router.reading.epsilon == TopkEpsilon::published;
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0) + (guarded ? router.epsilon : 0);
    for (double& w : weights) w /= sum;
  }
  if (router.topk_norm == TopkNorm::sum_unscaled) return;
  for (double& w : weights) w *= router.routed_scale();
}

}  // namespace

Row correction_of(const RouterConfig& router, Row bias) {
  if (router.reading.correction == CorrectionBias::omitted) return {};
  return router.reading.correction == CorrectionBias::bf16 ? rounded_to_bf16(std::move(bias)) : bias;
}

Row router_input(const RouterConfig& router, const Row& x) {
  return router.reading.numbers == RouterNumbers::bf16_input ? rounded_to_bf16(x) : x;
}

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
  Routing out{.scores = scores_of(router, logits), .group_margin = kInfinity, .expert_margin = kInfinity};
  Row choice = out.scores;
  for (std::size_t e = 0; e < bias.size(); ++e) choice[e] += bias[e];
  const Row open = close_groups(router, choice, out.group_margin);
  if (router.reading.softmax == RouterSoftmax::over_open) share_among_open(open, out.scores);
  for (const std::size_t e : top_k(open, static_cast<std::size_t>(router.n_chosen), out.expert_margin)) {
    out.experts.push_back(static_cast<std::int32_t>(e));
  }
  out.margin = std::min(out.group_margin, out.expert_margin);
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
