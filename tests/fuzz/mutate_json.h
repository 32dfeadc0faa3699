// Mutations of JSON texts, for the fuzz targets that read them.
#pragma once
#include <string>
#include <vector>

#include "base/rng.h"

namespace assay::fuzz {

// Bytes, cuts, repeats, and pieces of other bodies.
inline std::string mutate_json(std::string input, const std::vector<std::string>& seeds, Stream& random) {
  static const std::string kPieces[] = {"{", "}", "[", "]", ",", ":", "\"", "null", "-1", "1e999", "true", "\\u0000", "\\ud800", "18446744073709551616", "0.5"};
  for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
    const std::size_t at = random.below(input.size() + 1);
    switch (random.below(5)) {
      case 0: if (at < input.size()) input[at] = static_cast<char>(random.below(256)); break;
      case 1: input.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: input.erase(at, 1 + random.below(8)); break;
      case 3: input.insert(at, input.substr(at, random.below(40))); break;
      default: {
        const std::string& other = seeds[random.below(seeds.size())];
        input.insert(at, other.substr(random.below(other.size()), random.below(30)));
      }
    }
  }
  return input;
}

}  // namespace assay::fuzz
