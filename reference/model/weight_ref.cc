#include "reference/model/weight_ref.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "reference/weights/mxfp4.h"

namespace assay {
namespace {

std::int64_t width_of(const WeightRef& ref) { return std::max<std::int64_t>(ref.n_in, 1); }

void check_ref(const WeightRef& ref) {
  ASSAY_CHECK(ref.n_out >= 1 && ref.n_in >= 0 && ref.step >= 1 && ref.first >= 0);
  ASSAY_CHECK(ref.first + (ref.n_out - 1) * ref.step < ref.n_stored);
  ASSAY_CHECK(ref.n_experts == 0 || (ref.expert >= 0 && ref.expert < ref.n_experts));
  ASSAY_CHECK(!ref.mxfp4 || (ref.n_experts > 0 && !ref.transposed));
}

// The outputs of `ref` out of what is stored of one expert: (n_stored, n_in) or its transpose.
template <class T>
std::vector<T> pick(const WeightRef& ref, std::vector<T> stored) {
  const std::int64_t width = width_of(ref);
  ASSAY_CHECK(static_cast<std::int64_t>(stored.size()) == ref.n_stored * width);
  if (ref.n_stored == ref.n_out && !ref.transposed) return stored;
  std::vector<T> out(static_cast<std::size_t>(ref.n_out * width));
  const std::int64_t output_stride = ref.transposed ? 1 : width,
                     input_stride = ref.transposed ? ref.n_stored : 1;
  for (std::int64_t o = 0; o < ref.n_out; ++o) {
    const T* const from = stored.data() + (ref.first + o * ref.step) * output_stride;
    for (std::int64_t k = 0; k < width; ++k)
      out[static_cast<std::size_t>(o * width + k)] = from[k * input_stride];
  }
  return out;
}

Result<std::vector<float>> load_mxfp4(const Checkpoint& checkpoint, const WeightRef& ref, Recipe recipe) {
  ASSAY_TRY(const Mxfp4Tensor tensor,
            find_mxfp4(checkpoint, ref.name, ref.n_experts, ref.n_stored, ref.n_in));
  std::vector<float> out(static_cast<std::size_t>(ref.n_out * ref.n_in));
  for (std::int64_t o = 0; o < ref.n_out; ++o) {
    tensor.widen(
        ref.expert, ref.first + o * ref.step,
        std::span(out).subspan(static_cast<std::size_t>(o * ref.n_in), static_cast<std::size_t>(ref.n_in)));
  }
  // The two inputs of a byte lie side by side in one block of one scale.
  for (std::size_t i = 0; recipe == Recipe::mxfp4_high_first && i + 1 < out.size(); i += 2)
    std::swap(out[i], out[i + 1]);
  return out;
}

// Bytes of what is stored of one expert, for elements of `size` bytes.
template <class T>
std::vector<T> stored_codes(const TensorView& view, const WeightRef& ref) {
  const auto count = static_cast<std::size_t>(ref.n_stored * width_of(ref));
  const std::size_t first = ref.n_experts > 0 ? static_cast<std::size_t>(ref.expert) * count : 0;
  ASSAY_CHECK((first + count) * sizeof(T) <= view.bytes.size());
  std::vector<T> out(count);
  std::memcpy(out.data(), view.bytes.data() + first * sizeof(T), count * sizeof(T));
  return out;
}

}  // namespace

WeightRef matrix_ref(std::string name, std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(n_out >= 1 && n_in >= 1);
  return {.name = std::move(name), .n_out = n_out, .n_in = n_in, .n_stored = n_out};
}

WeightRef vector_ref(std::string name, std::int64_t n) {
  ASSAY_CHECK(n >= 1);
  return {.name = std::move(name), .n_out = n, .n_stored = n};
}

std::vector<std::int64_t> stored_shape(const WeightRef& ref) {
  check_ref(ref);
  std::vector<std::int64_t> shape;
  if (ref.n_experts > 0) shape.push_back(ref.n_experts);
  shape.push_back(ref.n_stored);
  if (ref.n_in > 0) shape.push_back(ref.n_in);
  if (ref.transposed) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return shape;
}

Result<const TensorView*> stored_tensor(const Checkpoint& checkpoint, const WeightRef& ref) {
  check_ref(ref);
  if (!ref.mxfp4) return checkpoint.need(ref.name, stored_shape(ref));
  ASSAY_TRY(const Mxfp4Tensor tensor,
            find_mxfp4(checkpoint, ref.name, ref.n_experts, ref.n_stored, ref.n_in));
  return tensor.blocks;
}

Result<std::vector<float>> load_weight_f32(const Checkpoint& checkpoint, const WeightRef& ref, Recipe recipe,
                                           BlockSize block) {
  check_ref(ref);
  if (ref.mxfp4) return load_mxfp4(checkpoint, ref, recipe);
  const std::vector<std::int64_t> shape = stored_shape(ref);
  if (ref.n_experts == 0) {
    ASSAY_TRY(std::vector<float> all, load_f32(checkpoint, ref.name, shape, recipe, block));
    return pick(ref, std::move(all));
  }
  ASSAY_TRY(const TensorView* view, checkpoint.need(ref.name, shape));
  std::vector<float> one(static_cast<std::size_t>(ref.n_stored * width_of(ref)));
  ASSAY_OK(load_rows_f32(checkpoint, *view, ref.expert, 1, one, recipe, block));
  return pick(ref, std::move(one));
}

Result<std::vector<double>> load_weight_f64(const Checkpoint& checkpoint, const WeightRef& ref, Recipe recipe,
                                            BlockSize block) {
  ASSAY_TRY(const TensorView* view, stored_tensor(checkpoint, ref));
  if (view->format == Format::F64 && rows_in_order(*view)) return pick(ref, stored_codes<double>(*view, ref));
  ASSAY_TRY(const std::vector<float> narrow, load_weight_f32(checkpoint, ref, recipe, block));
  return std::vector<double>(narrow.begin(), narrow.end());
}

template <class T>
Result<std::vector<T>> load_weight_codes(const Checkpoint& checkpoint, const WeightRef& ref) {
  ASSAY_TRY(const TensorView* view, stored_tensor(checkpoint, ref));
  ASSAY_CHECK(!ref.mxfp4 && bits_of(view->format) == static_cast<int>(8 * sizeof(T)));
  return pick(ref, stored_codes<T>(*view, ref));
}
template Result<std::vector<std::uint8_t>> load_weight_codes<std::uint8_t>(const Checkpoint&,
                                                                           const WeightRef&);
template Result<std::vector<std::uint16_t>> load_weight_codes<std::uint16_t>(const Checkpoint&,
                                                                             const WeightRef&);

}  // namespace assay
