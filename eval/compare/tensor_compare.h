// Two checkpoints held against each other tensor by tensor, as dequantised numbers.
#pragma once
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "base/result.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"

namespace assay {

enum class TensorStatus : std::uint8_t {
  identical,    // the same numbers, whatever the format
  requantised,  // every difference is within the rounding of the coarser format
  changed,      // correlated, but further apart than that
  unrelated,    // the correlation of the centred numbers is within kUnrelatedSigmas of 0
  only_a,
  only_b,
  shape_differs,
};
std::string_view name_of(TensorStatus status);  // "only-a"

// Correlations of n unrelated numbers scatter by 1 / sqrt(n); 4 of that is p = 6e-5, two-sided.
inline constexpr double kUnrelatedSigmas = 4;

struct TensorComparison {
  std::string name;
  TensorStatus status = TensorStatus::identical;
  // NaN where there is no such number (only-a, only-b, shape-differs, values that are not finite).
  double rel_error = std::numeric_limits<double>::quiet_NaN();  // |a - b| / |a|, Frobenius
  double cosine = std::numeric_limits<double>::quiet_NaN();
  double max_abs = std::numeric_limits<double>::quiet_NaN();  // largest |a - b|
  std::int64_t elements = 0;
};

// Numbers of tensors row by row: a checkpoint, or a sibling drawn at random.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual std::span<const TensorView> tensors() const = 0;  // ascending by name, block scales included
  virtual const TensorView* find(std::string_view name) const = 0;
  virtual bool is_scale(const TensorView& view) const = 0;
  // Rows [first, first + n), the scale of each element in `scales`; a tensor of rank 0 is one row of one element.
  virtual Status rows(const TensorView& view, std::int64_t first, std::int64_t n, std::span<float> values,
                      std::span<float> scales) const = 0;
  // The format whose rounding the numbers carry.
  virtual Format format(const TensorView& view) const { return view.format; }
  virtual void release(const TensorView&) const {}
};

class CheckpointRows : public RowSource {
 public:
  CheckpointRows(const Checkpoint& checkpoint, BlockSize block) : checkpoint_(checkpoint), block_(block) {}
  std::span<const TensorView> tensors() const override { return checkpoint_.tensors(); }
  const TensorView* find(std::string_view name) const override { return checkpoint_.find(name); }
  bool is_scale(const TensorView& view) const override { return is_block_scale(checkpoint_, view); }
  Status rows(const TensorView& view, std::int64_t first, std::int64_t n, std::span<float> values,
              std::span<float> scales) const override;
  void release(const TensorView& view) const override { checkpoint_.release(view); }

 private:
  const Checkpoint& checkpoint_;
  BlockSize block_;
};

// A model of the same shape whose every tensor is drawn anew from a normal distribution with that tensor's mean and
// standard deviation: what "same architecture, other seed" looks like at best. Draws depend on seed, tensor and row alone.
class SiblingRows : public RowSource {
 public:
  SiblingRows(const RowSource& like, std::uint64_t seed) : like_(like), seed_(seed) {}
  std::span<const TensorView> tensors() const override { return like_.tensors(); }
  const TensorView* find(std::string_view name) const override { return like_.find(name); }
  bool is_scale(const TensorView& view) const override { return like_.is_scale(view); }
  Status rows(const TensorView& view, std::int64_t first, std::int64_t n, std::span<float> values,
              std::span<float> scales) const override;
  Format format(const TensorView&) const override { return Format::F32; }

 private:
  struct Scale {
    double mean = 0, sd = 0;
  };
  Result<Scale> scale_of(std::size_t index) const;  // of the tensor it is like: read once

  const RowSource& like_;
  std::uint64_t seed_;
  mutable std::mutex mutex_;
  mutable std::map<std::size_t, Scale> scales_;
};

// (rows, columns) as the comparisons see a tensor: the first extent and the product of the others; rank 0 is (1, 1).
struct RowShape {
  std::int64_t rows = 1, cols = 1;
};
RowShape row_shape(const TensorView& view);

// Every name of either side once, ascending; block scales are part of their matrix and not listed. Independent of the
// number of threads.
Result<std::vector<TensorComparison>> compare_tensors(const RowSource& a, const RowSource& b,
                                                      ThreadPool& pool);

// quantization_config.weight_block_size of the folder's config.json, else 128 x 128.
Result<BlockSize> block_size_of(const std::string& folder);

}  // namespace assay
