#include "eval/filter.h"

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

Status filter_stream(std::istream& in, const std::string& name, const LineFilter& filter) {
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
    auto out = filter(*json);
    if (!out.ok()) return at_line(out.error());
    fmt::print("{}\n", *out);
  }
  if (std::fflush(stdout) != 0)
    return Error{.code = Code::io, .message = fmt::format("cannot write: {}", std::strerror(errno))};
  return {};
}

}  // namespace

Status filter_json_lines(const std::string& path, const LineFilter& filter) {
  if (path == "-") return filter_stream(std::cin, "standard input", filter);
  std::ifstream file(path);
  if (!file)
    return Error{.code = errno == ENOENT ? Code::not_found : Code::io,
                 .message = fmt::format("cannot open the file: {}", std::strerror(errno)),
                 .file = path};
  return filter_stream(file, path, filter);
}

}  // namespace assay
