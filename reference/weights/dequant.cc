#include "reference/weights/dequant.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "reference/weights/gguf_blocks.h"
#include "reference/weights/mxfp4.h"
#include "reference/weights/safetensors.h"

namespace assay {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A small float with `mantissa` bits below an exponent of `8 * sizeof - 1 - mantissa` bits, all finite.
float small_float(unsigned magnitude, int mantissa, int bias) {
  const int exponent = static_cast<int>(magnitude >> mantissa);
  const unsigned fraction = magnitude & ((1U << mantissa) - 1);
  if (exponent == 0) return std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa);
  return std::ldexp(static_cast<float>(fraction | (1U << mantissa)), exponent - bias - mantissa);
}

using Table = std::array<float, 256>;

const Table& e4m3_table() {
  static const Table kTable = [] {
    Table t{};
    for (unsigned code = 0; code < 256; ++code) {
      const unsigned magnitude = code & 0x7F;
      const float value = magnitude == 0x7F ? kNan : small_float(magnitude, 3, 7);
      t[code] = code >= 0x80 ? -value : value;
    }
    return t;
  }();
  return kTable;
}

const Table& e5m2_table() {
  static const Table kTable = [] {
    Table t{};
    for (unsigned code = 0; code < 256; ++code) t[code] = widen_f16(static_cast<std::uint16_t>(code << 8));
    return t;
  }();
  return kTable;
}

template <class T>
T read_at(const std::byte* p, std::int64_t index) {
  T value;
  std::memcpy(&value, p + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

Error format_error(const Checkpoint& checkpoint, const TensorView& view, std::string expected) {
  return Error{.code = Code::bad_dtype,
               .message = "a tensor has a format that cannot be read as numbers here",
               .file = checkpoint.file_of(view),
               .offset = view.offset,
               .field = view.name,
               .expected = std::move(expected),
               .got = std::string(name_of(view.format))};
}

std::int64_t cdiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Scales are few; each is widened once.
Result<std::vector<float>> widen_scales(const Checkpoint& checkpoint, const TensorView& scale) {
  std::vector<float> out(static_cast<std::size_t>(scale.elements()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    switch (scale.format) {
      case Format::F32:
        out[i] = read_at<float>(scale.bytes.data(), at);
        break;
      case Format::BF16:
        out[i] = widen_bf16(read_at<std::uint16_t>(scale.bytes.data(), at));
        break;
      case Format::F16:
        out[i] = widen_f16(read_at<std::uint16_t>(scale.bytes.data(), at));
        break;
      case Format::F8_E8M0:
        out[i] = widen_e8m0(read_at<std::uint8_t>(scale.bytes.data(), at));
        break;
      default:
        return format_error(checkpoint, scale, "F32, F8_E8M0, BF16 or F16 scales");
    }
  }
  return out;
}

// What a recipe makes of the scales of a matrix of `cols` columns.
void reread(Recipe recipe, std::int64_t cols, BlockScales& scales) {
  const std::vector<float> stored = scales.values;
  const std::int64_t whole = cols / scales.block.cols;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) / scales.n_cols,
               col = static_cast<std::int64_t>(i) % scales.n_cols;
    if (recipe == Recipe::dequant_first_scale) scales.values[i] = stored[0];
    if (recipe == Recipe::dequant_floor_stride)  // never beyond the end: floor is at most cdiv
      scales.values[i] = stored[static_cast<std::size_t>(row * whole + col)];
    if (recipe == Recipe::dequant_bf16_scale) scales.values[i] = widen_bf16(round_bf16(stored[i]));
    if (recipe == Recipe::dequant_unscaled) scales.values[i] = 1.0F;
  }
}

// One row of codes with its scales.
void dequant_row(const TensorView& view, const BlockScales& scales, std::int64_t row, bool divide,
                 std::span<float> out) {
  const Table& table = view.format == Format::F8_E4M3 ? e4m3_table() : e5m2_table();
  const auto cols = static_cast<std::int64_t>(out.size());
  const std::byte* codes = view.bytes.data() + row * cols;
  for (std::int64_t begin = 0; begin < cols; begin += scales.block.cols) {
    const float s = scales.at(row, begin);
    const std::int64_t end = begin + std::min(cols - begin, scales.block.cols);
    for (std::int64_t c = begin; c < end; ++c) {
      const float code = table[std::to_integer<std::size_t>(codes[c])];
      out[static_cast<std::size_t>(c)] = divide ? code / s : code * s;
    }
  }
}

template <class Read>
void fill(std::span<float> out, Read read) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = read(static_cast<std::int64_t>(i));
}

