// What can be wrong with input: a value, never an exception or an abort (CONVENTIONS, "Errors").
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

enum class Code : std::uint8_t {
#define ASSAY_CODE(name, meaning) name,
#include "base/error_codes.def"
#undef ASSAY_CODE
};

std::string_view name_of(Code code);     // "bad_json": what `--json` prints
std::string_view meaning_of(Code code);  // the line in error_codes.def

// An input fault. `message` is one sentence without a full stop: what is wrong and what to do; the rest says
// where.
struct Error {
  Code code = Code::bad_value;
  std::string message;
  std::string file = {};     // path or "" where no file is concerned
  std::int64_t offset = -1;  // byte in the file, -1: none
  std::string field = {};    // JSON key, tensor or column name
  std::string expected = {};
  std::string got = {};

  // One line for people: message, then file, offset, field, expected, got where present.
  std::string text() const;
};

}  // namespace assay
