#include "suites/locate.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

namespace assay {
namespace {

namespace fs = std::filesystem;

bool holds_data(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "demo" / "suites", ignored);
}

std::optional<std::string> find_data_folder() {
  std::vector<fs::path> candidates;
  if (const char* chosen = std::getenv("ASSAY_DATA"); chosen != nullptr && *chosen != '\0') {
    return holds_data(chosen) ? std::optional<std::string>(chosen) : std::nullopt;
  }
  candidates.emplace_back(ASSAY_SOURCE_DATA);
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) candidates.push_back(program.parent_path().parent_path() / "share" / "assay");
  for (const auto& candidate : candidates) {
    if (holds_data(candidate)) return candidate.string();
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> data_folder() {
  static const std::optional<std::string> kFound = find_data_folder();
  if (kFound) return *kFound;
  return Error{.code = Code::not_found,
               .message = "the bundled data is not there; set ASSAY_DATA to the folder that holds demo/"};
}

bool is_inner_path(std::string_view relative) {
  if (relative.empty() || relative.front() == '/' || relative.find('\0') != std::string_view::npos)
    return false;
  for (const auto& part : fs::path(relative)) {
    if (part == ".." || part.empty()) return false;
  }
  return true;
}

Result<std::string> data_path(std::string_view relative) {
  if (!is_inner_path(relative)) {
    return Error{.code = Code::path_escape,
                 .message = "a path must stay inside the folder of the data",
                 .got = std::string(relative)};
  }
  ASSAY_TRY(const std::string folder, data_folder());
  return fmt::format("{}/{}", folder, relative);
}

}  // namespace assay
