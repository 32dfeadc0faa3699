#include "eval/compare/tensor_compare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.h"
#include "base/rng.h"

namespace assay {
namespace {

constexpr std::int64_t kSliceElements =
    1 << 18;                          // rows are read in slices of about this size: 4 MB of buffers a thread
constexpr double kGridSlack = 1.001;  // scale and quotient were rounded too when the tensor was quantised

// Sums over the elements of two tensors, in f64, in the order of the elements.
struct Sums {
  double aa = 0, bb = 0, ab = 0, a = 0, b = 0, dd = 0, max_abs = 0;
  std::int64_t n = 0;
  bool equal = true, on_grid = true, finite = true;
};

bool same_number(float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); }

struct TensorSide {
  TensorSide(const RowSource& rows, const TensorView& tensor)
      : source(&rows), view(&tensor), format(rows.format(tensor)) {}
  Status load(std::int64_t first, std::int64_t n, std::int64_t cols) {
    values.resize(static_cast<std::size_t>(n * cols));
    scales.resize(values.size());
    return source->rows(*view, first, n, values, scales);
  }
  const RowSource* source;
  const TensorView* view;
  Format format;
  std::vector<float> values, scales;
};

void add_slice(Sums& sums, const TensorSide& a, const TensorSide& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double x = a.values[i], y = b.values[i], d = x - y;
    sums.equal &= same_number(a.values[i], b.values[i]);
    if (!std::isfinite(d)) {
      sums.finite = false;
      continue;
    }
    sums.aa += x * x;
    sums.bb += y * y;
    sums.ab += x * y;
    sums.a += x;
    sums.b += y;
    sums.dd += d * d;
    sums.max_abs = std::max(sums.max_abs, std::abs(d));
    if (d == 0 || !sums.on_grid) continue;
    const double allowed = half_step(a.format, a.scales[i], x) + half_step(b.format, b.scales[i], y);
    sums.on_grid = std::abs(d) <= kGridSlack * allowed;
  }
  sums.n += static_cast<std::int64_t>(a.values.size());
}

// Correlation of the centred numbers; no value where one side is constant.
std::optional<double> correlation(const Sums& s) {
  const auto n = static_cast<double>(s.n);
  const double va = s.aa - s.a * s.a / n, vb = s.bb - s.b * s.b / n;
  if (!(va > 1e-12 * s.aa) || !(vb > 1e-12 * s.bb)) return std::nullopt;
  return (s.ab - s.a * s.b / n) / std::sqrt(va * vb);
}

// Rounding to another grid can explain a difference only where the grids differ.
bool grids_differ(const TensorSide& a, const TensorSide& b) { return a.format != b.format || is_fp8_matrix(a.format); }

TensorStatus status_of(const Sums& sums, const TensorSide& a, const TensorSide& b) {
  if (sums.equal) return TensorStatus::identical;
  if (!sums.finite) return TensorStatus::changed;
  if (sums.on_grid && grids_differ(a, b)) return TensorStatus::requantised;
  const auto r = correlation(sums);
  if (!r) return TensorStatus::changed;
  const bool related = std::abs(*r) > kUnrelatedSigmas / std::sqrt(static_cast<double>(sums.n));
  return related ? TensorStatus::changed : TensorStatus::unrelated;
}

Result<TensorComparison> compare_one(TensorSide a, TensorSide b) {
  const RowShape shape = row_shape(*a.view);
  TensorComparison out{.name = a.view->name, .elements = a.view->elements()};
  Sums sums;
  const std::int64_t step = std::max<std::int64_t>(1, kSliceElements / std::max<std::int64_t>(1, shape.cols));
  for (std::int64_t first = 0; first < shape.rows && shape.cols > 0; first += step) {
    const std::int64_t n = std::min(step, shape.rows - first);
    ASSAY_OK(a.load(first, n, shape.cols));
    ASSAY_OK(b.load(first, n, shape.cols));
    add_slice(sums, a, b);
  }
  ASSAY_CHECK(sums.n == out.elements);
  a.source->release(*a.view);
  b.source->release(*b.view);
  out.status = status_of(sums, a, b);
  if (!sums.finite || sums.n == 0) return out;
  out.max_abs = sums.max_abs;
  out.rel_error = sums.dd == 0 ? 0 : std::sqrt(sums.dd / sums.aa);
  out.cosine = sums.dd == 0 ? 1 : sums.ab / std::sqrt(sums.aa * sums.bb);
  return out;
}

