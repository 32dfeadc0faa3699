// What every replay of a fuzz target shares: its corpus, and one input handed over as a fuzzer does it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/catch.h"

namespace assay::fuzz {

using Target = int(const std::uint8_t* data, std::size_t size);

// The files of tests/fuzz/corpus/NAME by their names: the order of a folder is not defined.
inline std::map<std::string, std::string> corpus(const std::string& name) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(ASSAY_TREE "/tests/fuzz/corpus/" + name)) {
    const auto bytes = read_file(entry.path().string());
    REQUIRE(bytes.ok());
    files[entry.path().filename().string()] = *bytes;
  }
  return files;
}

inline std::vector<std::string> seeds(const std::string& name) {
  std::vector<std::string> out;
  for (const auto& [file, bytes] : corpus(name)) out.push_back(bytes);
  REQUIRE_FALSE(out.empty());
  return out;
}

// A copy of its own size, so that a sanitizer sees the first byte that is read beyond it.
inline int run(Target& target, const std::string& input) {
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  return target(bytes.data(), bytes.size());
}

}  // namespace assay::fuzz
