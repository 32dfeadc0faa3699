#include "reports/plot/scene.h"

#include <array>

#include "base/check.h"
#include "reports/text.h"

namespace assay::plot {
namespace {

struct Palette {
  const char* name;
  std::uint32_t light, dark;
};

// Okabe and Ito, "Color Universal Design", 2008; undecided darkened on light paper to keep a contrast of 3 : 1.
constexpr std::array<Palette, kInks> kPalette = {{
    {"text", 0x1b1f24, 0xe6e8eb},
    {"faint", 0x616a75, 0x98a2ae},
    {"axis", 0x8a939e, 0x6d7680},
    {"grid", 0xe3e6ea, 0x2c323a},
    {"paper", 0xffffff, 0x14181d},
    {"band", 0x56b4e9, 0x56b4e9},
    {"published", 0x1b1f24, 0xf3f4f6},
    {"neutral", 0x616a75, 0x98a2ae},
    {"reproduced", 0x007d5a, 0x1fc297},
    {"contradicted", 0xc44e00, 0xff7f3b},
    {"undecided", 0xa87100, 0xf0b429},
    {"mismatch", 0x0063a0, 0x62b0ee},
    {"impossible", 0x8b2f7a, 0xe08fc4},
    {"series-a", 0x0063a0, 0x62b0ee},
    {"series-b", 0xc44e00, 0xff7f3b},
    {"series-c", 0x007d5a, 0x1fc297},
    {"heat", 0x0063a0, 0x62b0ee},
}};

const Palette& entry(Ink ink) {
  const auto index = static_cast<std::size_t>(ink);
  ASSAY_CHECK(index < kPalette.size());
  return kPalette[index];
}

}  // namespace

std::uint32_t rgb_of(Ink ink, bool dark) { return dark ? entry(ink).dark : entry(ink).light; }
const char* name_of(Ink ink) { return entry(ink).name; }

Ink ink_of_verdict(const std::string& verdict) {
  if (verdict == "reproduced") return Ink::reproduced;
  if (verdict == "contradicted") return Ink::contradicted;
  if (verdict == "undecided") return Ink::undecided;
  if (verdict == "protocol-mismatch") return Ink::mismatch;
  if (verdict == "impossible") return Ink::impossible;
  return Ink::neutral;
}

double text_width(const std::string& text, double size) {
  return 0.56 * size * static_cast<double>(count_chars(text));
}

}  // namespace assay::plot
