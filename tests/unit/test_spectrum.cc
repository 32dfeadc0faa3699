// Eigenvalues against matrices whose values are known, and the rank of sums of outer products.
#include <cmath>
#include <numbers>

#include "base/rng.h"
#include "eval/compare/spectrum.h"
#include "tests/catch.h"

namespace {

using namespace assay;

TEST_CASE("spectrum: small matrices with known eigenvalues") {
  CHECK(symmetric_eigenvalues({3}, 1) == std::vector<double>{3});
  const auto two = symmetric_eigenvalues({2, 1, 1, 2}, 2);
  CHECK(two[0] == Approx(3));
  CHECK(two[1] == Approx(1));
  const auto diagonal = symmetric_eigenvalues({1, 0, 0, 0, 5, 0, 0, 0, -2}, 3);
  CHECK(diagonal == std::vector<double>{5, 1, -2});
  CHECK(symmetric_eigenvalues(std::vector<double>(16, 0.0), 4) == std::vector<double>(4, 0.0));
  const auto ones = symmetric_eigenvalues(std::vector<double>(25, 1.0), 5);
  CHECK(ones[0] == Approx(5));
  for (std::size_t i = 1; i < 5; ++i) CHECK(std::abs(ones[i]) < 1e-14);
}

TEST_CASE("spectrum: the second difference has the eigenvalues 2 - 2 cos") {
  for (const std::size_t n : {3, 10, 47}) {
    std::vector<double> matrix(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      matrix[i * n + i] = 2;
      if (i + 1 < n) matrix[i * n + i + 1] = matrix[(i + 1) * n + i] = -1;
    }
    const auto values = symmetric_eigenvalues(matrix, n);
    for (std::size_t k = 0; k < n; ++k) {
      const double expected =
          2 - 2 * std::cos(std::numbers::pi * static_cast<double>(n - k) / static_cast<double>(n + 1));
      CHECK(values[k] == Approx(expected).margin(1e-12));
    }
  }
}

TEST_CASE("spectrum: trace and squared norm are kept") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Stream random(seed);
    const std::size_t n = 2 + random.below(40);
    std::vector<double> matrix(n * n);
    double trace = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) matrix[i * n + j] = matrix[j * n + i] = random.normal();
    }
    for (std::size_t i = 0; i < n; ++i) {
      trace += matrix[i * n + i];
      for (std::size_t j = 0; j < n; ++j) squares += matrix[i * n + j] * matrix[i * n + j];
    }
    double sum = 0, sum_squares = 0;
    for (const double value : symmetric_eigenvalues(matrix, n)) {
      sum += value;
      sum_squares += value * value;
    }
    CHECK(sum == Approx(trace).margin(1e-10));
    CHECK(sum_squares == Approx(squares).epsilon(1e-10));
  }
}

// (rows, cols) as a sum of `rank` outer products of normals.
std::vector<double> low_rank(std::size_t rows, std::size_t cols, std::size_t rank) {
  std::vector<double> matrix(rows * cols);
  for (std::size_t r = 0; r < rank; ++r) {
    Stream left(1, r), right(2, r);
    std::vector<double> u(rows), v(cols);
    for (double& x : u) x = left.normal();
    for (double& x : v) x = right.normal();
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < cols; ++j) matrix[i * cols + j] += u[i] * v[j];
    }
  }
  return matrix;
}

TEST_CASE("spectrum: the rank that holds 95 % of the energy") {
  CHECK(energy_rank(std::vector<double>(12, 0.0), 3, 4, 0.95) == 0);
  CHECK(energy_rank(low_rank(40, 60, 1), 40, 60, 0.95) == 1);
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{64, 48}, {48, 64}}) {
    const std::size_t four = energy_rank(low_rank(rows, cols, 4), rows, cols, 0.95);
    CHECK(four >= 3);
    CHECK(four <= 4);
    CHECK(energy_rank(low_rank(rows, cols, 4), rows, cols, 1 - 1e-9) == 4);
    CHECK(energy_rank(low_rank(rows, cols, 100), rows, cols, 0.95) > 25);
  }
}

}  // namespace
