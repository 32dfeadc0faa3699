// All pairs of one test as a matrix: rows and columns are models, a cell is the effect.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "gui/store.h"
#include "gui/theme.h"

namespace assay::gui {

inline constexpr std::size_t kMaxMatrixNames = 64;  // more cells than that cannot be read

struct MatrixCell {
  std::optional<std::int64_t> similarity_id;  // none: this pair was not compared
  std::optional<double> effect;
};

struct SimilarityMatrix {
  std::string test;
  std::vector<std::string> names;  // in order of appearance, at most kMaxMatrixNames
  std::vector<MatrixCell> cells;   // (names, names), symmetric
  double low = 0, high = 0;        // of the effects, for the colours
  const MatrixCell& at(std::size_t row, std::size_t column) const {
    return cells[row * names.size() + column];
  }
};

SimilarityMatrix build_matrix(const Store& store, const std::string& test);
// The comparison that was clicked.
std::optional<std::int64_t> draw_matrix(const SimilarityMatrix& matrix, std::optional<std::int64_t> selected,
                                        const Fonts& fonts);

}  // namespace assay::gui
