// Commands that read JSON lines and write one line for each (INTERFACE, "filters").
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace assay {

inline constexpr std::size_t kMaxLineBytes = std::size_t{256} << 20;

// One line of output, without its end, for one line of input.
using LineFilter = std::function<Result<std::string>(const Json&)>;

// Reads `path` ("-": standard input) line by line, parses each line that is not blank and writes what
// `filter` makes of it to standard output. An error names the line; what stood before it has been written.
Status filter_json_lines(const std::string& path, const LineFilter& filter);

// The same for filters that answer all lines together: what stands on the lines that are not blank, in order.
Result<std::vector<Json>> read_json_lines(const std::string& path);

}  // namespace assay