// Elements [first, first + out.size()) of a tensor that needs no scales; false: not such a format.
bool load_plain(const TensorView& view, std::int64_t first, std::span<float> out) {
  const std::byte* p = view.bytes.data();
  switch (view.format) {
    case Format::F32:
      if (!out.empty()) std::memcpy(out.data(), p + first * 4, out.size() * 4);
      return true;
    case Format::BF16:
      fill(out, [&](std::int64_t i) { return widen_bf16(read_at<std::uint16_t>(p, first + i)); });
      return true;
    case Format::F16:
      fill(out, [&](std::int64_t i) { return widen_f16(read_at<std::uint16_t>(p, first + i)); });
      return true;
    case Format::F64:
      fill(out, [&](std::int64_t i) { return static_cast<float>(read_at<double>(p, first + i)); });
      return true;
    default:
      if (!is_gguf_block(view.format)) return false;
      widen_gguf_blocks(view.format, p, first, out);
      return true;
  }
}

// The step between neighbouring numbers at those elements, for formats with scales of their own; 1 for others.
bool load_steps(const TensorView& view, std::int64_t first, std::span<float> out) {
  std::fill(out.begin(), out.end(), 1.0F);
  if (is_gguf_block(view.format)) gguf_block_steps(view.format, view.bytes.data(), first, out);
  return true;
}

using LoadElements = bool (*)(const TensorView&, std::int64_t first, std::span<float> out);

// Rows of a tensor that is joined of two; of a transposed half, the group's matrix is loaded whole.
bool load_joined_rows(const TensorView& view, std::int64_t first, std::int64_t width, std::span<float> out,
                      LoadElements load) {
  const JoinedRows& j = *view.joined;
  const std::int64_t a = j.first_rows, b = j.second_rows;
  std::vector<float> group;
  std::int64_t loaded = -1;
  for (std::size_t at = 0; at < out.size(); at += static_cast<std::size_t>(width), ++first) {
    const std::int64_t g = first / (a + b), row = first % (a + b);
    const std::span<float> to = out.subspan(at, static_cast<std::size_t>(width));
    if (row >= a) {
      if (!load(j.second, (g * b + row - a) * width, to)) return false;
    } else if (!j.first_transposed) {
      if (!load(j.first, (g * a + row) * width, to)) return false;
    } else {
      group.resize(static_cast<std::size_t>(a * width));
      if (loaded != g && !load(j.first, g * a * width, group)) return false;
      loaded = g;
      for (std::size_t c = 0; c < to.size(); ++c)
        to[c] = group[c * static_cast<std::size_t>(a) + static_cast<std::size_t>(row)];
    }
  }
  return true;
}

// Rows from `first` on, of `width` elements each, wherever they stand.
bool load_rows(const TensorView& view, std::int64_t first, std::int64_t width, std::span<float> out,
               LoadElements load) {
  if (out.empty()) return true;
  if (view.joined) return load_joined_rows(view, first, width, out, load);
  if (view.paired_rows == 0) return load(view, first * width, out);
  for (std::size_t at = 0; at < out.size(); at += static_cast<std::size_t>(width), ++first) {
    if (!load(view, stored_row(view, first) * width, out.subspan(at, static_cast<std::size_t>(width))))
      return false;
  }
  return true;
}

}  // namespace

std::string_view name_of(Recipe recipe) {
  switch (recipe) {
    case Recipe::dequant_f32:
      return "dequant-f32";
    case Recipe::dequant_bf16:
      return "dequant-bf16";
    case Recipe::dequant_bf16_scale:
      return "dequant-bf16-scale";
    case Recipe::dequant_divided:
      return "dequant-divided";
    case Recipe::dequant_first_scale:
      return "dequant-first-scale";
    case Recipe::dequant_floor_stride:
      return "dequant-floor-stride";
    case Recipe::dequant_unscaled:
      return "dequant-unscaled";
    case Recipe::mxfp4_high_first:
      return "mxfp4-high-first";
  }
  ASSAY_CHECK(false);
}

