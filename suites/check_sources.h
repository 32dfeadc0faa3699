// What `assay suite add` looks at: the files that a definition names, whether they are there, and whether they are the ones it pins.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay {

struct SourceCheck {
  std::string name;  // "items", "examples", or a split's name
  std::string file, from;
  bool is_there = false;
  bool pinned = false;      // the definition knows the digest; else it is what was read, to be registered
  std::string sha256;       // of what was read, else what is pinned, or ""
  std::int64_t count = 0;   // likewise
};

struct SuiteCheck {
  std::string suite;
  std::vector<SourceCheck> sources;
  bool has_items = false;  // the items can be read: run needs no more for protocols without examples
};

// Reads every file that is there. Refused: a file that is not the one that is pinned, rows that are not what the definition says.
Result<SuiteCheck> check_sources(const std::string& name, const std::string& data_dir);

}  // namespace assay
