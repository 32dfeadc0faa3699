#include "eval/compare/spectrum.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace assay {
namespace {

// diagonal (n) and off-diagonal (n - 1) of a matrix with the same eigenvalues.
struct Tridiagonal {
  std::vector<double> diagonal, off;
};

// One Householder step: makes column k zero below its second entry. a <- H a H with H = 1 - 2 v vᵀ, v on rows k + 1 … n - 1.
void reflect(std::vector<double>& a, std::size_t n, std::size_t k) {
  std::vector<double> v(n, 0.0), p(n, 0.0);
  double squares = 0;
  for (std::size_t i = k + 1; i < n; ++i) squares += a[i * n + k] * a[i * n + k];
  const double head = a[(k + 1) * n + k];
  if (squares - head * head <= 0) return;  // already of that form
  const double alpha = head > 0 ? -std::sqrt(squares) : std::sqrt(squares);
  for (std::size_t i = k + 1; i < n; ++i) v[i] = a[i * n + k];
  v[k + 1] -= alpha;
  const double beta = 1 / (squares - head * alpha);  // 2 / vᵀv
  for (std::size_t i = k; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) p[i] += a[i * n + j] * v[j];
    p[i] *= beta;
  }
  double half = 0;
  for (std::size_t i = k + 1; i < n; ++i) half += p[i] * v[i];
  half *= beta / 2;
  for (std::size_t i = k; i < n; ++i) p[i] -= half * v[i];
  for (std::size_t i = k; i < n; ++i) {
    for (std::size_t j = k; j < n; ++j) a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
  }
}

Tridiagonal reduce(std::vector<double> a, std::size_t n) {
  for (std::size_t k = 0; k + 2 < n; ++k) reflect(a, n, k);
  Tridiagonal t;
  for (std::size_t i = 0; i < n; ++i) t.diagonal.push_back(a[i * n + i]);
  for (std::size_t i = 0; i + 1 < n; ++i) t.off.push_back(a[(i + 1) * n + i]);
  return t;
}

// One implicit QL sweep over the unreduced block [low, high] (Golub and Van Loan, section 8.3): chases the bulge with rotations.
void sweep(Tridiagonal& t, std::size_t low, std::size_t high) {
  std::vector<double>&d = t.diagonal, &e = t.off;
  const double half = (d[low + 1] - d[low]) / (2 * e[low]);
  const double shift = d[low] - e[low] / (half + std::copysign(std::hypot(half, 1.0), half));
  double g = d[high] - shift, sine = 1, cosine = 1, p = 0;
  for (std::size_t i = high; i-- > low;) {
    const double f = sine * e[i], b = cosine * e[i];
    const double r = std::hypot(f, g);
    if (i + 1 < high) e[i + 1] = r;
    if (r == 0) {
      d[i + 1] -= p;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = d[i + 1] - p;
    const double q = (d[i] - g) * sine + 2 * cosine * b;
    p = sine * q;
    d[i + 1] = g + p;
    g = cosine * q - b;
  }
  d[low] -= p;
  e[low] = g;
}

}  // namespace

std::vector<double> symmetric_eigenvalues(std::vector<double> matrix, std::size_t n) {
  ASSAY_CHECK(n > 0 && matrix.size() == n * n);
  Tridiagonal t = reduce(std::move(matrix), n);
  double norm = 0;
  for (const double x : t.diagonal) norm = std::max(norm, std::abs(x));
  for (const double x : t.off) norm = std::max(norm, std::abs(x));
  const double small = norm * std::numeric_limits<double>::epsilon();
  std::size_t steps = 0;
  for (std::size_t low = 0; low < n;) {
    std::size_t high = low;
    while (high + 1 < n && std::abs(t.off[high]) > small) ++high;
    if (high == low || ++steps > 30 * n) {
      ++low;
    } else {
      sweep(t, low, high);
    }
  }
  std::sort(t.diagonal.begin(), t.diagonal.end(), std::greater<>());
  return t.diagonal;
}

std::size_t energy_rank(const std::vector<double>& matrix, std::size_t rows, std::size_t cols, double share) {
  ASSAY_CHECK(matrix.size() == rows * cols && share > 0 && share <= 1);
  const bool wide = rows <= cols;  // the smaller of the two Gram matrices
  const std::size_t n = wide ? rows : cols, inner = wide ? cols : rows;
  if (n == 0) return 0;
  const auto at = [&](std::size_t i, std::size_t k) {
    return wide ? matrix[i * cols + k] : matrix[k * cols + i];
  };
  std::vector<double> gram(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < inner; ++k) sum += at(i, k) * at(j, k);
      gram[i * n + j] = gram[j * n + i] = sum;
    }
  }
  const std::vector<double> energies = symmetric_eigenvalues(std::move(gram), n);
  const double total = std::accumulate(energies.begin(), energies.end(), 0.0);
  double sum = 0;
  std::size_t rank = 0;
  while (rank < n && sum < share * total) sum += energies[rank++];
  return rank;
}

}  // namespace assay