// Names of both sides, ascending, without block scales.
std::vector<std::string_view> all_names(const RowSource& a, const RowSource& b) {
  std::vector<std::string_view> names;
  for (const RowSource* source : {&a, &b}) {
    for (const TensorView& view : source->tensors()) {
      if (!source->is_scale(view)) names.push_back(view.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<TensorComparison> compare_name(const RowSource& a, const RowSource& b, std::string_view name) {
  const TensorView *x = a.find(name), *y = b.find(name);
  ASSAY_CHECK(x != nullptr || y != nullptr);
  TensorComparison out{.name = std::string(name), .elements = (x != nullptr ? x : y)->elements()};
  if (x == nullptr || y == nullptr) {
    out.status = x == nullptr ? TensorStatus::only_b : TensorStatus::only_a;
    return out;
  }
  if (x->shape != y->shape) {
    out.status = TensorStatus::shape_differs;
    return out;
  }
  return compare_one(TensorSide(a, *x), TensorSide(b, *y));
}

// Mean and standard deviation of a tensor, non-finite elements left out.
Result<std::pair<double, double>> moments(const RowSource& source, const TensorView& view) {
  const RowShape shape = row_shape(view);
  TensorSide side(source, view);
  double sum = 0, squares = 0, n = 0;
  const std::int64_t step = std::max<std::int64_t>(1, kSliceElements / std::max<std::int64_t>(1, shape.cols));
  for (std::int64_t first = 0; first < shape.rows && shape.cols > 0; first += step) {
    ASSAY_OK(side.load(first, std::min(step, shape.rows - first), shape.cols));
    for (const float value : side.values) {
      if (!std::isfinite(value)) continue;
      sum += value;
      squares += static_cast<double>(value) * value;
      ++n;
    }
  }
  if (n == 0) return std::pair(0.0, 0.0);
  const double mean = sum / n;
  return std::pair(mean, std::sqrt(std::max(0.0, squares / n - mean * mean)));
}

}  // namespace

std::string_view name_of(TensorStatus status) {
  switch (status) {
    case TensorStatus::identical:
      return "identical";
    case TensorStatus::requantised:
      return "requantised";
    case TensorStatus::changed:
      return "changed";
    case TensorStatus::unrelated:
      return "unrelated";
    case TensorStatus::only_a:
      return "only-a";
    case TensorStatus::only_b:
      return "only-b";
    case TensorStatus::shape_differs:
      return "shape-differs";
  }
  ASSAY_CHECK(false);
}

RowShape row_shape(const TensorView& view) {
  if (view.shape.empty()) return {};
  return {view.shape[0], view.shape[0] == 0 ? 0 : view.elements() / view.shape[0]};
}

Status CheckpointRows::rows(const TensorView& view, std::int64_t first, std::int64_t n,
                            std::span<float> values, std::span<float> scales) const {
  if (view.shape.empty()) {
    ASSAY_TRY(const std::vector<float> one, load_f32(checkpoint_, view.name, view.shape));
    values[0] = one[0];
    scales[0] = 1;
    return {};
  }
  ASSAY_OK(load_rows_f32(checkpoint_, view, first, n, values, Recipe::dequant_f32, block_));
  return load_row_scales(checkpoint_, view, first, n, scales, block_);
}

Result<SiblingRows::Scale> SiblingRows::scale_of(std::size_t index) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = scales_.find(index);
    if (known != scales_.end()) return known->second;
  }
  ASSAY_TRY(const auto found, moments(like_, like_.tensors()[index]));
  const std::lock_guard lock(mutex_);
  return scales_[index] =
             Scale{found.first, found.second};  // two threads may have read it: they found the same
}

Status SiblingRows::rows(const TensorView& view, std::int64_t first, std::int64_t n, std::span<float> values,
                         std::span<float> scales) const {
  const auto index = static_cast<std::size_t>(&view - like_.tensors().data());
  ASSAY_CHECK(index < like_.tensors().size() && values.size() == scales.size());
  ASSAY_TRY(const Scale scale, scale_of(index));
  const std::size_t cols = n == 0 ? 0 : values.size() / static_cast<std::size_t>(n);
  for (std::int64_t row = 0; row < n; ++row) {
    Stream random(seed_, index, static_cast<std::uint32_t>(first + row));
    for (std::size_t c = 0; c < cols; ++c) {
      values[static_cast<std::size_t>(row) * cols + c] =
          static_cast<float>(scale.mean + scale.sd * random.normal());
    }
  }
  std::fill(scales.begin(), scales.end(), 1.0F);
  return {};
}

Result<std::vector<TensorComparison>> compare_tensors(const RowSource& a, const RowSource& b,
                                                      ThreadPool& pool) {
  const std::vector<std::string_view> names = all_names(a, b);
  std::vector<TensorComparison> results(names.size());
  std::vector<std::optional<Error>> errors(names.size());
  pool.run(names.size(), [&](std::size_t i, int) {
    auto one = compare_name(a, b, names[i]);
    if (one.ok()) {
      results[i] = std::move(*one);
    } else {
      errors[i] = one.error();
    }
  });
  for (const auto& error : errors) {
    if (error) return *error;  // the first in the order of names: the same for any number of threads
  }
  return results;
}

Result<BlockSize> block_size_of(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "config.json").string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return BlockSize{.stated = false};  // nor has a GGUF file one
  ASSAY_TRY(const Json config, read_json_file(path));
  const Json::json_pointer where("/quantization_config/weight_block_size");
  if (!config.is_object() || !config.contains(where) || config.at(where).is_null())
    return BlockSize{.stated = false};
  const Json& size = config.at(where);
  const auto fits = [](const Json& v) {
    return v.is_number_unsigned() && v.get<std::uint64_t>() >= 1 && v.get<std::uint64_t>() <= 1 << 20;
  };
  if (size.is_array() && size.size() == 2 && fits(size[0]) && fits(size[1])) {
    return BlockSize{size[0].get<std::int64_t>(), size[1].get<std::int64_t>()};
  }
  return Error{.code = Code::bad_value,
               .message = "weight_block_size is not two positive integers",
               .file = path,
               .field = "quantization_config.weight_block_size",
               .expected = "[128, 128]",
               .got = dump_json(size).substr(0, 80)};
}

}  // namespace assay
