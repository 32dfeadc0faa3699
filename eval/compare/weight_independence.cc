#include "eval/compare/weight_independence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/rng.h"

namespace assay {
namespace {

// One hidden layer: the sampled rows of both sides.
struct UnitPair {
  std::size_t n = 0, d = 0;
  std::vector<float> a, b;  // (n, d)
  double mean = 0, sd = 0;  // of b's elements: the scale that siblings are drawn with
};

// Names of up-projections in the families that are known: one tensor for each group of exchangeable hidden units.
bool is_up_projection(std::string_view name) {
  for (const std::string_view suffix :
       {".up_proj.weight", ".w3.weight", ".gate_up_proj.weight", ".fc1.weight", ".c_fc.weight"}) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

// Evenly spaced indices, at most `most` of `n`.
std::vector<std::size_t> spaced(std::size_t n, std::size_t most) {
  const std::size_t k = std::min(n, most);
  std::vector<std::size_t> indices(k);
  for (std::size_t i = 0; i < k; ++i) indices[i] = i * n / k;
  return indices;
}

std::vector<const TensorView*> candidates(const RowSource& a, const RowSource& b) {
  std::vector<const TensorView*> found;
  for (const TensorView& view : a.tensors()) {
    const TensorView* other = b.find(view.name);
    const bool fits = is_up_projection(view.name) && view.shape.size() == 2 && view.shape[0] >= 4 &&
                      view.shape[1] >= 1 && other != nullptr && other->shape == view.shape;
    if (fits) found.push_back(&view);
  }
  std::vector<const TensorView*> chosen;
  for (const std::size_t i : spaced(found.size(), kMaxTraceTensors)) chosen.push_back(found[i]);
  return chosen;
}

Status read_rows(const RowSource& source, const TensorView& view, std::span<const std::size_t> rows,
                 std::vector<float>& out) {
  const auto d = static_cast<std::size_t>(view.shape[1]);
  std::vector<float> scales(d);
  out.resize(rows.size() * d);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSAY_OK(
        source.rows(view, static_cast<std::int64_t>(rows[i]), 1, std::span(out).subspan(i * d, d), scales));
  }
  return {};
}

Result<UnitPair> read_pair(const RowSource& a, const RowSource& b, const TensorView& view) {
  const auto rows = spaced(static_cast<std::size_t>(view.shape[0]), kMaxTraceRows);
  UnitPair pair{.n = rows.size(), .d = static_cast<std::size_t>(view.shape[1])};
  ASSAY_OK(read_rows(a, view, rows, pair.a));
  const TensorView* other = b.find(view.name);
  ASSAY_CHECK(other != nullptr);
  ASSAY_OK(read_rows(b, *other, rows, pair.b));
  double sum = 0, squares = 0;
  for (const float value : pair.b) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(pair.b.size());
  pair.mean = sum / count;
  pair.sd = std::sqrt(std::max(0.0, squares / count - pair.mean * pair.mean));
  return pair;
}

// Rows divided by their length, in f64; a row of zeros, or with a number that is not finite, stays or becomes zero.
std::vector<double> unit_rows(const std::vector<float>& rows, std::size_t n, std::size_t d) {
  std::vector<double> out(n * d);
  for (std::size_t i = 0; i < n; ++i) {
    double squares = 0;
    for (std::size_t k = 0; k < d; ++k) squares += static_cast<double>(rows[i * d + k]) * rows[i * d + k];
    if (!(squares > 0) || !std::isfinite(squares)) continue;
    const double factor = 1 / std::sqrt(squares);
    for (std::size_t k = 0; k < d; ++k) out[i * d + k] = rows[i * d + k] * factor;
  }
  return out;
}

// C = A Bᵀ (n, n), the sum over k outermost so that the inner loop runs over columns.
std::vector<double> cosines(const std::vector<double>& a, const std::vector<double>& b, std::size_t n,
                            std::size_t d) {
  std::vector<double> transposed(d * n), c(n * n);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < d; ++k) transposed[k * n + j] = b[j * d + k];
  }
  for (std::size_t i = 0; i < n; ++i) {
    double* row = c.data() + i * n;
    for (std::size_t k = 0; k < d; ++k) {
      const double x = a[i * d + k];
      const double* y = transposed.data() + k * n;
      for (std::size_t j = 0; j < n; ++j) row[j] += x * y[j];
    }
  }
  return c;
}

