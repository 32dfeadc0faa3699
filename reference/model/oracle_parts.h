// Pieces of the f64 oracle, as small as the formulas they come from.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "reference/model/config.h"

namespace assay::oracle {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

struct Linear {  // y = W x + b
  std::int64_t n_out = 0, n_in = 0;
  Row columns;  // (n_in, n_out): transposed, so that the inner loop runs over outputs
  Row bias;     // (n_out) or empty
  Row operator()(const Row& x) const;
  bool empty() const { return columns.empty(); }
};

double sigmoid(double x);
double silu(double x);
// openai/gpt-oss torch/model.py swiglu: the gate is clamped above, up on both sides; (up + 1) * gate * sigmoid(alpha gate).
double clamped_swiglu(double gate, double up, double alpha, double limit);
Row softmax(const Row& x);
Row rms_norm(std::span<const double> x, const Row& weight, double eps);  // x / sqrt(mean(x²) + eps) * weight

// Turns the first 2 * n_pairs elements of a head at one position; cos and sin hold n_pairs each.
void rotate(double* head, std::span<const double> cos, std::span<const double> sin, RopeLayout layout);

struct Routing {
  std::vector<std::int32_t> experts;  // ascending
  Row weights;                        // in that order
  Row scores;                         // (n_experts), unbiased
  double margin = 0;                  // of the closest decision, infinite where nothing was left out
  double group_margin = 0;            // of the groups alone
  double expert_margin = 0;           // of the experts alone
};
// What the reading makes of e_score_correction_bias (empty where it is left out) and of the router's input.
Row correction_of(const RouterConfig& router, Row bias);
Row router_input(const RouterConfig& router, const Row& x);

// One token's choice; `bias` (n_experts) or empty; `forced` (n_chosen, ascending) or empty.
Routing route(const RouterConfig& router, const Row& logits, const Row& bias,
              std::span<const std::int32_t> forced);

}  // namespace assay::oracle
