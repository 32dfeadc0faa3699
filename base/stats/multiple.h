// p-values of tests that are looked at together.
#pragma once
#include <span>
#include <vector>

namespace assay::stats {

// Adjusted p-values in the order of the input; every p in [0, 1], the list not empty.
std::vector<double> holm(std::span<const double> p);  // family-wise error: Holm 1979
std::vector<double> benjamini_hochberg(
    std::span<const double> p);  // false discovery rate: Benjamini and Hochberg 1995

}  // namespace assay::stats
