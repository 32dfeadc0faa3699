// DESIGN's table of folders against the includes: a folder that includes what it may not know fails here.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace {

namespace fs = std::filesystem;

// First path component of an include -> allowed from the folder. A full header path allows just that header.
const std::map<std::string, std::set<std::string>>& allowed() {
  static const std::map<std::string, std::set<std::string>> kTable = {
      {"base", {"base"}},
      {"kernels", {"kernels", "base"}},
      {"reference", {"reference", "kernels", "base"}},
      {"suites", {"suites", "reference/text", "base"}},
      {"reports", {"reports", "base"}},
      {"eval",
       {"eval", "suites", "reference", "reports", "base", "kernels/bench/bench.h", "kernels/device.h"}},
      {"gui", {"gui", "reports", "base"}},
  };
  return kTable;
}

const std::set<std::string>& folders() {
  static const std::set<std::string> kAll = {"base",    "kernels", "reference", "suites",
                                             "reports", "eval",    "gui",       "tests"};
  return kAll;
}

bool may_include(const std::string& folder, const std::string& header) {
  const auto& rules = allowed().at(folder);
  for (const auto& rule : rules) {
    if (header == rule || header.starts_with(rule + "/")) return true;
  }
  return false;
}

// Third-party headers and the folders that may use them (DESIGN and CONVENTIONS).
bool library_allowed(const std::string& folder, const fs::path& file, const std::string& header) {
  if (header == "sqlite3.h") return folder == "reports";
  if (header.starts_with("imgui") || header.starts_with("GLFW")) return folder == "gui";
  if (header.starts_with("cuda") || header.starts_with("cublas"))
    return file.filename().string().starts_with("cuda_");
  if (header == "nlohmann/json.hpp") return file.extension() == ".cc";
  return true;
}

TEST_CASE("layering: every folder includes only what DESIGN allows") {
  const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  int files = 0;
  for (const auto& [folder, rules] : allowed()) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(ASSAY_TREE) / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc" && extension != ".cu" && extension != ".cuh") continue;
      ++files;
      std::ifstream in(entry.path());
      std::string line;
      while (std::getline(in, line)) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string header = match[2];
        const std::string top = header.substr(0, header.find('/'));
        INFO(entry.path().string() << " includes " << header);
        if (match[1] == "\"" && folders().contains(top)) {
          CHECK(may_include(folder, header));
        } else {
          CHECK(library_allowed(folder, entry.path(), header));
        }
      }
    }
  }
  CHECK(files > 20);  // the test looked at the tree
}

// Types that a header defines at the outermost level, with their namespace; none for headers whose contents are each includer's own.
std::vector<std::string> types_of(const fs::path& header) {
  static const std::regex scope(R"re(^namespace ([a-z0-9_:]*) ?\{)re"), type(R"re(^(?:struct|class|enum class) (\w+)(?: final)?\s*(?::[^:;][^;]*)?\{)re");
  std::ifstream in(header);
  std::vector<std::string> out;
  std::string line, name;
  std::smatch match;
  while (std::getline(in, line)) {
    if (std::regex_search(line, match, scope)) {
      if (match[1].length() == 0) return {};
      name = match[1];
    }
    if (std::regex_search(line, match, type)) out.push_back(name + "::" + match[1].str());
  }
  return out;
}

// Two types of one name in one namespace link without a word and then run each other's code.
TEST_CASE("layering: no two headers define types of the same name") {
  std::map<std::string, std::string> seen;
  for (const auto& [folder, rules] : allowed()) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(ASSAY_TREE) / folder)) {
      if (entry.path().extension() != ".h") continue;
      for (const std::string& type : types_of(entry.path())) {
        const auto [known, fresh] = seen.emplace(type, entry.path().string());
        INFO(type << " in " << entry.path().string() << " and in " << known->second);
        CHECK(fresh);
      }
    }
  }
  CHECK(seen.size() > 100);
}

TEST_CASE("layering: the rules refuse what DESIGN forbids") {
  CHECK_FALSE(may_include("gui", "eval/runs/run.h"));
  CHECK_FALSE(may_include("gui", "reference/model/engine.h"));
  CHECK_FALSE(may_include("suites", "reference/model/engine.h"));
  CHECK_FALSE(may_include("base", "kernels/contract.h"));
  CHECK_FALSE(may_include("eval", "kernels/contract.h"));
  CHECK(may_include("eval", "kernels/bench/bench.h"));
  CHECK(may_include("suites", "reference/text/tokenizer.h"));
}

}  // namespace
