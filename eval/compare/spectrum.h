// How many directions a difference of matrices has: tells a low-rank update (LoRA) from a full fine-tune.
#pragma once
#include <cstddef>
#include <vector>

namespace assay {

// Eigenvalues of a symmetric (n, n) matrix, row-major, descending. Householder reduction to three diagonals, then implicit QL
// with Wilkinson shifts, at most 30 n sweeps; the absolute error is a few n ulps of the largest value.
std::vector<double> symmetric_eigenvalues(std::vector<double> matrix, std::size_t n);

// The smallest number of singular values of (rows, cols) that hold `share` of the squared Frobenius norm; 0 for zeros.
std::size_t energy_rank(const std::vector<double>& matrix, std::size_t rows, std::size_t cols, double share);

}  // namespace assay
