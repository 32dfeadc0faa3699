// `assay doctor`: what this machine can do for assay and what is missing, each with what to do about it.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"

namespace assay {

enum class Health : std::uint8_t {
  fine,
  missing,
  broken
};  // missing: optional, something will be left out; broken: commands will fail

struct Finding {
  std::string name;  // processor, kernels, memory, gpu, display, sandbox, data, database
  Health health = Health::fine;
  std::string found;   // what is there
  std::string advice;  // what to do, "" where nothing is to be done
};

// Looks at everything; nothing is written that stays. `database`: the path of --db.
std::vector<Finding> examine(const std::string& database);

Json doctor_json(const std::vector<Finding>& findings);
std::string doctor_text(const std::vector<Finding>& findings);

}  // namespace assay