float widen_bf16(std::uint16_t code) { return std::bit_cast<float>(std::uint32_t{code} << 16); }

float widen_f16(std::uint16_t code) {
  const unsigned magnitude = code & 0x7FFFU;
  const float sign = code >= 0x8000 ? -1.0F : 1.0F;
  if (magnitude > 0x7C00) return kNan;
  if (magnitude == 0x7C00) return sign * std::numeric_limits<float>::infinity();
  return sign * small_float(magnitude, 10, 15);
}

float widen_e4m3(std::uint8_t code) { return e4m3_table()[code]; }
float widen_e5m2(std::uint8_t code) { return e5m2_table()[code]; }
float widen_e8m0(std::uint8_t code) {
  return code == 0xFF ? kNan : std::ldexp(1.0F, static_cast<int>(code) - 127);
}

std::uint16_t round_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // stays NaN, made quiet
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

void round_to_bf16(std::span<float> values) {
  for (float& value : values) value = widen_bf16(round_bf16(value));
}

bool is_number_format(Format format) {
  return format == Format::F32 || format == Format::BF16 || format == Format::F16 || format == Format::F64 ||
         is_fp8_matrix(format) || is_gguf_block(format);
}

std::string scale_name(const Checkpoint& checkpoint, std::string_view name) {
  const std::string other = std::string(name) + "_scale";
  return checkpoint.find(other) != nullptr ? other : other + "_inv";
}

bool is_block_scale(const Checkpoint& checkpoint, const TensorView& view) {
  for (const std::string_view suffix : {"_scale_inv", "_scale"}) {
    if (!view.name.ends_with(suffix)) continue;
    const TensorView* of =
        checkpoint.find(std::string_view(view.name).substr(0, view.name.size() - suffix.size()));
    return of != nullptr && scale_name(checkpoint, of->name) == view.name;
  }
  return is_mxfp4_scales(checkpoint, view);
}

std::int64_t numbers_of(const Checkpoint& checkpoint, const TensorView& view) {
  if (is_block_scale(checkpoint, view)) return 0;
  return is_mxfp4_blocks(checkpoint, view) ? 2 * view.elements() : view.elements();
}

Result<BlockScales> load_scales(const Checkpoint& checkpoint, const TensorView& view, BlockSize block) {
  ASSAY_CHECK(block.rows > 0 && block.cols > 0);
  const std::string name = scale_name(checkpoint, view.name);
  const TensorView* scale = checkpoint.find(name);
  if (scale == nullptr) {
    return Error{.code = Code::missing_tensor,
                 .message = "an FP8 matrix has no scales",
                 .file = checkpoint.file_of(view),
                 .offset = view.offset,
                 .field = name,
                 .expected = "F32 or F8_E8M0 scales",
                 .got = "nothing"};
  }
  BlockScales out{.block = block};
  const bool one = scale->elements() == 1 && (scale->shape.size() < 2 || !block.stated);
  if (one) {
    out.block.rows = out.block.cols = std::numeric_limits<std::int64_t>::max();
  } else {
    if (view.shape.size() != 2) {
      return Error{.code = Code::bad_shape,
                   .message = "a tensor with block scales is not a matrix",
                   .file = checkpoint.file_of(view),
                   .offset = view.offset,
                   .field = view.name,
                   .expected = "two dimensions",
                   .got = shape_text(view.shape)};
    }
    const std::array<std::int64_t, 2> shape = {cdiv(view.shape[0], block.rows),
                                               cdiv(view.shape[1], block.cols)};
    ASSAY_TRY(scale, checkpoint.need(name, shape));
    out.n_cols = shape[1];
  }
  ASSAY_TRY(out.values, widen_scales(checkpoint, *scale));
  return out;
}

