#include "eval/runs/filter.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/progress.h"

namespace assay {
namespace {

bool blank(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

using LineReader = std::function<Status(const Json&)>;

Status read_stream(std::istream& in, const std::string& name, const LineReader& reader) {
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number) {
    if (stop_requested())
      return Error{.code = Code::interrupted, .message = "stopped on request", .file = name};
    if (blank(line)) continue;
    const auto at_line = [&](Error e) {
      e.file = name;
      e.message = fmt::format("line {}: {}", number, e.message);
      return e;
    };
    auto json = parse_json(line, name, JsonLimits{.max_bytes = kMaxLineBytes});
    if (!json.ok()) return at_line(json.error());
    const Status read = reader(*json);
    if (!read.ok()) return at_line(read.error());
  }
  return {};
}

Status read_lines(const std::string& path, const LineReader& reader) {
  if (path == "-") return read_stream(std::cin, "standard input", reader);
  std::ifstream file(path);
  if (!file)
    return Error{.code = errno == ENOENT ? Code::not_found : Code::io,
                 .message = fmt::format("cannot open the file: {}", std::strerror(errno)),
                 .file = path};
  return read_stream(file, path, reader);
}

}  // namespace

Status filter_json_lines(const std::string& path, const LineFilter& filter) {
  ASSAY_OK(read_lines(path, [&](const Json& line) -> Status {
    ASSAY_TRY(const std::string out, filter(line));
    fmt::print("{}\n", out);
    return {};
  }));
  if (std::fflush(stdout) != 0)
    return Error{.code = Code::io, .message = fmt::format("cannot write: {}", std::strerror(errno))};
  return {};
}

Result<std::vector<Json>> read_json_lines(const std::string& path) {
  std::vector<Json> lines;
  ASSAY_OK(read_lines(path, [&](const Json& line) -> Status {
    lines.push_back(line);
    return {};
  }));
  return lines;
}

}  // namespace assay