double stouffer(const std::vector<double>& z) {
  return std::accumulate(z.begin(), z.end(), 0.0) / std::sqrt(static_cast<double>(z.size()));
}

// Standard normals, two of each Box-Muller pair; an even number of them.
void draw_normals(Stream& random, std::span<float> out) {
  ASSAY_CHECK(out.size() % 2 == 0);
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log((random.u32() + 0.5) * 0x1p-32));
    const double angle = 2 * std::numbers::pi * ((random.u32() + 0.5) * 0x1p-32);
    out[i] = static_cast<float>(radius * std::cos(angle));
    out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

// The statistic with every B replaced by draws of its scale from sibling `index`.
double sibling_statistic(const std::vector<UnitPair>& pairs, std::uint64_t seed, std::uint64_t index) {
  std::vector<double> z;
  std::vector<float> drawn;
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const UnitPair& pair = pairs[p];
    Stream random(seed, index, static_cast<std::uint32_t>(p));
    drawn.resize((pair.b.size() + 1) / 2 * 2);
    draw_normals(random, drawn);
    for (float& value : drawn) value = static_cast<float>(pair.mean + pair.sd * value);
    drawn.resize(pair.b.size());
    z.push_back(trace_test(pair.a, drawn, pair.n, pair.d).z);
  }
  return stouffer(z);
}

void set_effect(IndependenceTest& test, const std::vector<double>& cosine) {
  const auto n = static_cast<double>(cosine.size());
  test.effect = std::accumulate(cosine.begin(), cosine.end(), 0.0) / n;
  double squares = 0;
  for (const double value : cosine) squares += (value - test.effect) * (value - test.effect);
  const double se = cosine.size() < 2 ? 0 : std::sqrt(squares / (n - 1) / n);
  test.low = test.effect - 1.959964 * se;
  test.high = test.effect + 1.959964 * se;
}

}  // namespace

TraceResult trace_test(const std::vector<float>& a, const std::vector<float>& b, std::size_t n,
                       std::size_t d) {
  ASSAY_CHECK(n >= 2 && a.size() == n * d && b.size() == n * d);
  const std::vector<double> c = cosines(unit_rows(a, n, d), unit_rows(b, n, d), n, d);
  std::vector<double> row(n), col(n);
  double total = 0, trace = 0;
  for (std::size_t i = 0; i < n; ++i) {
    trace += c[i * n + i];
    for (std::size_t j = 0; j < n; ++j) {
      row[i] += c[i * n + j];
      col[j] += c[i * n + j];
    }
    total += row[i];
  }
  const auto count = static_cast<double>(n);
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double centred = c[i * n + j] - row[i] / count - col[j] / count + total / (count * count);
      squares += centred * centred;
    }
  }
  const double sd = std::sqrt(squares / (count - 1));
  return {.z = sd > 1e-12 ? (trace - total / count) / sd : 0, .mean_cosine = trace / count};
}

Result<IndependenceTest> test_independence(const RowSource& a, const RowSource& b, std::uint64_t seed,
                                           int siblings, ThreadPool& pool) {
  ASSAY_CHECK(siblings >= 1);
  std::vector<UnitPair> pairs;
  for (const TensorView* view : candidates(a, b)) {
    ASSAY_TRY(UnitPair pair, read_pair(a, b, *view));
    pairs.push_back(std::move(pair));
  }
  IndependenceTest test{.n = pairs.size()};
  if (pairs.empty()) return test;
  std::vector<double> z, cosine;
  for (const UnitPair& pair : pairs) {
    const TraceResult one = trace_test(pair.a, pair.b, pair.n, pair.d);
    z.push_back(one.z);
    cosine.push_back(one.mean_cosine);
  }
  test.statistic = stouffer(z);
  set_effect(test, cosine);
  std::vector<double> null(static_cast<std::size_t>(siblings));
  pool.run(null.size(), [&](std::size_t i, int) { null[i] = sibling_statistic(pairs, seed, i); });
  const auto above =
      std::count_if(null.begin(), null.end(), [&](double value) { return value >= test.statistic; });
  test.p = static_cast<double>(1 + above) / (1 + siblings);
  test.p_min = 1.0 / (1 + siblings);
  test.panel = fmt::format("{} siblings of the same shape and scale, drawn from seed {}", siblings, seed);
  return test;
}

}  // namespace assay
