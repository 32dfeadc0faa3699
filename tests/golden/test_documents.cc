// Every example in the README's command table and in docs/ is run: a line `$ command` of a code block must end as it says.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "base/file.h"
#include "tests/catch.h"
#include "tests/command.h"
#include "tests/scratch.h"

using namespace assay;
namespace fs = std::filesystem;

namespace {

struct Example {
  std::string command;
  int exit_code = 0;
};

// `$ command`, with the lines of a here-document; "# exits N" at its end says the exit code.
std::vector<Example> examples_of(const std::string& text) {
  std::vector<Example> out;
  std::istringstream lines(text);
  std::string line;
  bool here = false;
  while (std::getline(lines, line)) {
    if (here) {
      out.back().command += "\n" + line;
      here = line != "END";
    } else if (line.starts_with("$ ")) {
      out.push_back({.command = line.substr(2)});
      std::smatch match;
      if (std::regex_search(line, match, std::regex("# exits ([0-9])"))) out.back().exit_code = std::stoi(match[1]);
      here = line.find("<<'END'") != std::string::npos;
    }
  }
  return out;
}

int run_in(const std::string& folder, const std::string& command) {
  const std::string script = "cd '" + folder + "' && PATH='" ASSAY_BIN ":'\"$PATH\" && export PATH && (" + command + "\n) >out.txt 2>err.txt";
  const int status = std::system(script.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("documents: every example runs and ends as it says") {
  int run = 0;
  for (const char* page : {"verify-a-claim.md", "compare-a-fork.md", "training-cost.md", "explain-a-difference.md", "published-claims.md", "suites-and-protocols.md", "large-runs.md", "gpu-report.md"}) {
    const Scratch scratch;
    fs::create_directory_symlink(ASSAY_TREE "/suites", scratch / "suites");
    const auto text = read_file(std::string(ASSAY_TREE "/docs/") + page);
    REQUIRE(text.ok());
    for (const Example& example : examples_of(*text)) {
      INFO(page << ": " << example.command);
      const int code = run_in(scratch.path(), example.command);
      INFO(*read_file(scratch / "err.txt"));
      CHECK(code == example.exit_code);
      ++run;
    }
  }
  CHECK(run >= 12);
}

TEST_CASE("documents: every command that the README names exists") {
  const auto text = read_file(ASSAY_TREE "/README.md");
  REQUIRE(text.ok());
  const std::regex command("`assay ([a-z]+)");
  std::set<std::string> named;
  for (std::sregex_iterator it(text->begin(), text->end(), command), end; it != end; ++it) named.insert((*it)[1]);
  CHECK(named.size() >= 12);
  const Scratch scratch;
  for (const std::string& name : named) {
    INFO(name);
    CHECK(run_assay({name, "--help"}, scratch.path()).code == 0);
  }
}
