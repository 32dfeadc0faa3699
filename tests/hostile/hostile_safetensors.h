// The malformed and the unusual but legal safetensors files that the tests, the fuzz corpus and the command
// line meet.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"

struct SafetensorsCase {
  std::string name;
  std::string bytes;
  assay::Code code;   // for hostile ones
  std::string field;  // that the refusal must name; "" where none exists
};

// 8 bytes of length, then the header, then `data`.
std::string safetensors_file(const std::string& header, const std::string& data);

const std::vector<SafetensorsCase>& hostile_safetensors();  // refused, each with its code
const std::vector<SafetensorsCase>& valid_safetensors();    // accepted
