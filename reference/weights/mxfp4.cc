#include "reference/weights/mxfp4.h"

#include <array>

#include "reference/weights/dequant.h"

namespace assay {
namespace {

constexpr std::string_view kBlocks = "_blocks", kScales = "_scales";
constexpr std::array<float, 8> kMagnitudes = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};

bool has_partner(const Checkpoint& checkpoint, const TensorView& view, std::string_view own,
                 std::string_view other) {
  if (view.format != Format::U8 || !view.name.ends_with(own)) return false;
  const std::string_view stem = std::string_view(view.name).substr(0, view.name.size() - own.size());
  const TensorView* partner = checkpoint.find(std::string(stem) + std::string(other));
  return partner != nullptr && partner->format == Format::U8;
}

Result<const TensorView*> need_bytes(const Checkpoint& checkpoint, const std::string& name,
                                     std::span<const std::int64_t> shape) {
  ASSAY_TRY(const TensorView* view, checkpoint.need(name, shape));
  if (view->format == Format::U8) return view;
  return Error{.code = Code::bad_dtype,
               .message = "MXFP4 weights are not stored as bytes",
               .file = checkpoint.file_of(*view),
               .offset = view->offset,
               .field = name,
               .expected = "U8",
               .got = std::string(name_of(view->format))};
}

}  // namespace

std::string mxfp4_blocks_name(std::string_view name) { return std::string(name) + std::string(kBlocks); }
std::string mxfp4_scales_name(std::string_view name) { return std::string(name) + std::string(kScales); }

bool is_mxfp4_blocks(const Checkpoint& checkpoint, const TensorView& view) {
  return has_partner(checkpoint, view, kBlocks, kScales);
}
bool is_mxfp4_scales(const Checkpoint& checkpoint, const TensorView& view) {
  return has_partner(checkpoint, view, kScales, kBlocks);
}

float widen_e2m1(std::uint8_t code) {
  const float magnitude = kMagnitudes[code & 7U];
  return (code & 8U) != 0 ? -magnitude : magnitude;
}

std::span<const std::byte> Mxfp4Tensor::codes(std::int64_t expert, std::int64_t row) const {
  ASSAY_CHECK(expert >= 0 && expert < blocks->shape[0] && row >= 0 && row < n_out);
  const auto width = static_cast<std::size_t>(n_in / 2);
  return blocks->bytes.subspan(static_cast<std::size_t>(expert * n_out + row) * width, width);
}

std::span<const std::byte> Mxfp4Tensor::row_scales(std::int64_t expert, std::int64_t row) const {
  ASSAY_CHECK(expert >= 0 && expert < scales->shape[0] && row >= 0 && row < n_out);
  const auto width = static_cast<std::size_t>(n_in / kMxfp4Block);
  return scales->bytes.subspan(static_cast<std::size_t>(expert * n_out + row) * width, width);
}

void Mxfp4Tensor::widen(std::int64_t expert, std::int64_t row, std::span<float> out) const {
  ASSAY_CHECK(static_cast<std::int64_t>(out.size()) == n_in);
  const auto from = codes(expert, row), scale = row_scales(expert, row);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto both = std::to_integer<unsigned>(from[i / 2]);
    const auto code = static_cast<std::uint8_t>(i % 2 == 0 ? both & 15U : both >> 4);
    out[i] = widen_e2m1(code) * widen_e8m0(std::to_integer<std::uint8_t>(scale[i / kMxfp4Block]));
  }
}

Result<Mxfp4Tensor> find_mxfp4(const Checkpoint& checkpoint, std::string_view name, std::int64_t n_experts,
                               std::int64_t n_out, std::int64_t n_in) {
  ASSAY_CHECK(n_experts >= 1 && n_out >= 1 && n_in >= kMxfp4Block && n_in % kMxfp4Block == 0);
  const std::int64_t n_blocks = n_in / kMxfp4Block;
  const std::array<std::int64_t, 4> codes = {n_experts, n_out, n_blocks, kMxfp4Block / 2};
  Mxfp4Tensor out{.n_out = n_out, .n_in = n_in};
  ASSAY_TRY(out.blocks, need_bytes(checkpoint, mxfp4_blocks_name(name), codes));
  ASSAY_TRY(out.scales, need_bytes(checkpoint, mxfp4_scales_name(name), std::span(codes).first(3)));
  return out;
}

}  // namespace assay
