// JSON from outside: parsed with limits, duplicate keys refused. nlohmann-json itself is included in .cc
// files only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace assay {

using Json = nlohmann::ordered_json;  // keys keep the order of the file, so that output is stable

struct JsonLimits {
  std::size_t max_bytes = std::size_t{256} << 20;  // the largest published tokenizer.json has 35 MB
  std::size_t max_depth = 64;                      // published files nest below 20
  std::size_t max_values = 40'000'000;             // keys and values together
};

// Parses one document. NaN, infinities, comments, trailing text, duplicate keys and broken UTF-8 are refused
// with the byte offset. `file` is only for the error.
Result<Json> parse_json(std::string_view text, std::string_view file, const JsonLimits& limits = {});
Result<Json> read_json_file(const std::string& path, const JsonLimits& limits = {});

// Typed access to a member of an object; the error names `field` and what was found. `file` is only for the
// error.
Result<std::int64_t> json_int(const Json& object, std::string_view field, std::string_view file);
Result<double> json_number(const Json& object, std::string_view field, std::string_view file);
Result<std::string> json_string(const Json& object, std::string_view field, std::string_view file);
Result<bool> json_bool(const Json& object, std::string_view field, std::string_view file);

// Shortest text that reads back as the same values; invalid UTF-8 becomes U+FFFD; NaN and infinities become
// null.
std::string dump_json(const Json& value, int indent = -1);

// `value` as a Json number, or null where it is NaN or infinite (INTERFACE: NaN never appears).
Json finite_or_null(double value);

}  // namespace assay
