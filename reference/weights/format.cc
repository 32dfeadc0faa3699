#include "reference/weights/format.h"

#include <array>

#include "base/check.h"

namespace assay {
namespace {

struct Row {
  Format format;
  std::string_view name;
  int bits;
};

constexpr std::array<Row, 22> kRows = {{
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
}};

const Row& row_of(Format format) {
  const auto index = static_cast<std::size_t>(format);
  ASSAY_CHECK(index < kRows.size() && kRows[index].format == format);
  return kRows[index];
}

}  // namespace

std::span<const Format> all_formats() {
  static const auto kAll = [] {
    std::array<Format, kRows.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kRows[i].format;
    return all;
  }();
  return kAll;
}

std::string_view name_of(Format format) { return row_of(format).name; }

std::optional<Format> format_named(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.format;
  }
  return std::nullopt;
}

int bits_of(Format format) { return row_of(format).bits; }

}  // namespace assay
