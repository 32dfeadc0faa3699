#include "reference/weights/format.h"

#include <array>
#include <numeric>

#include "base/check.h"

namespace assay {
namespace {

struct Row {
  Format format;
  std::string_view name;
  int bits;
};

constexpr std::size_t kSafetensors =
    22;  // rows from there on are blocks of GGUF: their bits are those of a block
constexpr std::array<Row, 33> kRows = {{
    {Format::BOOL, "BOOL", 8},
    {Format::F4, "F4", 4},
    {Format::F6_E2M3, "F6_E2M3", 6},
    {Format::F6_E3M2, "F6_E3M2", 6},
    {Format::U8, "U8", 8},
    {Format::I8, "I8", 8},
    {Format::F8_E4M3, "F8_E4M3", 8},
    {Format::F8_E5M2, "F8_E5M2", 8},
    {Format::F8_E8M0, "F8_E8M0", 8},
    {Format::F8_E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {Format::F8_E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {Format::I16, "I16", 16},
    {Format::U16, "U16", 16},
    {Format::F16, "F16", 16},
    {Format::BF16, "BF16", 16},
    {Format::I32, "I32", 32},
    {Format::U32, "U32", 32},
    {Format::F32, "F32", 32},
    {Format::I64, "I64", 64},
    {Format::U64, "U64", 64},
    {Format::F64, "F64", 64},
    {Format::C64, "C64", 64},
    {Format::Q4_0, "Q4_0", 8 * 18},
    {Format::Q4_1, "Q4_1", 8 * 20},
    {Format::Q5_0, "Q5_0", 8 * 22},
    {Format::Q5_1, "Q5_1", 8 * 24},
    {Format::Q8_0, "Q8_0", 8 * 34},
    {Format::Q2_K, "Q2_K", 8 * 84},
    {Format::Q3_K, "Q3_K", 8 * 110},
    {Format::Q4_K, "Q4_K", 8 * 144},
    {Format::Q5_K, "Q5_K", 8 * 176},
    {Format::Q6_K, "Q6_K", 8 * 210},
    {Format::MXFP4, "MXFP4", 8 * 17},
}};

const Row& row_of(Format format) {
  const auto index = static_cast<std::size_t>(format);
  ASSAY_CHECK(index < kRows.size() && kRows[index].format == format);
  return kRows[index];
}

}  // namespace

std::span<const Format> all_formats() {
  static const auto kAll = [] {
    std::array<Format, kSafetensors> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kRows[i].format;
    return all;
  }();
  return kAll;
}

std::string_view name_of(Format format) { return row_of(format).name; }

std::optional<Format> format_named(std::string_view name) {
  for (const Format format : all_formats()) {
    if (name_of(format) == name) return format;
  }
  return std::nullopt;
}

int bits_of(Format format) {
  ASSAY_CHECK(!is_gguf_block(format));
  return row_of(format).bits;
}

BlockShape block_shape(Format format) {
  const int bits = row_of(format).bits;
  if (format >= Format::Q2_K && format <= Format::Q6_K) return {256, bits / 8};  // QK_K
  if (is_gguf_block(format)) return {32, bits / 8};
  const int together = bits % 8 == 0 ? 1 : 8 / std::gcd(bits, 8);
  return {together, together * bits / 8};
}

}  // namespace assay