Status load_rows_f32(const Checkpoint& checkpoint, const TensorView& view, std::int64_t first, std::int64_t n,
                     std::span<float> out, Recipe recipe, BlockSize block) {
  ASSAY_CHECK(!view.shape.empty() && block.rows > 0 && block.cols > 0);
  ASSAY_CHECK(first >= 0 && n >= 0 && n <= view.shape[0] - first);
  const std::int64_t width = view.shape[0] == 0 ? 0 : view.elements() / view.shape[0];
  ASSAY_CHECK(out.size() == static_cast<std::size_t>(n * width));
  if (!is_fp8_matrix(view.format)) {
    if (!load_rows(view, first, width, out, load_plain))
      return format_error(checkpoint, view, "F32, BF16, F16, F64, FP8 with scales or blocks of GGUF");
    return {};
  }
  ASSAY_TRY(BlockScales scales, load_scales(checkpoint, view, block));
  reread(recipe, width, scales);
  for (std::int64_t row = 0; row < n; ++row) {
    dequant_row(view, scales, first + row, recipe == Recipe::dequant_divided,
                out.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width)));
  }
  if (recipe == Recipe::dequant_bf16) round_to_bf16(out);
  return {};
}

Result<std::vector<float>> load_f32(const Checkpoint& checkpoint, std::string_view name,
                                    std::span<const std::int64_t> shape, Recipe recipe, BlockSize block) {
  ASSAY_TRY(const TensorView* view, checkpoint.need(name, shape));
  std::vector<float> values(static_cast<std::size_t>(view->elements()));
  if (view->shape.empty()) {
    if (!load_plain(*view, 0, values)) return format_error(checkpoint, *view, "F32, BF16, F16 or F64");
    return values;
  }
  ASSAY_OK(load_rows_f32(checkpoint, *view, 0, view->shape[0], values, recipe, block));
  return values;
}

Result<std::vector<double>> load_f64(const Checkpoint& checkpoint, std::string_view name,
                                     std::span<const std::int64_t> shape, Recipe recipe, BlockSize block) {
  ASSAY_TRY(const TensorView* view, checkpoint.need(name, shape));
  if (view->format == Format::F64 && !view->joined) {
    std::vector<double> values(static_cast<std::size_t>(view->elements()));
    const std::int64_t rows = view->shape.empty() ? 1 : view->shape[0],
                       width = rows == 0 ? 0 : view->elements() / rows;
    for (std::int64_t row = 0; row < rows && width > 0; ++row) {
      std::memcpy(values.data() + row * width, view->bytes.data() + stored_row(*view, row) * width * 8,
                  static_cast<std::size_t>(width) * 8);
    }
    return values;
  }
  ASSAY_TRY(const std::vector<float> narrow, load_f32(checkpoint, name, shape, recipe, block));
  return std::vector<double>(narrow.begin(), narrow.end());
}

Status load_row_scales(const Checkpoint& checkpoint, const TensorView& view, std::int64_t first,
                       std::int64_t n, std::span<float> out, BlockSize block) {
  ASSAY_CHECK(!view.shape.empty() && first >= 0 && n >= 0 && n <= view.shape[0] - first);
  if (!is_fp8_matrix(view.format)) {
    load_rows(view, first, view.shape[0] == 0 ? 0 : view.elements() / view.shape[0], out, load_steps);
    return {};
  }
  ASSAY_TRY(const BlockScales scales, load_scales(checkpoint, view, block));
  const auto cols = static_cast<std::int64_t>(out.size()) / std::max<std::int64_t>(n, 1);
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int64_t c = 0; c < cols; ++c)
      out[static_cast<std::size_t>(row * cols + c)] = scales.at(first + row, c);
  }
  return {};
}

double half_step(Format format, double scale, double value) {
  // Quantisers of ggml clip one end of a grid without a middle and search for scales: a whole step, not half of one.
  if (is_gguf_block(format)) return scale;
  struct Grid {
    int mantissa_bits, smallest_exponent;
  };
  const auto grid = [&]() -> Grid {
    switch (format) {
      case Format::F32:
        return {23, -126};
      case Format::BF16:
        return {7, -126};
      case Format::F16:
        return {10, -14};
      case Format::F8_E4M3:
        return {3, -6};
      case Format::F8_E5M2:
        return {2, -14};
      default:
        return {60, -1000};
    }
  }();
  if (grid.mantissa_bits == 60 || !(scale > 0) || !std::isfinite(value)) return 0;
  const double units = std::abs(value) / scale;
  const int exponent =
      units > 0 ? std::max(std::ilogb(units), grid.smallest_exponent) : grid.smallest_exponent;
  return std::ldexp(scale, exponent - grid.mantissa_bits - 1);
}

}  // namespace assay
