// Where the weights of SmolLM2-135M-Instruct lie, if somebody fetched them: ASSAY_SMOLLM2, else where tests/oracle/fetch_smollm2.sh puts them.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/catch.h"

namespace smollm2 {

// No value, and a word about it: they are not there, or `needed` is not.
inline std::optional<std::string> weights(const std::string& needed) {
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string cache = environment("XDG_CACHE_HOME").empty() ? environment("HOME") + "/.cache" : environment("XDG_CACHE_HOME");
  std::string path = environment("ASSAY_SMOLLM2");
  if (path.empty()) path = cache + "/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (std::filesystem::exists(path) && std::filesystem::exists(needed)) return path;
  WARN("skipped: no " << (std::filesystem::exists(path) ? needed : path) << " (tests/oracle/fetch_smollm2.sh fetches the weights)");
  return std::nullopt;
}

}  // namespace smollm2
