#include "base/error.h"

#include <fmt/format.h>

namespace assay {

std::string_view name_of(Code code) {
  switch (code) {
#define ASSAY_CODE(name, meaning) \
  case Code::name:                \
    return #name;
#include "base/error_codes.def"
#undef ASSAY_CODE
  }
  return "unknown";
}

std::string_view meaning_of(Code code) {
  switch (code) {
#define ASSAY_CODE(name, meaning) \
  case Code::name:                \
    return meaning;
#include "base/error_codes.def"
#undef ASSAY_CODE
  }
  return "unknown";
}

std::string Error::text() const {
  std::string line = message;
  if (!file.empty())
    line += fmt::format(" [{}{}]", file, offset >= 0 ? fmt::format(" at byte {}", offset) : "");
  if (!field.empty()) line += fmt::format(", field '{}'", field);
  if (!expected.empty()) line += fmt::format(", expected {}", expected);
  if (!got.empty()) line += fmt::format(", got {}", got);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';  // a refusal is one line, whatever a hostile file puts into names
  }
  return line;
}

}  // namespace assay
