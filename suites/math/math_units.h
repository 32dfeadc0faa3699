// Units that benchmark answers carry, as factors and dimensions, so that 1 m is 100 cm and no kilogram.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

struct MathUnit {
  std::map<std::string_view, int> dimension;                    // length -> 2; units of one dimension can be compared
  std::vector<std::pair<std::string_view, int>> factors;        // exact decimals and their exponents, to the base units
};

// "cm", "centimeters", "cm^2", "square inches", "km/h", "miles per hour", "dollars", "deg", "%". No value: not known, and
// then not compared.
std::optional<MathUnit> known_unit(std::string_view text);

}  // namespace assay
