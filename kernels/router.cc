// Which experts a token goes to (scalar: a few thousand operations a token beside the millions of one
// expert), and with what weight.
#include <algorithm>
#include <limits>

#include "kernels/contract.h"
#include "kernels/scratch.h"

namespace assay {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One token's decision.
struct Token {
  float score[kMaxExperts];   // unbiased, what weights are made of
  float choice[kMaxExperts];  // biased, what is compared
  bool allowed[kMaxExperts];
  bool chosen[kMaxExperts];
  double margin = kInfinity;
};

// Marks the `count` largest of value[0, n) among `open`; ties to the lower index. Gives the distance of the
// last one taken to the best refused.
double take_largest(const float* value, const bool* open, std::int64_t n, std::int64_t count, bool* taken) {
  std::fill(taken, taken + n, false);
  double last = kInfinity;
  for (std::int64_t round = 0; round <= count; ++round) {
    std::int64_t best = -1;
    for (std::int64_t i = 0; i < n; ++i) {
      if (open[i] && !taken[i] && (best < 0 || value[i] > value[best])) best = i;
    }
    if (best < 0) return kInfinity;
    if (round == count) return last - double{value[best]};
    taken[best] = true;
    last = double{value[best]};
  }
  return kInfinity;
}

float group_score(const RouterSpec& spec, const float* choice, std::int64_t n) {
  float best = choice[0], second = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 1; i < n; ++i) {
    if (choice[i] > best) {
      second = best;
      best = choice[i];
    } else if (choice[i] > second) {
      second = choice[i];
    }
  }
  return spec.groups == GroupRule::top2_sum && n > 1 ? best + second : best;
}

void limit_groups(const RouterSpec& spec, Token& token) {
  std::fill(token.allowed, token.allowed + spec.n_experts, true);
  if (spec.groups == GroupRule::none || spec.top_groups == spec.n_groups) return;
  const std::int64_t size = spec.n_experts / spec.n_groups;
  float scores[kMaxExperts];
  bool open[kMaxExperts], taken[kMaxExperts];
  for (std::int64_t g = 0; g < spec.n_groups; ++g)
    scores[g] = group_score(spec, token.choice + g * size, size);
  std::fill(open, open + spec.n_groups, true);
  token.margin = take_largest(scores, open, spec.n_groups, spec.top_groups, taken);
  for (std::int64_t i = 0; i < spec.n_experts; ++i) {
    if (taken[i / size]) continue;
    spec.masked_groups_are_zero ? static_cast<void>(token.choice[i] = 0.0f)
                                : static_cast<void>(token.allowed[i] = false);
  }
}

void score_token(const Kernels& kernels, const RouterSpec& spec, const float* logits, Token& token) {
  const std::int64_t n = spec.n_experts;
  switch (spec.score) {
    case RouterScore::softmax:
      kernels.softmax(logits, n, token.score);
      break;
    case RouterScore::sigmoid:
      kernels.apply(Function::sigmoid, logits, n, token.score);
      break;
    case RouterScore::softmax_of_chosen:
      std::copy_n(logits, n, token.score);
      break;
  }
  for (std::int64_t i = 0; i < n; ++i)
    token.choice[i] = spec.bias == nullptr ? token.score[i] : token.score[i] + spec.bias[i];
}

void weigh(const Kernels& kernels, const RouterSpec& spec, const Token& token, const std::int32_t* experts,
           float* weights) {
  for (std::int64_t k = 0; k < spec.top_k; ++k)
    weights[k] = spec.weights_are_biased ? token.choice[experts[k]] : token.score[experts[k]];
  if (spec.score == RouterScore::softmax_of_chosen) kernels.softmax(weights, spec.top_k, weights);
  if (spec.normalise) {
    float sum = 0.0f;
    for (std::int64_t k = 0; k < spec.top_k; ++k) sum += weights[k];
    for (std::int64_t k = 0; k < spec.top_k; ++k) weights[k] /= sum + spec.epsilon;
  }
  for (std::int64_t k = 0; k < spec.top_k; ++k) weights[k] *= spec.scale;
}

void check_spec(const RouterSpec& spec, const RouterChoice& out) {
  ASSAY_CHECK(spec.n_experts >= 1 && spec.n_experts <= kMaxExperts);
  ASSAY_CHECK(spec.top_k >= 1 && spec.top_k <= spec.n_experts);
  ASSAY_CHECK(spec.n_groups >= 1 && spec.n_experts % spec.n_groups == 0);
  ASSAY_CHECK(spec.top_groups >= 1 && spec.top_groups <= spec.n_groups);
  ASSAY_CHECK(spec.groups == GroupRule::none ||
              spec.n_experts / spec.n_groups * spec.top_groups >= spec.top_k);
  ASSAY_CHECK(spec.epsilon >= 0);
  ASSAY_CHECK(out.experts != nullptr && out.weights != nullptr);
}

// `out` points at this token.
void route_token(const Kernels& kernels, const RouterSpec& spec, const float* logits,
                 const RouterChoice& out) {
  Token token;
  score_token(kernels, spec, logits, token);
  limit_groups(spec, token);
  const double distance = take_largest(token.choice, token.allowed, spec.n_experts, spec.top_k, token.chosen);
  std::int64_t k = 0;
  for (std::int32_t i = 0; i < spec.n_experts; ++i) {
    if (token.chosen[i]) out.experts[k++] = i;
  }
  ASSAY_CHECK(k == spec.top_k);
  weigh(kernels, spec, token, out.experts, out.weights);
  if (out.margins != nullptr) *out.margins = std::min(token.margin, distance);
  if (out.group_margins != nullptr) *out.group_margins = token.margin;
  if (out.expert_margins != nullptr) *out.expert_margins = distance;
  if (out.scores != nullptr) std::copy_n(token.score, spec.n_experts, out.scores);
}

RouterChoice at_token(const RouterSpec& spec, const RouterChoice& out, std::int64_t t) {
  const auto later = [t](auto* p, std::int64_t width) { return p == nullptr ? p : p + t * width; };
  return {.experts = out.experts + t * spec.top_k,
          .weights = out.weights + t * spec.top_k,
          .margins = later(out.margins, 1),
          .group_margins = later(out.group_margins, 1),
          .expert_margins = later(out.expert_margins, 1),
          .scores = later(out.scores, spec.n_experts)};
}

}  // namespace

void route(const Compute& c, const RouterSpec& spec, const float* logits, std::int64_t n_tokens,
           const RouterChoice& out) {
  check_spec(spec, out);
  const std::int64_t cost = std::int64_t{spec.n_experts} * (spec.top_k + 4);
  for_rows(c.pool, n_tokens, cost, [&](std::int64_t t) {
    route_token(c.kernels, spec, logits + t * spec.n_experts, at_token(spec, out, t));
  });
}

void route_forced(const Compute& c, const RouterSpec& spec, const float* logits, std::int64_t n_tokens,
                  const RouterChoice& out) {
  check_spec(spec, out);
  for_rows(c.pool, n_tokens, 4 * spec.n_experts, [&](std::int64_t t) {
    Token token;
    const std::int32_t* const experts = out.experts + t * spec.top_k;
    for (std::int64_t k = 0; k < spec.top_k; ++k) {
      ASSAY_CHECK(experts[k] >= 0 && experts[k] < spec.n_experts && (k == 0 || experts[k - 1] < experts[k]));
    }
    score_token(c.kernels, spec, logits + t * spec.n_experts, token);
    weigh(c.kernels, spec, token, experts, out.weights + t * spec.top_k);
  });
}

}  // namespace assay
