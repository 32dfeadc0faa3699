// A matrix somebody else owns: pointer and extents, checked where it is indexed.
#pragma once
#include <cstddef>
#include <span>

#include "base/check.h"

namespace assay {

template <class T>
struct MatrixView {  // (rows, cols), row-major, `stride` elements from row to row
  T* data = nullptr;
  std::size_t rows = 0, cols = 0, stride = 0;

  MatrixView() = default;
  MatrixView(T* p, std::size_t n_rows, std::size_t n_cols) : MatrixView(p, n_rows, n_cols, n_cols) {}
  MatrixView(T* p, std::size_t n_rows, std::size_t n_cols, std::size_t row_stride)
      : data(p), rows(n_rows), cols(n_cols), stride(row_stride) {
    ASSAY_CHECK(row_stride >= n_cols);
  }
  operator MatrixView<const T>() const {
    return {data, rows, cols, stride};
  }  // NOLINT: a read-only view of the same

  std::span<T> row(std::size_t i) const {
    ASSAY_CHECK(i < rows);
    return {data + i * stride, cols};
  }
  T& at(std::size_t i, std::size_t j) const {
    ASSAY_CHECK(i < rows && j < cols);
    return data[i * stride + j];
  }
};

}  // namespace assay
