// The malformed and the unusual but legal GGUF files that the tests and the fuzz corpus meet. Classes: those of llama.cpp's
// test-gguf and of the published faults of its readers (wrapped products, unbounded strings and counts, lying extents,
// alignment 0, extents of 0 that are divided by), and those of the safetensors cases that apply.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"

struct GgufCase {
  std::string name;
  std::string bytes;
  assay::Code code;   // for hostile ones
  std::string field;  // that the refusal must name; "" where none exists
};

const std::vector<GgufCase>& hostile_gguf();  // refused, each with its code
const std::vector<GgufCase>& valid_gguf();    // accepted
